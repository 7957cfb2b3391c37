"""An upstream of the tests' own: OpenAI's, fal's and Ideogram's protocols, with unique noise.

``python -m tests.upstream --fd N`` serves on an inherited listening socket. It shares nothing with
the product. Rules, set by prompt, make it fail, wait or send other bytes; the log says what came in
and which images (by SHA-256) went out.
"""

import base64
import hashlib
import json
import re
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from tests.pictures import noise, read_form

OPENAI_KEY = "sk-upstream"
FAL_KEY = "upstream-id:upstream-secret"
IDEOGRAM_KEY = "ideogram-upstream"
_HOLD_S_MAX = 120.0
_DALL_E_FIELDS = {"model", "prompt", "n", "size", "quality", "style", "response_format", "user"}
_GPT_FIELDS = {
    *("model", "prompt", "n", "size", "quality", "background", "moderation", "output_format"),
    *("output_compression", "stream", "partial_images", "user", "safety_identifier"),
}
_EDIT_FIELDS = {"files", "input_fidelity"}
_FORM_PATHS = ("/openai/v1/images/edits", "/openai/v1/images/variations")
_FAL_JOB = re.compile(r"/fal/([\w-]+/[\w.-]+)/requests/([0-9a-f-]{36})(/status|/cancel)?")


@dataclass
class Rule:
    """What happens to the calls whose prompt contains a text.

    ``times`` is how many calls it applies to; ``hold`` keeps answers back until the release;
    ``send`` is ``truncated``, ``html``, ``nothing`` or a size such as ``640x640``; ``flagged`` of
    the images are withheld, ``count`` of them are made whatever was asked for. A stream is held, or
    fails with ``status`` or by ``send`` ``cut``, after so many partial images.
    ``provider`` limits the rule to the calls of one.
    """

    contains: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None
    send: str = ""
    hold: bool = False
    times: int = 1_000_000
    flagged: int = 0
    count: int = 0
    provider: str = ""
    after: int = 0

    def applies(self, provider: str, prompt: str) -> bool:
        return self.times > 0 and self.contains in prompt and self.provider in {"", provider}


@dataclass
class Call:
    """One generation call; ``sha256`` lists the images it was answered with.

    ``partials`` lists the partial images, each with the time it was sent.
    """

    provider: str
    prompt: str
    model: str
    body: dict[str, object]
    headers: dict[str, str]
    status: int | None = None
    sha256: list[str] = field(default_factory=list)
    partials: list[tuple[str, float]] = field(default_factory=list)


@dataclass
class _Job:
    call: Call
    rule: Rule
    images: list[bytes] | None = None


