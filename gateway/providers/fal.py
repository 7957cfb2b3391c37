"""fal's queue API: submit a job, poll its status, collect its result, download the images."""

import time
from typing import ClassVar

from core.http.uploads import Base64File, json_upload
from gateway.providers import fal_errors, polling, wire
from gateway.providers.base import Call, ImageRequest, ProviderResult
from gateway.providers.fal_job import Job, endpoint_segments, send

_STYLED = ("fal-ai/recraft/", "fal-ai/ideogram/")


class FalAdapter:
    """Jobs of fal's queue; a job outlives this process and is picked up again by its id."""

    name: ClassVar[str] = "fal"
    default_base_url: ClassVar[str] = "https://queue.fal.run"
    official_hosts: ClassVar[frozenset[str]] = frozenset({"queue.fal.run", "fal.run"})
    resumable: ClassVar[bool] = True

    def generate(self, call: Call) -> ProviderResult:
        """Submit a job, wait for it and return its images.

        The queue's own retries stay on (no `X-Fal-No-Retry`): fal never bills a 5xx.

        Raises:
            ProviderError: One of its subclasses.
        """
        job = Job(call, _submit(call))
        try:
            call.on_submitted(job.upstream_id)
        except BaseException:
            # Nobody would ever collect a job whose id is not saved.
            job.cancel()
            raise
        return job.wait(first_poll_s=polling.first_pause_s(call.expected_s))

    def resume(self, call: Call, upstream_id: str) -> ProviderResult:
        """Wait for a job submitted earlier and return its images.

        Raises:
            ProviderError: As `generate`.
        """
        return Job(call, upstream_id).wait()


def _submit(call: Call) -> str:
    """Put the job into the queue and return the id it got, not checked yet."""
    path = "/".join(endpoint_segments(call.request.upstream_model))
    # A job that has not started by our deadline must not start, and cost, after it.
    start_s = max(2, int(call.deadline - time.monotonic()))
    with (
        wire.translated(),
        send(
            call,
            "POST",
            path,
            deadline=call.deadline,
            headers={"X-Fal-Request-Timeout": str(start_s)},
            upload=json_upload(build_body(call.request)),
        ) as answer,
    ):
        if answer.is_success:
            payload = answer.read_json(limit=wire.ERROR_BYTES_MAX)
            return wire.text(payload.get("request_id")) if isinstance(payload, dict) else ""
        refusal = wire.read_error_json(answer)
    raise fal_errors.classify(answer.status, answer.headers, refusal, submitted=False)


def build_body(request: ImageRequest) -> dict[str, object]:
    """Return the JSON body for a request.

    Endpoints ignore fields they do not know, but check the values of those they do: `style` goes
    only to the families that have styles, `quality` to the one that has speeds, and their words,
    not OpenAI's, must have been chosen by the route. An image to edit goes along as a `data:` URI.
    """
    model = request.upstream_model
    body: dict[str, object] = {
        "prompt": request.prompt,
        **(request.size_param or {}),
        # Single-image endpoints have no such field.
        "num_images": request.n if request.n > 1 else None,
        _format_field(model): request.output_format,
        "seed": request.seed,
        "style": request.style if model.startswith(_STYLED) else None,
    }
    if model.startswith("fal-ai/ideogram/v3"):
        body["rendering_speed"] = request.quality
    for image in request.inputs:
        body["image_url"] = Base64File(image.source, image.content_type)
    return {name: value for name, value in body.items() if value is not None} | dict(request.extra)


def _format_field(model: str) -> str:
    # fast-sdxl alone names it differently (generated types of the official client, read
    # 2026-11-21).
    return "format" if model == "fal-ai/fast-sdxl" else "output_format"
