"""Black Forest Labs: a task, its polls, and a file whose address expires."""

from typing import Any
from uuid import uuid4

from tests.outside.book import Job, Rule, draw
from tests.outside.faults import Reply
from tests.outside.protocols.exchange import Exchange, RefusedError, by_area, complain, is_count

_COMMON = {"prompt", "seed", "safety_tolerance", "output_format", "webhook_url", "webhook_secret"}
_SIZED = {*_COMMON, "width", "height"}
_PRO = {*_SIZED, "image_prompt", "prompt_upsampling"}
_ULTRA = {*_COMMON, "aspect_ratio", "raw", "prompt_upsampling", "image_prompt"}
_FIELDS = {
    "flux-pro-1.1": _PRO,
    "flux-pro-1.1-ultra": _ULTRA,
    "flux-dev": {*_PRO, "steps", "guidance"},
    "flux-2-pro": _SIZED,
    "flux-2-max": _SIZED,
    "flux-2-flex": {*_SIZED, "steps", "guidance"},
    "flux-2-klein-4b": _SIZED,
    "flux-2-klein-9b": _SIZED,
}
_CENTS = {
    "flux-pro-1.1": 4.0,
    "flux-pro-1.1-ultra": 6.0,
    "flux-dev": 2.5,
    "flux-2-pro": 3.0,
    "flux-2-max": 7.0,
    "flux-2-flex": 5.0,
    "flux-2-klein-4b": 1.4,
    "flux-2-klein-9b": 1.5,
}
_STATES = {"moderated": "Content Moderated", "blocked": "Request Moderated", "error": "Error"}


def serve(exchange: Exchange) -> Reply:
    """``/v1/{model}`` and ``/v1/get_result`` with ``x-key``."""
    if exchange.headers.get("x-key") != exchange.key:
        raise _error(403, "Not authenticated")
    if (exchange.method, exchange.path) == ("GET", "/v1/get_result"):
        return _poll(exchange)
    model = exchange.path.removeprefix("/v1/")
    if exchange.method != "POST" or model not in _FIELDS:
        raise _error(404, "Not Found")
    return _submit(exchange, model)


def _error(status: int, detail: object) -> RefusedError:
    return RefusedError(Reply.json({"detail": detail}, status))


def _invalid(name: str) -> RefusedError:
    problem = {"loc": ["body", name], "msg": "Input should be valid", "type": "value_error"}
    return _error(422, [problem])


def _submit(exchange: Exchange, model: str) -> Reply:
    body = exchange.body(_invalid)
    call, content = exchange.begin(model, body.get("prompt"), body)
    complain(call, body, _FIELDS[model])
    _check(model, body)
    kind = body.get("output_format") or "jpeg"
    task = "11111111-1111-4111-8111-111111111111" if content.do == "same_id" else str(uuid4())
    exchange.book.jobs[task] = Job(call, content, _size(model, body), kind)
    call.status = 200
    polling = exchange.link(f"/bfl/v1/get_result?id={task}", content)
    if content.do == "polling_to":
        polling = f"{content.body}/v1/get_result?id={task}"
    answer = {"id": task, "polling_url": polling}
    if content.do == "missing":
        return Reply.json(answer)
    price: dict[str, Any] = {"cost": _CENTS[model], "input_mp": 0, "output_mp": 1.05}
    if content.do == "nulls":
        price = dict.fromkeys(price)
    return Reply.json({**answer, **price})


def _check(model: str, body: dict[str, Any]) -> None:
    prompt, tolerance = body.get("prompt"), body.get("safety_tolerance")
    most_tolerant = 5 if model.startswith("flux-2") else 6
    tests = {
        "prompt": isinstance(prompt, str) and bool(prompt),
        "safety_tolerance": tolerance is None or is_count(tolerance, 0, most_tolerant),
        "output_format": body.get("output_format") in {None, "jpeg", "png"},
        "seed": body.get("seed") is None or is_count(body["seed"], 0, 2**32),
        "width": _are_edges(model, body),
        "aspect_ratio": _is_ratio(str(body.get("aspect_ratio", "16:9"))),
        "steps": is_count(body.get("steps", 28), 1, 50),
    }
    for name, is_right in tests.items():
        if not is_right:
            raise _invalid(name)


def _are_edges(model: str, body: dict[str, Any]) -> bool:
    edges = [body.get("width", 1024), body.get("height", 768)]
    if model.startswith("flux-2"):
        is_multiple = all(is_count(edge, 64, 8192) and edge % 16 == 0 for edge in edges)
        return is_multiple and edges[0] * edges[1] <= 4 * 1024 * 1024
    return all(is_count(edge, 256, 1440) and edge % 32 == 0 for edge in edges)


def _is_ratio(text: str) -> bool:
    left, _, right = text.partition(":")
    if not (left.isdecimal() and right.isdecimal() and int(left) and int(right)):
        return False
    return 9 * int(right) <= 21 * int(left) and 9 * int(left) <= 21 * int(right)


def _size(model: str, body: dict[str, Any]) -> tuple[int, int]:
    if model.endswith("ultra"):
        left, right = str(body.get("aspect_ratio") or "16:9").split(":")
        return by_area((int(left), int(right)), 4 * 1024 * 1024, 32)
    return (body.get("width", 1024), body.get("height", 768))


def _poll(exchange: Exchange) -> Reply:
    task = exchange.query.get("id", "")
    job = exchange.book.jobs.get(task)
    exchange.step = "status"
    if job is None:
        raise RefusedError(Reply.json({"id": task, "status": "Task not found"}, 404))
    exchange.call = job.call
    job.polls += 1
    content = job.content
    if content.do == "flash" and job.polls <= content.number:
        return Reply.json({"id": task, "status": "Task not found", "result": None}, 404)
    if content.do == "pending" and job.polls <= content.number:
        grown = {"log": "x" * 10_000 * job.polls}
        return _state(task, "Pending", {"progress": 0.1, "details": grown})
    if content.do in _STATES:
        details = {"Moderation Reasons": ["Safety"]}
        return _state(task, _STATES[content.do], {"details": details})
    if job.answer is None:
        job.answer = {"urls": _draw(exchange, job, content)}
    if not job.answer["urls"]:
        return _state(task, "Ready", {})
    seen = {"prompt": job.call.prompt, "seed": 42, "duration": 3.2}
    sample = {"sample": job.answer["urls"][0]}
    if content.do == "missing":
        return Reply.json({"status": "Ready", "result": sample})
    if content.do == "nulls":
        seen = dict.fromkeys(seen)
    return _state(task, "Ready", {"result": {**sample, **seen}})


def _draw(exchange: Exchange, job: Job, content: Rule) -> list[str]:
    images = draw(job.call, content, job.size, job.kind, 1)
    return [exchange.file_url(data, job.kind, content) for data in images]


def _state(task: str, status: str, more: dict[str, Any]) -> Reply:
    empty = dict.fromkeys(("result", "progress", "details", "preview"))
    return Reply.json({"id": task, "status": status, **empty, **more})
