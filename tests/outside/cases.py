"""One paid request each, what goes wrong with it, and what must come of it."""

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from threading import Event, Thread
from typing import Any

import psycopg
import requests
from PIL import Image

from gateway.models import Attempt, Generation
from tests.outside.control import Upstream
from tests.outside.protocols.exchange import KEYS
from tests.stack import Stack
from tests.tenants import Tenant, new_prompt

MARKUP = Decimal("1.05")
WALLET = Decimal(10)
AT_ONCE = 20
STATUSES = {
    "content_policy_violation": 400,
    "moderation_blocked": 400,
    "invalid_value": 400,
    "provider_unavailable": 503,
    "generation_timeout": 503,
}
RETIRED = {"error": {"message": "The model does not exist.", "code": "model_not_found"}}
NO_PATH = {"detail": "Path not found"}
REFUSED = ("content_policy_violation", "moderation_blocked")
UNAVAILABLE = ("provider_unavailable",)


@dataclass(frozen=True, eq=False)
class Subject:
    """A model whose calls go to one provider.

    ``usd`` is its published price of an image; ``detour`` are rules that keep its other
    providers out of the way.
    """

    model: str
    provider: str
    usd: str
    size: str = "1024x1024"
    detour: tuple[Mapping[str, object], ...] = ()
    body: Mapping[str, object] = field(default_factory=dict)

    def price(self, count: int = 1) -> Decimal:
        unit = (Decimal(self.usd) * MARKUP).quantize(Decimal("0.000001"), ROUND_HALF_UP)
        return unit * count


PAST_OPENAI = ({"provider": "openai", "status": 404, "body": RETIRED},)
PAST_FAL = ({"provider": "fal", "status": 404, "body": NO_PATH},)
PAST_BFL = ({"provider": "bfl", "status": 404, "body": {"detail": "Not Found"}},)
PAST_STABILITY = ({"provider": "stability", "status": 404, "body": {"name": "not_found"}},)
PAST_IDEOGRAM = ({"provider": "ideogram", "status": 404, "body": {"error": "Not found"}},)


@dataclass(frozen=True, eq=False)
class Case:
    """``errors`` are the codes that may answer it; none means that images come."""

    subject: Subject
    name: str
    rules: Sequence[Mapping[str, object]] = ()
    errors: tuple[str, ...] = ()
    n: int = 1
    delivered: int = 1
    body: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.subject.provider}-{self.subject.model.replace('/', '.')}-{self.name}"

    @property
    def request(self) -> dict[str, Any]:
        sent = {"model": self.subject.model, "n": self.n, "size": self.subject.size}
        return {**sent, "response_format": "url", **self.subject.body, **self.body}

    def rules_for(self, prompt: str) -> Iterator[dict[str, object]]:
        for rule in self.rules:
            yield {"contains": prompt, "provider": self.subject.provider, **rule}
        for rule in self.subject.detour:
            yield {"contains": prompt, **rule}