class Book:
    """Rules, log, jobs and files of one server."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rules: list[Rule] = []
        self._released: set[str] = set()
        self.calls: list[Call] = []
        self.jobs: dict[str, _Job] = {}
        self.files: dict[str, bytes] = {}

    def add_rule(self, rule: Rule) -> None:
        with self._changed:
            self._rules.append(rule)

    def take_rule(self, provider: str, prompt: str) -> Rule:
        """Return the first rule that applies and has times left, used up by one."""
        with self._changed:
            for rule in self._rules:
                if rule.applies(provider, prompt):
                    rule.times -= 1
                    return rule
        return Rule("")

    def release(self, contains: str) -> None:
        with self._changed:
            self._released.add(contains)
            self._changed.notify_all()

    def is_held(self, rule: Rule) -> bool:
        return rule.hold and not {rule.contains, ""} & self._released

    def wait_for_release(self, rule: Rule) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self.is_held(rule), timeout=_HOLD_S_MAX)

    def found(self, contains: str) -> list[dict[str, Any]]:
        return [asdict(call) for call in list(self.calls) if contains in call.prompt]


def _draw(rule: Rule, size: tuple[int, int], kind: str, count: int) -> list[bytes]:
    if rule.send == "nothing":
        return []
    if rule.send == "html":
        return [b"<html><body>Bad gateway</body></html>"] * count
    width, height = map(int, rule.send.split("x")) if rule.send[:1].isdigit() else size
    images = [noise(width, height, kind) for _ in range(rule.count or count)]
    return [data[: len(data) // 2] for data in images] if rule.send == "truncated" else images


def _usage(output_tokens: int) -> dict[str, object]:
    return {
        "input_tokens": 12,
        "input_tokens_details": {"text_tokens": 12, "image_tokens": 0},
        "output_tokens": output_tokens,
        "total_tokens": 12 + output_tokens,
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    book: ClassVar[Book]

    def _serve(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path.startswith("/_"):
            self._control(path, sent)
        elif path == "/openai/v1/images/generations" and self.command == "POST":
            self._openai(json.loads(sent))
        elif path in _FORM_PATHS and self.command == "POST":
            self._openai(read_form(self.headers["Content-Type"], sent))
        elif path == "/ideogram/generate" and self.command == "POST":
            self._ideogram(json.loads(sent)["image_request"])
        elif path.startswith("/files/"):
            data = self.book.files.get(path)
            kind = "image/jpeg" if path.endswith("jpeg") else "image/png"
            self._reply(200 if data is not None else 404, data or b"", {"Content-Type": kind})
        elif job := _FAL_JOB.fullmatch(path):
            self._fal_job(*job.groups())
        elif path.startswith("/fal/") and self.command == "POST":
            self._fal_submit(path.removeprefix("/fal/"), json.loads(sent))
        else:
            self._reply(404, {"detail": f"Path {path} not found"})

    do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the names http.server calls

    def _control(self, path: str, sent: bytes) -> None:
        query = parse_qs(urlsplit(self.path).query)
        contains = query.get("contains", [""])[0]
        if path == "/_rules":
            self.book.add_rule(Rule(**json.loads(sent)))
        elif path == "/_release":
            self.book.release(contains)
        self._reply(200, self.book.found(contains) if path == "/_calls" else {})

    def _begin(self, provider: str, model: str, body: dict[str, Any]) -> tuple[Call, Rule]:
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(provider, body.get("prompt", ""), model, body, headers)
        self.book.calls.append(call)
        return call, self.book.take_rule(provider, call.prompt)

    def _openai(self, body: dict[str, Any]) -> None:
        call, rule = self._begin("openai", body.get("model", "dall-e-2"), body)
        is_dall_e = call.model.startswith("dall-e")
        known = _DALL_E_FIELDS if is_dall_e else _GPT_FIELDS
        unknown = set(body) - (known | _EDIT_FIELDS if "files" in body else known)
        if body.get("stream") and not is_dall_e:
            self._openai_events(call, rule)
            return
        self.book.wait_for_release(rule)
        if self.headers.get("Authorization") != f"Bearer {OPENAI_KEY}":
            self._openai_error(call, 401, "Incorrect API key provided.", "invalid_api_key")
        elif rule.status:
            call.status = rule.status
            failure = {"message": "Failed.", "type": "server_error", "param": None, "code": None}
            self._reply(rule.status, rule.body or {"error": failure}, rule.headers)
        elif unknown:
            name = min(unknown)
            self._openai_error(call, 400, f"Unknown parameter: '{name}'.", "unknown_parameter")
        else:
            self._openai_images(call, rule, is_dall_e=is_dall_e)

    def _openai_events(self, call: Call, rule: Rule) -> None:
        """Send a stream of events, which the end of the connection ends."""
        call.status = 200
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("x-request-id", f"req_{uuid4().hex}")
        self.end_headers()
        kind, asked = str(call.body["output_format"]), int(str(call.body["partial_images"]))
        width, height = map(int, str(call.body["size"]).split("x"))
        for index, data in enumerate(_draw(rule, (width, height), kind, asked + 1)):
            if index == rule.after:
                self.book.wait_for_release(rule)
                if rule.send == "cut":
                    return
                if rule.status:
                    failure = {"message": "Failed.", "type": "server_error", "code": None}
                    self._event("error", {**(rule.body or {"error": failure})})  # type: ignore[dict-item]  # a rule's body is JSON
                    return
            is_last = index == asked
            event: dict[str, object] = {"b64_json": base64.b64encode(data).decode()}
            digest = hashlib.sha256(data).hexdigest()
            if is_last:
                call.sha256 = [digest]
                event["usage"] = _usage(1056 + 100 * asked)
            else:
                call.partials.append((digest, time.time()))
                event["partial_image_index"] = index
            what = "image_edit" if "files" in call.body else "image_generation"
            self._event(f"{what}.{'completed' if is_last else 'partial_image'}", event)

    def _event(self, name: str, fields: dict[str, object]) -> None:
        data = json.dumps({"type": name, "created_at": int(time.time()), **fields})
        self.wfile.write(f"event: {name}\ndata: {data}\n\n".encode())
        self.wfile.flush()

    def _openai_error(self, call: Call, status: int, message: str, code: str) -> None:
        call.status = status
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        self._reply(status, {"error": error})

    def _openai_images(self, call: Call, rule: Rule, *, is_dall_e: bool) -> None:
        body = call.body
        text = str(body.get("size", "1024x1024")).replace("auto", "1024x1024")
        width, height = map(int, text.split("x"))
        kind = str(body.get("output_format", "png"))
        images = _draw(rule, (width, height), kind, int(str(body.get("n", 1))))
        call.status, call.sha256 = 200, [hashlib.sha256(data).hexdigest() for data in images]
        items: list[dict[str, str]] = []
        for data in images:
            if is_dall_e and body.get("response_format", "url") == "url":
                items.append({"url": self._publish(data, kind)})
            else:
                items.append({"b64_json": base64.b64encode(data).decode()})
            if call.model == "dall-e-3":
                items[-1]["revised_prompt"] = f"Revised: {call.prompt}"
        answer: dict[str, object] = {"created": int(time.time()), "data": items}
        if not is_dall_e:
            answer |= {
                "background": body.get("background", "opaque"),
                "output_format": kind,
                "quality": body.get("quality", "medium"),
                "size": text,
                "usage": _usage(1056),
            }
        self._reply(200, answer, {"x-request-id": f"req_{uuid4().hex}"})

    def _fal_submit(self, endpoint: str, body: dict[str, Any]) -> None:
        call, rule = self._begin("fal", endpoint, body)
        if self.headers.get("Authorization") != f"Key {FAL_KEY}":
            call.status = 401
            self._reply(401, {"detail": "Cannot access application. Authentication is required."})
            return
        job = str(uuid4())
        self.book.jobs[job] = _Job(call, rule)
        owner_alias = "/".join(endpoint.split("/")[:2])
        # As the real queue answers; who follows these with a key sends it to another host.
        root = f"https://queue.fal.run/{owner_alias}/requests/{job}"
        links = {"response_url": root, "status_url": f"{root}/status", "cancel_url": root}
        queued = {"status": "IN_QUEUE", "request_id": job, "queue_position": 0, "logs": None}
        self._reply(200, {**queued, **links}, {"x-fal-request-id": job})

    def _fal_job(self, _endpoint: str, job_id: str, step: str | None) -> None:
        job = self.book.jobs.get(job_id)
        if job is None:
            self._reply(404, {"detail": "Request not found"})
        elif step == "/cancel":
            self._reply(202, {"status": "CANCELLATION_REQUESTED"})
        elif step == "/status":
            waits = self.book.is_held(job.rule)
            status = "IN_PROGRESS" if waits else "COMPLETED"
            state: dict[str, object] = {
                "status": status,
                "request_id": job_id,
                "logs": None,
                "metrics": {},
            }
            failed = {"error": "Failed."} if job.rule.status and not waits else {}
            self._reply(202 if waits else 200, {**state, **failed})
        else:
            self._fal_result(job, job_id)

    def _fal_result(self, job: _Job, job_id: str) -> None:
        units = str(job.call.body.get("num_images", 1))
        headers = {"x-fal-request-id": job_id, "x-fal-billable-units": units, **job.rule.headers}
        if job.rule.status:
            job.call.status = job.rule.status
            self._reply(job.rule.status, job.rule.body or {"detail": "Failed."}, headers)
            return
        size = job.call.body.get("image_size")
        square = job.call.body.get("aspect_ratio") == "1:1"
        preset = {"width": 1024, "height": 1024 if square else 768}
        edges = size if isinstance(size, dict) else preset
        kind = str(job.call.body.get("output_format", "jpeg"))
        if job.images is None:
            count = int(str(job.call.body.get("num_images", 1)))
            job.images = _draw(job.rule, (edges["width"], edges["height"]), kind, count)
            job.call.sha256 = [hashlib.sha256(data).hexdigest() for data in job.images]
        job.call.status = 200
        images = [
            {"url": self._publish(data, kind), "content_type": f"image/{kind}", **edges}
            for data in job.images
        ]
        flags = [index < job.rule.flagged for index in range(len(images))]
        answer = {"images": images, "timings": {}, "seed": 7, "has_nsfw_concepts": flags}
        self._reply(200, {**answer, "prompt": job.call.prompt}, headers)

    def _ideogram(self, body: dict[str, Any]) -> None:
        call, rule = self._begin("ideogram", body["model"], body)
        self.book.wait_for_release(rule)
        if self.headers.get("Api-Key") != IDEOGRAM_KEY:
            call.status = 401
            self._reply(401, {"error": "Unauthorized"})
            return
        if rule.status:
            call.status = rule.status
            self._reply(rule.status, rule.body or {"error": "Failed."}, rule.headers)
            return
        width, height = map(int, body["resolution"].removeprefix("RESOLUTION_").split("_"))
        images = _draw(rule, (width, height), "png", body.get("num_images", 1))
        call.status, call.sha256 = 200, [hashlib.sha256(data).hexdigest() for data in images]
        items = []
        for index, data in enumerate(images):
            is_safe = index >= rule.flagged
            url = self._publish(data, "png") if is_safe else None
            items.append({"url": url, "is_image_safe": is_safe, "prompt": call.prompt, "seed": 7})
        self._reply(200, {"created": "2026-11-21T10:00:00.000000+00:00", "data": items})

    def _publish(self, data: bytes, kind: str) -> str:
        path = f"/files/{uuid4().hex}.{kind}"
        self.book.files[path] = data
        return f"http://{self.headers['Host']}{path}"

    def _reply(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        for name, value in {**sent, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the log for failures."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def main(arguments: list[str]) -> None:
    """Serve until killed."""
    listener = socket.socket(fileno=int(arguments[arguments.index("--fd") + 1]))
    _Handler.book = Book()
    server = _Server(listener.getsockname(), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
