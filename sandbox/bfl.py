"""Black Forest Labs' API: submit a task, `GET /bfl/v1/get_result?id=`, credits, result files.

As on the real platform a body is checked by the submit, a failed or moderated task is told with
HTTP 200, and a file's URL is signed and expires. Whether an unknown task is 404 or 200 is not
documented; it is 404 here, with the same body.
"""

import math
import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sandbox.bfl_rules import MODELS, Inputs, InvalidInputError, read_inputs
from sandbox.drawing import Picture
from sandbox.faults import Faults, Plan, hang
from sandbox.server import (
    Request,
    Response,
    Studio,
    iso_time,
    json_response,
    pause,
    picture_for,
)

_FILES: Final = "/files/"
_URL_TTL_S: Final = 600.0  # "expire after 10 minutes", help.bfl.ai, read 2026-11-21
_TASKS_KEPT: Final = 50_000
_CREDITS: Final = 100_000.0
_SERVER_ERROR: Final = 500
_REASONS: Final = {
    "Request Moderated": ["Safety Filter"],
    "Content Moderated": ["Derivative Works Filter"],
}
_TEXTS: Final = {
    400: "Bad Request",
    401: "Not authenticated",
    402: "Insufficient credits",
    403: "Not authenticated",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too many active tasks",
    503: "Service Unavailable",
}


@dataclass(slots=True)
class _Task:
    """One accepted task; times are monotonic seconds."""

    task_id: str
    key: str
    model: str
    inputs: Inputs
    plan: Plan
    seed: int
    starts_at: float
    ends_at: float
    polls: int = 0
    samples: int = 0
    sample: str = ""
    sample_expires_at: float = -math.inf

    @property
    def is_active(self) -> bool:
        """Whether it counts against the key's limit of tasks at once."""
        return time.monotonic() < self.ends_at