@dataclass(frozen=True)
class Outcome:
    """What came of a case: the answer, the images, the books and the upstream's log."""

    case: Case
    prompt: str
    answer: requests.Response
    images: list[bytes]
    seconds: float
    tenant: Tenant
    calls: list[dict[str, Any]]
    seen: list[dict[str, Any]]
    attempts: list[Attempt]
    generations: list[Generation]

    @property
    def code(self) -> str | None:
        """The error's code."""
        error = self.answer.json().get("error")
        return str(error["code"]) if error else None

    def findings(self) -> list[str]:
        """Return everything that is wrong with the answer and the money."""
        case, found = self.case, []
        cost = Decimal(self.answer.headers.get("X-Cost", "-1"))
        if case.errors:
            wanted = Decimal(0)
            if self.code not in case.errors or self.answer.status_code != STATUSES[self.code]:
                found.append(f"answer {self.answer.status_code}: {self.answer.text[:300]}")
        else:
            wanted = case.subject.price(case.delivered)
            found += self._image_findings()
        if cost != wanted:
            found.append(f"cost {cost}, not {wanted}")
        available, held = map(Decimal, self.tenant.balance())
        if (available, held) != (WALLET - wanted, Decimal(0)):
            found.append(f"wallet {available}, held {held}")
        found += [
            f"hold {hold.status}" for hold in self.tenant.holds() if hold.status == "authorized"
        ]
        found += self.tenant.ledger_findings()
        found += [text for call in self.calls for text in call["complaints"]]
        made = sorted(attempt.provider for attempt in self.attempts)
        logged = sorted(call["provider"] for call in self.calls)
        if case.subject.provider not in logged:
            found.append(f"{case.subject.provider} was never called")
        if made != logged:
            found.append(f"attempts {made}, calls {logged}")
        # What never came may have been made, so it counts as paid; what came is never free.
        costs = sum(attempt.cost_micros for attempt in self.attempts)
        if not costs and any(call["paid"] for call in self.calls):
            found.append("a paid call is booked as free")
        return found

    def _image_findings(self) -> list[str]:
        if self.answer.status_code != 200:
            return [f"answer {self.answer.status_code}: {self.answer.text[:300]}"]
        width, height = map(int, self.case.subject.size.split("x"))
        if "size" in self.case.body:
            width, height = map(int, str(self.case.body["size"]).split("x"))
        found = []
        if len(self.images) != self.case.delivered:
            found.append(f"{len(self.images)} images, not {self.case.delivered}")
        if len(set(self.images)) != len(self.images):
            found.append("equal images")
        for data in self.images:
            image = Image.open(io.BytesIO(data))
            image.load()
            if image.size != (width, height):
                found.append(f"{image.size}, not {width}x{height}")
        return found


def key_findings(seen: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the requests that carried a key to where it does not belong, or none where it does."""
    found = []
    for request in seen:
        text = f"{request['target']} {request['headers']}"
        carried = {provider for provider, key in KEYS.items() if key in text}
        path = request["target"]
        is_call = request["host"] == "own" and not path.startswith(("/files/", "/hop/"))
        wanted = {path[1:].partition("/")[0]} if is_call else set()
        if carried != wanted:
            found.append(f"{request['method']} {request['host']} {path}: keys of {carried}")
    return found


@contextmanager
def closed_breakers(stack: Stack) -> Iterator[None]:
    """Keep the providers' failures from adding up, however many there are at once.

    Failures count from the last closing on; what opens a breaker at once still does.
    """
    stack.close_breakers()
    ended = Event()
    url = stack.environment["DATABASE_URL"]

    def close() -> None:
        with psycopg.connect(url, autocommit=True) as session:
            while not ended.wait(0.2):
                session.execute("UPDATE gateway_breaker SET closed_at = now() WHERE NOT is_open")

    thread = Thread(target=close)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def run_all(cases: Sequence[Case], stack: Stack, upstream: Upstream) -> dict[Case, Outcome]:
    """Run cases, a few at a time, each for an organization of its own."""
    tenants = [Tenant.open(stack, amount=str(WALLET)) for _ in cases]
    with closed_breakers(stack), ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda case, tenant: _run(case, tenant, upstream), cases, tenants))
    outcomes = {}
    for case, tenant, (prompt, answer, images, seconds) in zip(
        cases, tenants, answers, strict=True
    ):
        outcomes[case] = Outcome(
            case=case,
            prompt=prompt,
            answer=answer,
            images=images,
            seconds=seconds,
            tenant=tenant,
            calls=upstream.calls(prompt),
            seen=upstream.seen(prompt),
            attempts=tenant.attempts(),
            generations=tenant.generations(),
        )
    return outcomes


def _run(
    case: Case, tenant: Tenant, upstream: Upstream
) -> tuple[str, requests.Response, list[bytes], float]:
    prompt = new_prompt()
    for rule in case.rules_for(prompt):
        upstream.rule(**rule)  # type: ignore[arg-type]  # the names are those of a rule
    started_s = time.monotonic()
    answer = tenant.generate(prompt, **case.request)
    seconds = time.monotonic() - started_s
    images = []
    if answer.status_code == 200:
        urls = [item["url"] for item in answer.json()["data"]]
        images = [requests.get(url, timeout=30).content for url in urls]
    return prompt, answer, images, seconds
