"""An upstream of the tests' own: OpenAI's Images API and fal's queue, in a process by itself.

It keeps its jobs and a log of every call whatever happens to the product. Each image is noise of
its own, so that its SHA-256 tells where stored bytes came from. What a call does is said by its
prompt: `<delay=SECONDS>` before the image is ready, `<gate=NAME>` to wait until the gate is opened,
`<first-silent>` to accept the first call with this prompt and never answer it.

    GET  /control/calls        the log, as JSON
    POST /control/gates/NAME   open a gate
"""

import base64
import hashlib
import io
import json
import os
import re
import struct
import sys
import time
import uuid
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import gevent
from gevent.event import Event
from gevent.pywsgi import WSGIServer
from PIL import Image

Answer = tuple[int, str, bytes]
_DIRECTIVE = re.compile(r"<(delay|gate)=([^>]+)>")
_SILENT = "<first-silent>"
_SUBMIT = re.compile(r"/fal/([\w-]+/[\w.-]+(?:/[\w.-]+)*)")
_REQUEST = re.compile(r"/fal/[\w-]+/[\w.-]+/requests/([\w-]+)(/status|/cancel)?")
_OPENAI_FIELDS = {
    "dall-e-3": {"model", "prompt", "n", "size", "quality", "style", "response_format", "user"},
    "gpt-image": {
        *("model", "prompt", "n", "size", "quality", "background", "moderation"),
        *("output_format", "output_compression", "user"),
    },
}


