"""fal's queue: submit, status, result, and files on another host."""

import math
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.outside.book import Call, Job, Rule, draw, flagged
from tests.outside.faults import Reply
from tests.outside.protocols.exchange import Exchange, RefusedError, by_area, complain, is_count
from tests.outside.protocols.ideogram import PIXELS

_PRESETS = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
_RATIOS = {"21:9", "16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "9:21"}
_FLUX = {"prompt", "num_images", "seed", "sync_mode"}
_OPEN = {
    *(*_FLUX, "image_size", "num_inference_steps", "guidance_scale", "enable_safety_checker"),
    *("output_format", "acceleration"),
}
_STABLE = {*_OPEN, "negative_prompt", "loras"} - {"acceleration"}
_PRO = {*_FLUX, "image_size", "output_format", "safety_tolerance", "enhance_prompt"}
_RECRAFT = {"prompt", "image_size", "style", "style_id", "colors", "enable_safety_checker"}
# Inputs, most images, whether several words say what was refused, and whether it bills megapixels.
_ENDPOINTS: dict[str, tuple[set[str], int, bool, bool]] = {
    "fal-ai/flux-pro/v1.1": (_PRO, 4, True, True),
    "fal-ai/flux-pro/v1.1-ultra": (
        (_PRO - {"image_size"}) | {"aspect_ratio", "raw"},
        4,
        True,
        False,
    ),
    "fal-ai/flux/dev": (_OPEN, 4, True, True),
    "fal-ai/flux/schnell": (_OPEN, 4, True, True),
    "fal-ai/recraft/v3/text-to-image": (_RECRAFT, 1, False, False),
    "fal-ai/ideogram/v2": (
        {"prompt", "aspect_ratio", "expand_prompt", "style", "negative_prompt", "seed"},
        1,
        False,
        False,
    ),
    "fal-ai/ideogram/v3": (
        {
            *(*_FLUX, "image_size", "rendering_speed", "style", "negative_prompt"),
            "expand_prompt",
        },
        8,
        False,
        False,
    ),
    "fal-ai/stable-diffusion-v35-large": (_STABLE, 4, True, True),
    "fal-ai/fast-sdxl": ((_STABLE - {"output_format"}) | {"format"}, 8, True, False),
}
_JOB = re.compile(r"(/[\w-]+/[\w.-]+)/requests/([0-9a-f-]{36})(/status|/cancel)?")


def serve(exchange: Exchange) -> Reply:
    """One request of the queue, with ``Authorization: Key``."""
    if exchange.headers.get("authorization") != f"Key {exchange.key}":
        raise _refusal(401, "Cannot access application. Authentication is required.")
    if found := _JOB.fullmatch(exchange.path):
        return _job(exchange, found[1], found[2], found[3] or "")
    endpoint = exchange.path[1:]
    if exchange.method != "POST" or endpoint not in _ENDPOINTS:
        raise _refusal(404, f"Path {exchange.path} not found")
    return _submit(exchange, endpoint)


def _refusal(status: int, text: str) -> RefusedError:
    return RefusedError(Reply.json({"detail": text}, status))


def _invalid(name: str) -> dict[str, Any]:
    """Return the answer of a job whose input was wrong: the queue takes it, the runner does not."""
    problem = {"loc": ["body", name], "msg": "Input should be valid", "type": "literal_error"}
    return {"detail": [problem]}


def _submit(exchange: Exchange, endpoint: str) -> Reply:
    body = exchange.body(lambda text: _refusal(422, text))
    call, content = exchange.begin(endpoint, body.get("prompt"), body)
    limit = exchange.headers.get("x-fal-request-timeout")
    if limit is not None and float(limit) <= 1:
        raise _refusal(400, "X-Fal-Request-Timeout must be above 1")
    complain(call, body, _ENDPOINTS[endpoint][0])
    kind = str(body.get("output_format", body.get("format", "jpeg")))
    job = Job(call, content, (1024, 1024), "webp" if "recraft" in endpoint else kind)
    wrong = _wrong_field(endpoint, body)
    if wrong:
        job.answer = _invalid(wrong)
    else:
        job.size = _size(endpoint, body)
    job_id = "0" * 8 + "-0000-4000-8000-" + "0" * 12 if content.do == "same_id" else str(uuid4())
    if content.do == "wild_id":
        job_id = str(content.body)
    exchange.book.jobs[job_id] = job
    call.status = 200
    root = f"/fal/{'/'.join(endpoint.split('/')[:2])}/requests/{job_id}"
    answer = {"status": "IN_QUEUE", "request_id": job_id, "queue_position": 0}
    links = _links(exchange, root, content)
    rest: dict[str, Any] = {**links, "logs": None, "metrics": {}, "gateway_request_id": job_id}
    if content.do == "missing":
        return Reply.json({"request_id": job_id})
    if content.do == "nulls":
        return Reply.json({**answer, **dict.fromkeys(rest)})
    return Reply.json({**answer, **rest}, x_fal_request_id=job_id)


def _links(exchange: Exchange, root: str, content: Rule) -> dict[str, str]:
    return {
        "response_url": exchange.link(root, content),
        "status_url": exchange.link(f"{root}/status", content),
        "cancel_url": exchange.link(f"{root}/cancel", content),
    }


def _wrong_field(endpoint: str, body: dict[str, Any]) -> str | None:
    n_max = _ENDPOINTS[endpoint][1]
    prompt = body.get("prompt")
    ratios = _RATIOS if "ultra" in endpoint else {name.replace("x", ":") for name in PIXELS}
    formats = {None, "jpeg", "png"}
    tolerance = body.get("safety_tolerance", "2")
    tests = {
        "prompt": isinstance(prompt, str) and bool(prompt),
        "num_images": is_count(body.get("num_images", 1), 1, n_max),
        "image_size": _is_size(body.get("image_size", "square_hd")),
        "aspect_ratio": body.get("aspect_ratio", "1:1") in ratios,
        "output_format": body.get("output_format") in formats,
        "format": body.get("format") in formats,
        "safety_tolerance": isinstance(tolerance, str) and tolerance in set("123456"),
        "rendering_speed": body.get("rendering_speed", "TURBO") in {"TURBO", "BALANCED", "QUALITY"},
        "enable_safety_checker": type(body.get("enable_safety_checker", True)) is bool,
        "seed": is_count(body.get("seed", 0), 0, 2**32),
    }
    return next((name for name, is_right in tests.items() if not is_right), None)


def _is_size(value: object) -> bool:
    if isinstance(value, dict):
        edges = [value.get("width", 512), value.get("height", 512)]
        return all(is_count(edge, 1, 14142) for edge in edges) and set(value) <= {"width", "height"}
    return value in _PRESETS


def _size(endpoint: str, body: dict[str, Any]) -> tuple[int, int]:
    if endpoint.endswith("ultra"):
        left, right = str(body.get("aspect_ratio", "16:9")).split(":")
        return by_area((int(left), int(right)), 4 * 1024 * 1024, 32)
    if endpoint.endswith("ideogram/v2"):
        return PIXELS[str(body.get("aspect_ratio", "1:1")).replace(":", "x")]
    is_square = "recraft" in endpoint or "sdxl" in endpoint or "ideogram" in endpoint
    wanted = body.get("image_size", "square_hd" if is_square else "landscape_4_3")
    if isinstance(wanted, dict):
        return (wanted.get("width", 512), wanted.get("height", 512))
    return _PRESETS[wanted]


def _job(exchange: Exchange, alias: str, job_id: str, step: str) -> Reply:
    job = exchange.book.jobs.get(job_id)
    if job is None or not job.call.model.startswith(alias[1:]):
        raise _refusal(404, "Request not found")
    exchange.call = None
    steps: dict[str, tuple[str, str, Callable[[Exchange, Job, str, str], Reply]]] = {
        "/status": ("GET", "status", _status),
        "/cancel": ("PUT", "cancel", _cancel),
        "": ("GET", "result", _result),
    }
    method, exchange.step, serve_step = steps[step]
    if exchange.method != method:
        raise _refusal(405, "Method Not Allowed")
    # The prompt is known by the job alone.
    exchange.call = job.call
    return serve_step(exchange, job, job_id, f"/fal{alias}/requests/{job_id}")


def _cancel(_: Exchange, job: Job, __: str, ___: str) -> Reply:
    if job.answer is not None:
        return Reply.json({"status": "ALREADY_COMPLETED"}, 400)
    return Reply.json({"status": "CANCELLATION_REQUESTED"}, 202)


def _status(exchange: Exchange, job: Job, job_id: str, root: str) -> Reply:
    job.polls += 1
    waits = job.polls <= (job.content.number if job.content.do == "pending" else 0)
    state: dict[str, Any] = {"request_id": job_id, **_links(exchange, root, job.content)}
    if waits:
        logs = [{"message": "x" * 200, "level": "INFO"} for _ in range(50 * job.polls)]
        state |= {"status": "IN_PROGRESS", "logs": logs}
        if job.polls == 1:
            state |= {"status": "IN_QUEUE", "queue_position": 3}
        return Reply.json(state, 202)
    state |= {"status": "COMPLETED", "logs": None, "metrics": {"inference_time": 0.4}}
    if _is_failed(job):
        state |= {"error": "Invalid status code: 422", "error_type": "value_error"}
    if job.content.do == "missing":
        return Reply.json({"status": "COMPLETED"})
    return Reply.json(state)


def _is_failed(job: Job) -> bool:
    return job.content.do == "policy" or "detail" in (job.answer or {})


def _result(exchange: Exchange, job: Job, job_id: str, _: str) -> Reply:
    call, content = job.call, job.content
    if content.do == "policy":
        problem = {"loc": ["body", "prompt"], "msg": "Flagged.", "type": "content_policy_violation"}
        return Reply.json({"detail": [problem]}, 422, x_fal_billable_units="0")
    if job.polls <= (content.number if content.do == "pending" else 0):
        return Reply.json({"detail": "Request is still in progress"}, 400)
    if job.answer is None:
        job.answer = _output(exchange, job)
    if "detail" in job.answer:
        return Reply.json(job.answer, 422, x_fal_billable_units="0")
    units = str(_units(call, job.size))
    return Reply.json(job.answer, 200, x_fal_request_id=job_id, x_fal_billable_units=units)


def _units(call: Call, size: tuple[int, int]) -> int:
    """Images, or megapixels rounded up."""
    per_megapixel = _ENDPOINTS[call.model][3]
    megapixels = math.ceil(size[0] * size[1] / 1_000_000 / 1.05)
    return call.paid * (megapixels if per_megapixel else 1)


def _output(exchange: Exchange, job: Job) -> dict[str, Any]:
    call, content = job.call, job.content
    images = draw(call, content, job.size, job.kind, int(call.body.get("num_images", 1)))
    flags = flagged(content, len(images))
    items: list[dict[str, Any]] = []
    for data in images:
        item: dict[str, Any] = {"url": exchange.file_url(data, job.kind, content)}
        extras: dict[str, Any] = {"content_type": f"image/{job.kind}", "file_name": None}
        extras |= {"width": job.size[0], "height": job.size[1], "file_size": len(data)}
        if content.do == "nulls":
            extras = dict.fromkeys(extras)
        items.append(item if content.do == "missing" else {**item, **extras})
    output: dict[str, Any] = {"images": items}
    if content.do == "missing":
        return output
    if "recraft" in call.model:
        return output
    output["seed"] = 42
    if _ENDPOINTS[call.model][2]:
        output |= {"timings": {}, "has_nsfw_concepts": flags, "prompt": call.prompt}
    if content.do == "nulls":
        return dict.fromkeys(output) | {"images": items}
    return output
