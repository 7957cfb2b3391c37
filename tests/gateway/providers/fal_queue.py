"""A queue with one job, spoken by a test's own server."""

import itertools

from gateway.providers.fal import FalAdapter
from tests.core.http.upstream import Exchange, Route, Upstream
from tests.gateway.providers.conftest import MakeCall

JOB = "764cabcf-b745-4b3e-ae38-1200304cf45b"
MODEL = "fal-ai/flux-pro/v1.1"
SUBMIT = f"/q/{MODEL}"
RESULT = f"/q/fal-ai/flux-pro/requests/{JOB}"
STATUS = f"{RESULT}/status"
CANCEL = f"{RESULT}/cancel"


def detail(kind: str, where: tuple[str, ...] = ("body", "prompt"), message: str = "No."):
    return {"detail": [{"loc": list(where), "msg": message, "type": kind}]}


def queue(
    upstream: Upstream,
    *,
    result: object = None,
    states: tuple[str, ...] = ("COMPLETED",),
    status: int = 200,
    headers: dict[str, str] | None = None,
    **state: object,
) -> None:
    """Make the server a queue with one job, whose URLs in answers lead elsewhere."""
    trap = "http://127.0.0.1:1/trap"
    links = {"request_id": JOB, "status_url": trap, "response_url": trap, "cancel_url": trap}
    upstream.answers("POST", SUBMIT, {"status": "IN_QUEUE", "queue_position": 0, **links})
    words = itertools.chain(states, itertools.repeat(states[-1]))

    def tell(exchange):
        word = next(words)
        code = 200 if word == "COMPLETED" else 202
        more = state if word == "COMPLETED" else {}
        exchange.reply({"status": word, "logs": None, **links, **more}, status=code)

    upstream.on("GET", STATUS, tell)
    upstream.answers("GET", RESULT, result, status=status, headers=headers or {})
    upstream.answers("PUT", CANCEL, {"status": "CANCELLATION_REQUESTED"}, status=202)


def in_turn(*routes: Route) -> Route:
    """Answer with each route once, then with the last one."""
    steps = itertools.chain(routes, itertools.repeat(routes[-1]))

    def answer(exchange: Exchange) -> None:
        next(steps)(exchange)

    return answer


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    fields = {"upstream_model": MODEL, **fields}
    return FalAdapter().generate(make_call(f"{upstream.url}/q", **fields))


def picture(images: Upstream, data: bytes, name: str = "/files/a.jpg") -> dict[str, object]:
    images.answers("GET", name, data)
    return {"url": f"{images.url}{name}", "content_type": "image/jpeg"}