@cache
def _noise_pixels(width: int, height: int) -> bytes:
    """Compressed rows of a palette image: 32-pixel tiles of random colors."""
    rows = []
    for top in range(0, height, 32):
        row = b"".join(bytes((value,)) * 32 for value in os.urandom(-(-width // 32)))[:width]
        rows += [b"\0" + row] * min(32, height - top)
    return zlib.compress(b"".join(rows))


def noise_png(width: int, height: int) -> bytes:
    """Return a PNG whose colors are random: unique, and cheap to make."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"PLTE", os.urandom(768))
        + chunk(b"IDAT", _noise_pixels(width, height))
        + chunk(b"IEND", b"")
    )


def noise_jpeg(width: int, height: int) -> bytes:
    """Return a JPEG of random tiles."""
    tiles = Image.frombytes("L", (16, 16), os.urandom(256))
    output = io.BytesIO()
    tiles.resize((width, height), Image.Resampling.NEAREST).convert("RGB").save(output, "JPEG")
    return output.getvalue()


class Job:
    """A job of the queue. The platform runs it whether or not anybody asks for it again."""

    def __init__(self, prompt: str, size: dict[str, int], wait: Callable[[str], None]) -> None:
        self.id = str(uuid.uuid4())
        self.prompt = prompt
        self.size = size
        self.data = b""
        self.is_canceled = False
        gevent.spawn(self._run, wait)

    def _run(self, wait: Callable[[str], None]) -> None:
        wait(self.prompt)
        self.data = noise_jpeg(self.size["width"], self.size["height"])


class Upstream:
    """The application: both protocols, the gates and the log."""

    def __init__(self) -> None:
        self.base_url = ""
        self.calls: list[dict[str, object]] = []
        self.gates: defaultdict[str, Event] = defaultdict(Event)
        self.jobs: dict[str, Job] = {}
        self.seen: Counter[str] = Counter()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        status, content_type, body = self._answer(environ)
        start_response(
            f"{status} X",
            [
                ("Content-Type", content_type),
                ("Content-Length", str(len(body))),
                ("X-Request-Id", f"req_{uuid.uuid4().hex}"),
            ],
        )
        return [body]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        path = environ["PATH_INFO"]
        if path == "/control/calls":
            return _json(200, self.calls)
        if path.startswith("/control/gates/"):
            self.gates[path.rpartition("/")[2]].set()
            return _json(200, {})
        if path.startswith("/files/"):
            return 200, "image/jpeg", self.jobs[path.split("/")[2].removesuffix(".jpg")].data
        body = environ["wsgi.input"].read()
        if path == "/openai/v1/images/generations":
            return self._openai(environ.get("HTTP_AUTHORIZATION", ""), json.loads(body))
        return self._fal(environ, path, body)

    def _openai(self, authorization: str, body: dict[str, Any]) -> Answer:
        if authorization != "Bearer openai-secret":
            return _json(401, {"error": {"message": "Bad key", "code": "invalid_api_key"}})
        return self._generate(body)

    def _fal(self, environ: dict[str, Any], path: str, body: bytes) -> Answer:
        method, authorization = environ["REQUEST_METHOD"], environ.get("HTTP_AUTHORIZATION", "")
        if authorization != "Key fal-id:fal-secret":
            return _json(401, {"detail": "Authentication is required"})
        if found := _REQUEST.fullmatch(path):
            return self._job(self.jobs.get(found[1]), found[2] or "")
        if method == "POST" and (found := _SUBMIT.fullmatch(path)):
            return self._submit(found[1], json.loads(body))
        return _json(404, {"detail": f"Path {path} not found"})

    def _generate(self, body: dict[str, Any]) -> Answer:
        family = "dall-e-3" if body["model"] == "dall-e-3" else "gpt-image"
        if unknown := set(body) - _OPENAI_FIELDS[family]:
            message = f"Unknown parameter: '{min(unknown)}'."
            error = {"message": message, "type": "invalid_request_error", "param": min(unknown)}
            return _json(400, {"error": {**error, "code": "unknown_parameter"}})
        call = self._log("openai", "generate", body["prompt"], model=body["model"])
        self._wait(body["prompt"])
        width, height = map(int, body["size"].split("x"))
        data = noise_png(width, height)
        call["sha256"] = hashlib.sha256(data).hexdigest()
        item = {"b64_json": base64.b64encode(data).decode()}
        if family == "dall-e-3":
            item["revised_prompt"] = body["prompt"]
        return _json(200, {"created": int(time.time()), "data": [item]})

    def _submit(self, endpoint: str, body: dict[str, Any]) -> Answer:
        size = body.get("image_size", {})
        if not isinstance(size, dict) or {"width", "height"} - set(size):
            return _json(422, {"detail": [{"loc": ["body", "image_size"], "type": "value_error"}]})
        job = Job(body["prompt"], size, self._wait)
        self.jobs[job.id] = job
        self._log("fal", "submit", job.prompt, model=endpoint, job=job.id)
        return _json(200, {**self._links(job), "status": "IN_QUEUE", "queue_position": 0})

    def _job(self, job: Job | None, what: str) -> Answer:
        if job is None:
            return _json(404, {"detail": "Request not found"})
        if what == "/cancel":
            self._log("fal", "cancel", job.prompt, job=job.id)
            job.is_canceled = True
            return _json(202, {"status": "CANCELLATION_REQUESTED"})
        if what == "/status":
            status = "COMPLETED" if job.data else "IN_PROGRESS"
            answer = {**self._links(job), "status": status, "logs": None, "metrics": {}}
            return _json(200 if job.data else 202, answer)
        if not job.data:
            return _json(400, {"detail": "Request is still in progress"})
        digest = hashlib.sha256(job.data).hexdigest()
        self._log("fal", "result", job.prompt, job=job.id, sha256=digest)
        image = {"url": f"{self.base_url}/files/{job.id}.jpg", "content_type": "image/jpeg"}
        return _json(
            200,
            {
                "images": [{**image, **job.size}],
                "seed": 1,
                "has_nsfw_concepts": [False],
                "prompt": job.prompt,
            },
        )

    def _links(self, job: Job) -> dict[str, object]:
        url = f"{self.base_url}/elsewhere/{job.id}"
        links = {"status_url": f"{url}/status", "cancel_url": f"{url}/cancel"}
        return {"request_id": job.id, "response_url": url, **links}

    def _wait(self, prompt: str) -> None:
        self.seen[prompt] += 1
        if _SILENT in prompt and self.seen[prompt] == 1:
            gevent.sleep(600)
        for name, value in _DIRECTIVE.findall(prompt):
            if name == "delay":
                gevent.sleep(float(value))
            else:
                self.gates[value].wait()

    def _log(self, protocol: str, step: str, prompt: str, **more: str) -> dict[str, object]:
        call: dict[str, object] = {"at": time.time(), "protocol": protocol, "step": step}
        call |= {"prompt": prompt, **more}
        self.calls.append(call)
        return call


def _json(status: int, value: object) -> Answer:
    return status, "application/json", json.dumps(value).encode()


def main() -> None:
    """Serve on a free port, which is printed, until standard input ends.

    The host of its address may not exist yet: then it listens on all there are.
    """
    [host] = sys.argv[1:] or ["127.0.0.1"]
    upstream = Upstream()
    server = WSGIServer(("127.0.0.1" if host == "127.0.0.1" else "", 0), upstream, log=None)
    server.start()
    upstream.base_url = f"http://{host}:{server.server_port}"
    print(upstream.base_url, flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.read)
    # Silent calls would keep an orderly stop waiting.
    os._exit(0)


if __name__ == "__main__":
    main()
