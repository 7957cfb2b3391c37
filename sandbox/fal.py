"""The fal queue: submit, status, result and cancel under `/fal/{owner}/{alias}`, result files.

As in the real queue, the status, result and cancel paths keep only owner and alias of the endpoint,
a body is validated by the run and not by submit, and a failed run is COMPLETED with the failure
as the answer of its result.
"""

import base64
import math
import random
import re
import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import gevent
import orjson

from sandbox.data_uris import decode_image
from sandbox.drawing import Picture
from sandbox.fal_endpoints import (
    ENDPOINTS,
    Endpoint,
    Inputs,
    problem,
    read_inputs,
    validate,
)
from sandbox.fal_errors import (
    REFUSAL,
    SUBMIT_STATUSES,
    check_key,
    failure,
    forced_submit,
    invalid,
    plain,
)
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

_APP: Final = re.compile(r"/([^/]+/[^/]+)(?=/|$)")
_REQUESTS: Final = re.compile(r"/[^/]+/[^/]+/requests/([^/]+)(?:/(status|status/stream|cancel))?")
_JOBS_KEPT: Final = 50_000
_STREAM_INTERVAL_S: Final = 0.1


@dataclass(slots=True)
class _Job:
    """One queued request; times are monotonic seconds."""

    request_id: str
    app: str
    path: str
    body: Mapping[str, Any]
    plan: Plan
    starts_at: float
    ends_at: float
    cancelled: bool = False
    polls: int = 0
    reads: int = 0
    answer: Response | None = None

    @property
    def status(self) -> str:
        """The state of the queue item now."""
        now = time.monotonic()
        if self.cancelled:
            return "COMPLETED"
        if now < self.starts_at:
            return "IN_QUEUE"
        return "IN_PROGRESS" if now < self.ends_at else "COMPLETED"


