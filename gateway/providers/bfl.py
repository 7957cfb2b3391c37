"""Black Forest Labs: submit a task, poll it, download its image from a URL that soon expires."""

import re
from decimal import Decimal
from typing import ClassVar

from core.http.uploads import Base64File, json_upload
from gateway.providers import bfl_errors, polling, wire
from gateway.providers.base import Call, ImageRequest, ProviderResult
from gateway.providers.bfl_job import Job, credits_of, send, upstream_id
from gateway.providers.errors import ModelRetired

_MODEL = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
# The scale ends at 6, or 5 with FLUX.2; 2 is the default (docs.bfl.ai, read 2026-11-21).
_TOLERANCE = {"low": 5}


class BflAdapter:
    """Tasks of one image each; a task outlives this process and is picked up again by its id."""

    name: ClassVar[str] = "bfl"
    default_base_url: ClassVar[str] = "https://api.bfl.ai"
    official_hosts: ClassVar[frozenset[str]] = frozenset(
        {
            "api.bfl.ai",
            "api.eu.bfl.ai",
            "api.us.bfl.ai",
            "api.eu1.bfl.ai",
            "api.us1.bfl.ai",
            "api.bfl.ml",
        }
    )
    resumable: ClassVar[bool] = True

    def generate(self, call: Call) -> ProviderResult:
        """Submit a task, wait for it and return its image.

        Raises:
            ProviderError: One of its subclasses.
        """
        saved_id, charged = _submit(call)
        call.on_submitted(saved_id)
        first_poll_s = polling.first_pause_s(call.expected_s)
        return Job(call, saved_id, charged=charged).wait(first_poll_s=first_poll_s)

    def resume(self, call: Call, upstream_id: str) -> ProviderResult:
        """Wait for a task submitted earlier and return its image.

        Raises:
            ProviderError: As `generate`.
        """
        return Job(call, upstream_id).wait()


def _submit(call: Call) -> tuple[str, Decimal | None]:
    """Hand the task in; return the id to save and what it will cost in credits, if that is said."""
    model = call.request.upstream_model
    if not _MODEL.fullmatch(model):
        raise ModelRetired("the model's name is not valid")
    url = f"{call.endpoint.base_url.rstrip('/')}/v1/{model}"
    with (
        wire.translated(),
        send(
            call,
            "POST",
            url,
            deadline=call.deadline,
            upload=json_upload(build_body(call.request)),
        ) as answer,
    ):
        if answer.is_success:
            payload = answer.read_json(limit=wire.ERROR_BYTES_MAX)
            ticket = payload if isinstance(payload, dict) else {}
            return upstream_id(call.endpoint, ticket), credits_of(ticket)
        refusal = wire.read_error_json(answer)
    raise bfl_errors.classify(answer.status, answer.headers, refusal, submitted=False)


def build_body(request: ImageRequest) -> dict[str, object]:
    """Return the JSON body for a request; `n` has no field, a task is one image.

    Images to edit go along in base64, each in a field of its own.
    """
    body: dict[str, object] = {
        "prompt": request.prompt,
        **(request.size_param or {}),
        "seed": request.seed,
        "output_format": request.output_format,
        "safety_tolerance": _TOLERANCE.get(request.moderation or ""),
    }
    if request.inputs and request.upstream_model.startswith("flux-kontext-"):
        # Its scale ends at the default where it edits.
        body["safety_tolerance"] = None
    for number, image in enumerate(request.inputs, start=1):
        name = "input_image" if number == 1 else f"input_image_{number}"
        body[name] = Base64File(image.source)
    return {name: value for name, value in body.items() if value is not None} | dict(request.extra)