class Bfl:
    """The emulated provider."""

    name = "bfl"

    def __init__(self, faults: Faults, studio: Studio) -> None:
        self._faults = faults
        self._studio = studio
        self._tasks: OrderedDict[str, _Task] = OrderedDict()

    def handle(self, request: Request) -> Response:
        """Route one call."""
        if request.path.startswith(_FILES):
            request.entry.operation = "file"
            return self._download(request)
        key = request.headers.get("x-key", "").strip()
        if not key or "bad" in key:
            return _error(403)
        return self._route(request, key)

    def _route(self, request: Request, key: str) -> Response:
        match request.method, request.path.removeprefix("/v1/"):
            case "GET", "get_result":
                return self._result(request)
            case "GET", "credits":
                return json_response({"credits": _CREDITS})
            case "POST", model if model in MODELS:
                return self._submit(request, model, key)
            case _, path:
                return _error(405 if path in {*MODELS, "get_result", "credits"} else 404)

    def _download(self, request: Request) -> Response:
        if not {"se", "sig"} <= set(request.query):
            return Response(403, b"<Error><Code>AuthenticationFailed</Code></Error>", "text/xml")
        return self._studio.serve(request.path.removeprefix(_FILES))

    def _submit(self, request: Request, model: str, key: str) -> Response:
        task_id = str(uuid.uuid4())
        try:
            body = request.json()
        except ValueError:
            problem = {"type": "json_invalid", "loc": ["body", 0], "msg": "JSON decode error"}
            return json_response({"detail": [problem]}, status=422)
        prompt = str(body.get("prompt") or "") if isinstance(body, dict) else ""
        request.note("generate", model, prompt, task_id)
        try:
            inputs = read_inputs(MODELS[model], body)
        except InvalidInputError as error:
            return json_response({"detail": error.problems}, status=422)
        request.note_files(inputs.images)
        plan = self._faults.plan(self.name, prompt)
        if plan.hangs_at("submit"):
            hang()
        pause(float(plan.find("delay", at="submit") or 0))
        forced = _forced_submit(plan)
        if forced is not None:
            return forced
        limit = self._faults.settings(self.name).in_flight
        active = sum(task.is_active for task in self._tasks.values() if task.key == key)
        if limit and active >= limit:
            return _error(429)
        task = self._accept(task_id, key, model, inputs, plan)
        return json_response(
            {
                "id": task_id,
                "polling_url": f"{request.root}/v1/get_result?id={task_id}",
                "cost": float(task.inputs.cost),
                "input_mp": inputs.input_megapixels,
                "output_mp": inputs.megapixels,
            }
        )

    def _accept(self, task_id: str, key: str, model: str, inputs: Inputs, plan: Plan) -> _Task:
        settings = self._faults.settings(self.name)
        starts_at = time.monotonic() + float(plan.find("queue") or settings.queue_s)
        hangs = plan.hangs_at("run") or plan.hangs_at("queue")
        ends_at = math.inf if hangs else starts_at + (plan.delay_s or settings.run_s)
        seed = secrets.randbelow(2**32) if inputs.seed is None else inputs.seed
        task = _Task(task_id, key, model, inputs, plan, seed, starts_at, ends_at)
        self._tasks[task_id] = task
        if len(self._tasks) > _TASKS_KEPT:
            self._tasks.popitem(last=False)
        return task

    def _result(self, request: Request) -> Response:
        task_id = request.query.get("id", "")
        task = self._tasks.get(task_id)
        if task is None:
            request.entry.operation = "status"
            return json_response(_state(task_id, "Task not found"), status=404)
        request.note("status", task.model, task.inputs.prompt, task_id)
        task.polls += 1
        if task.plan.hangs_at("status"):
            hang()
        forced = task.plan.find("status", at="status", hit=task.polls)
        if forced is not None:
            return _error(int(forced), plan=task.plan)
        response = json_response(self._state_of(request, task))
        return response.dripped() if task.plan.find("drip") == "result" else response

    def _state_of(self, request: Request, task: _Task) -> dict[str, object]:
        now = time.monotonic()
        if now < task.ends_at:
            run_s = task.ends_at - task.starts_at
            done = (now - task.starts_at) / run_s if run_s else 0.0
            progress = None if now < task.starts_at else round(done, 2)
            return _state(task.task_id, "Pending", progress=progress)
        word = _ending(task.plan)
        if word != "Ready":
            reasons = _REASONS.get(word)
            details = {"Moderation Reasons": reasons} if reasons else None
            return _state(task.task_id, word, details=details)
        if task.plan.find("empty"):
            return _state(task.task_id, word)
        finished = time.time() - (now - task.ends_at)
        result = {
            "sample": self._sample(request, task),
            "prompt": task.inputs.prompt,
            "seed": task.seed,
            "start_time": finished - (task.ends_at - task.starts_at),
            "end_time": finished,
            "duration": task.ends_at - task.starts_at,
        }
        return _state(task.task_id, word, result=result)

    def _sample(self, request: Request, task: _Task) -> str:
        """The signed URL of the image; a new one when the last has expired."""
        if time.monotonic() >= task.sample_expires_at:
            task.samples += 1
            expired = task.plan.find("expired", hit=task.samples) is not None
            ttl_s = -1.0 if expired else _URL_TTL_S
            task.sample_expires_at = time.monotonic() + ttl_s
            name = self._studio.publish(self._picture(task), task.plan, ttl_s=ttl_s)
            until = f"{iso_time(time.time() + ttl_s)[:19]}Z"
            signed = f"se={until}&sp=r&sig={secrets.token_hex(16)}"
            task.sample = f"{request.root}{_FILES}{name}?{signed}"
        return task.sample

    def _picture(self, task: _Task) -> Picture:
        inputs = task.inputs
        picture = Picture(
            caption=inputs.prompt,
            model=task.model,
            width=inputs.width,
            height=inputs.height,
            format=inputs.format,
            entropy=str(task.seed) if inputs.seed is not None else task.task_id,
            noise=self._faults.settings(self.name).noise,
            inputs=inputs.images,
        )
        return picture_for(task.plan, picture)


def _state(task_id: str, status: str, **fields: object) -> dict[str, object]:
    empty = {"result": None, "progress": None, "details": None, "preview": None}
    return {"id": task_id, "status": status, **empty, **fields}


def _ending(plan: Plan) -> str:
    """How a task ends: its own failure, what its moderation says, else Ready."""
    if plan.find("status") is not None:
        return "Error"
    refusal = plan.find("refuse")
    if plan.find("nsfw") or refusal == "output":
        return "Content Moderated"
    return "Request Moderated" if refusal else "Ready"


def _forced_submit(plan: Plan) -> Response | None:
    """What directives make the submit answer; a usual 5xx is the task's own failure instead."""
    if plan.find("unfunded"):
        return _error(402)
    status = plan.find("status", at="submit")
    usual = plan.find("status")
    if status is None and usual is not None and int(usual) < _SERVER_ERROR:
        status = usual
    return None if status is None else _error(int(status), plan=plan)


def _error(status: int, *, plan: Plan | None = None) -> Response:
    detail: object = _TEXTS.get(status, "Internal Server Error")
    if status == 422:  # noqa: PLR2004 - FastAPI's status of an invalid body
        detail = [{"type": "value_error", "loc": ["body", "prompt"], "msg": "Value error"}]
    response = json_response({"detail": detail}, status=status)
    seconds = plan.find("retry_after") if plan else None
    headers: Mapping[str, str] = {} if seconds is None else {"retry-after": seconds}
    return replace(response, headers=headers)