class Fal:
    """The emulated provider."""

    name = "fal"

    def __init__(self, faults: Faults, studio: Studio) -> None:
        self._faults = faults
        self._studio = studio
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._apps = frozenset("/".join(path.split("/")[:2]) for path in ENDPOINTS)

    def handle(self, request: Request) -> Response:
        """Route one call."""
        if request.path.startswith("/files/"):
            request.entry.operation = "file"
            return self._studio.serve(request.path.removeprefix("/files/"))
        app = _APP.match(request.path)
        if app is None:
            return plain(404, f"Path {request.path} not found")
        return check_key(request, app[1]) or self._route(request, app[1])

    def _route(self, request: Request, app: str) -> Response:
        match = _REQUESTS.fullmatch(request.path)
        if match is not None:
            return self._on_job(request, app, match[1], match[2] or "result")
        if request.method != "POST":
            return plain(405, "Method Not Allowed")
        if app not in self._apps:
            return plain(404, f'Application "{app.split("/")[1]}" not found')
        return self._submit(request, app)

    def _submit(self, request: Request, app: str) -> Response:
        request_id = str(uuid.uuid4())
        try:
            body = request.json()
        except ValueError:
            return plain(400, "Request body is not valid JSON", "bad_request")
        fields = body if isinstance(body, dict) else {}
        prompt = str(fields.get("prompt") or "")
        path = request.path.strip("/")
        request.note("generate", path, prompt, request_id)
        sent = decode_image(str(fields.get("image_url") or ""))
        request.note_files([sent] if sent else [])
        plan = self._faults.plan(self.name, prompt)
        if plan.hangs_at("submit"):
            hang()
        pause(float(plan.find("delay", at="submit") or 0))
        forced = forced_submit(plan, app)
        if forced is not None:
            return _with_id(forced, request_id)
        job = self._enqueue(request_id, app, path, fields, plan)
        ticket = {
            "status": "IN_QUEUE",
            **_links(request, job),
            "queue_position": 0,
            "logs": None,
            "metrics": {},
        }
        return _with_id(json_response(ticket), request_id)

    def _enqueue(
        self, request_id: str, app: str, path: str, body: Mapping[str, Any], plan: Plan
    ) -> _Job:
        settings = self._faults.settings(self.name)
        queue_s = float(plan.find("queue") or settings.queue_s)
        run_s = plan.delay_s or settings.run_s
        starts_at = math.inf if plan.hangs_at("queue") else time.monotonic() + queue_s
        ends_at = math.inf if plan.hangs_at("run") else starts_at + run_s
        job = _Job(request_id, app, path, body, plan, starts_at, ends_at)
        self._jobs[request_id] = job
        if len(self._jobs) > _JOBS_KEPT:
            self._jobs.popitem(last=False)
        return job

    def _on_job(self, request: Request, app: str, request_id: str, step: str) -> Response:
        job = self._jobs.get(request_id)
        if job is None or job.app != app:
            request.entry.operation = step
            if step == "cancel":
                return json_response({"status": "NOT_FOUND"}, status=404)
            return _with_id(plain(404, "Request not found"), request_id)
        request.note(step, job.path, str(job.body.get("prompt") or ""), request_id)
        if job.plan.hangs_at(step):
            hang()
        match request.method, step:
            case "GET", "status":
                response = self._status(request, job)
            case "GET", "status/stream":
                events = _status_events(request, job)
                response = Response(200, content_type="text/event-stream", stream=events)
            case "GET", "result":
                response = self._result(request, job)
            case "PUT", "cancel":
                response = _cancel(job)
            case _:
                response = plain(405, "Method Not Allowed")
        return _with_id(response, request_id)

    def _status(self, request: Request, job: _Job) -> Response:
        job.polls += 1
        forced = job.plan.find("status", at="status", hit=job.polls)
        if forced is not None:
            return failure(int(forced), job.plan)
        payload = _state(request, job)
        if job.status == "COMPLETED":
            answer = self._answer(request, job)
            payload["metrics"] = {"inference_time": round(job.ends_at - job.starts_at, 3)}
            error_type = answer.headers.get("x-fal-error-type")
            if error_type is not None:
                payload |= {
                    "error": f"Invalid status code: {answer.status}",
                    "error_type": error_type,
                }
        return json_response(payload, status=200 if job.status == "COMPLETED" else 202)

    def _result(self, request: Request, job: _Job) -> Response:
        job.reads += 1
        forced = job.plan.find("status", at="result", hit=job.reads)
        if forced is not None:
            return failure(int(forced), job.plan)
        if job.status != "COMPLETED":
            return plain(400, "Request is still in progress")
        answer = self._answer(request, job)
        return answer.dripped() if job.plan.find("drip") == "result" else answer

    def _answer(self, request: Request, job: _Job) -> Response:
        """The run's outcome, made once: every later read gives the same URLs."""
        if job.answer is None:
            job.answer = self._run(request, job)
        return job.answer

    def _run(self, request: Request, job: _Job) -> Response:
        if job.cancelled:
            return failure(499, job.plan)
        endpoint = ENDPOINTS.get(job.path)
        if endpoint is None:
            where = job.path.removeprefix(job.app) or "/"
            return plain(404, f"Path {where} not found", "bad_request")
        problems = validate(endpoint, job.body)
        if problems:
            return invalid(problems, units="0")
        inputs = read_inputs(endpoint, job.body)
        status = job.plan.find("status")
        if status is not None and status not in SUBMIT_STATUSES:
            return failure(int(status), job.plan)
        flagged = job.plan.find("nsfw") is not None
        refusal = job.plan.find("refuse") or ("output" if flagged else None)
        if refusal is not None and not (flagged and endpoint.flux_output):
            detail = problem("content_policy_violation", ["prompt"], REFUSAL, input=inputs.prompt)
            return invalid([detail], units=inputs.units if refusal == "output" else "0")
        return self._pictures(request, job, endpoint, inputs)

    def _pictures(
        self, request: Request, job: _Job, endpoint: Endpoint, inputs: Inputs
    ) -> Response:
        seed = inputs.seed if inputs.seed is not None else random.randrange(2**32)
        entropy = str(seed) if inputs.seed is not None else secrets.token_hex(8)
        flagged = job.plan.find("nsfw") is not None
        count = 0 if job.plan.find("empty") else inputs.images
        items = []
        for index in range(count):
            picture = Picture(
                caption=inputs.prompt,
                model=job.path,
                width=inputs.width,
                height=inputs.height,
                format=inputs.format,
                entropy=f"{entropy}/{index}",
                black=flagged,
                noise=self._faults.settings(self.name).noise,
                inputs=inputs.sent,
            )
            items.append(self._item(request, job, endpoint, inputs, picture))
        output: dict[str, object] = {"images": items}
        if endpoint.has_seed:
            output["seed"] = seed
        if endpoint.flux_output:
            output |= {
                "timings": {"inference": round(job.ends_at - job.starts_at, 3)},
                "has_nsfw_concepts": [flagged] * count,
                "prompt": inputs.prompt,
            }
        return json_response(output, headers={"x-fal-billable-units": inputs.units})

    def _item(
        self, request: Request, job: _Job, endpoint: Endpoint, inputs: Inputs, picture: Picture
    ) -> dict[str, object]:
        drawn = picture_for(job.plan, picture)
        if inputs.sync:
            data = base64.b64encode(self._studio.draw(drawn)).decode()
            url = f"data:{drawn.content_type};base64,{data}"
        else:
            url = f"{request.root}/files/{self._studio.publish(drawn, job.plan)}"
        item: dict[str, object] = {"url": url, "content_type": drawn.content_type}
        if endpoint.full_item:
            item |= {"file_name": url.rsplit("/", 1)[-1] if not inputs.sync else None}
            item |= {"file_size": None}
        if endpoint.flux_output:
            item |= {"width": inputs.width, "height": inputs.height}
        return item


def _with_id(response: Response, request_id: str) -> Response:
    return replace(response, headers={"x-fal-request-id": request_id, **response.headers})


def _links(request: Request, job: _Job) -> dict[str, object]:
    url = f"{request.root}/{job.app}/requests/{job.request_id}"
    return {
        "request_id": job.request_id,
        "response_url": url,
        "status_url": f"{url}/status",
        "cancel_url": f"{url}/cancel",
    }


def _state(request: Request, job: _Job) -> dict[str, object]:
    """The status body; the clients index `queue_position` and `logs`, so those are always there."""
    status = job.status
    payload = {"status": status, **_links(request, job)}
    if status == "IN_QUEUE":
        payload["queue_position"] = 0
    else:
        wanted = request.query.get("logs") in {"1", "true"}
        payload["logs"] = [_log_line(job)] if wanted else None
    return payload


def _log_line(job: _Job) -> dict[str, str]:
    return {
        "message": f"Running {job.path}",
        "level": "INFO",
        "source": "USER",
        "timestamp": iso_time(time.time() - (time.monotonic() - job.starts_at)),
    }


def _status_events(request: Request, job: _Job) -> Iterator[bytes]:
    while True:
        state = _state(request, job)
        yield b"data: %s\n\n" % orjson.dumps(state)
        if state["status"] == "COMPLETED":
            return
        gevent.sleep(_STREAM_INTERVAL_S)


def _cancel(job: _Job) -> Response:
    """Cancel a queued item; a running one goes on, as runners without cancellation do."""
    status = job.status
    if status == "COMPLETED":
        return json_response({"status": "ALREADY_COMPLETED"}, status=400)
    if status == "IN_QUEUE":
        job.cancelled = True
    return json_response({"status": "CANCELLATION_REQUESTED"}, status=202)
