"""A platform with one task, spoken by a test's own server after the published protocol."""

import itertools
from collections.abc import Iterable

from gateway.providers.bfl import BflAdapter
from tests.core.http.upstream import Exchange, Upstream
from tests.gateway.providers.conftest import MakeCall

TASK = "3b1c2d7e-51f2-4f0c-9a55-0d0c8a1e7f10"
MODEL = "flux-pro-1.1"
SUBMIT = f"/b/v1/{MODEL}"
POLL = "/b/v1/get_result"
SAMPLE = "/samples/sample.jpeg"
TRAP = f"http://127.0.0.1:1/trap?id={TASK}"


def state(status: str, **fields: object) -> dict[str, object]:
    empty = {"result": None, "progress": None, "details": None, "preview": None}
    return {"id": TASK, "status": status, **empty, **fields}


def ready(url: str, **fields: object) -> dict[str, object]:
    result = {"sample": url, "prompt": "a cat", "seed": 42, "start_time": 1.0, "end_time": 4.2}
    return state("Ready", result={**result, **fields})


def platform(upstream: Upstream, *states: object, ticket: dict[str, object] | None = None) -> None:
    """Accept one task and tell its states in turn, the last one for ever."""
    upstream.answers("POST", SUBMIT, {"id": TASK, "polling_url": TRAP, **(ticket or {})})
    upstream.on("GET", POLL, tell(states))


def tell(states: Iterable[object]):
    """Answer with each state once, then with the last one; a function answers by itself."""
    known = list(states)
    steps = itertools.chain(known, itertools.repeat(known[-1]))

    def answer(exchange: Exchange) -> None:
        step = next(steps)
        if callable(step):
            step(exchange)
        else:
            exchange.reply(step)

    return answer


def sample(images: Upstream, data: bytes, path: str = SAMPLE) -> str:
    """Put an image on its host and return its signed address."""
    images.answers("GET", path, data)
    return f"{images.url}{path}?se=2026-11-21T00%3A10%3A00Z&sig=abc%2Fdef"


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    call = make_call(f"{upstream.url}/b", **{"upstream_model": MODEL, **fields})
    return BflAdapter().generate(call)
