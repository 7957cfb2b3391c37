"""What logs and traces say of a generation, wherever it is worked on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.conf import settings

from core.ids import request_id
from core.telemetry import context
from core.telemetry.spans import Span, SpanKind, entry_span, span
from gateway.providers.base import ProviderResult
from gateway.services.runs.jobs import Job

# The names of OpenTelemetry's conventions for generative models; all others are called as here.
_PROVIDERS: Final[Mapping[str, str]] = {
    "azure_openai": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "xai": "x_ai",
}


@contextmanager
def working_on_generation(
    name: str,
    generation_id: UUID,
    organization_id: UUID | None = None,
    *,
    traceparent: str = "",
    started_ns: int | None = None,
) -> Iterator[Span]:
    """Have every line and span name the generation, in the trace of its request."""
    public_id = request_id(generation_id)
    fields: dict[str, object] = {"request_id": public_id, "generation_id": generation_id}
    if organization_id is not None:
        fields["organization_id"] = organization_id
    headers = {"traceparent": traceparent} if traceparent else None
    with (
        context.working_on(**fields),
        entry_span(name, SpanKind.CONSUMER, headers=headers, started_ns=started_ns) as present,
    ):
        if present.trace_id:
            context.add(trace_id=present.trace_id)
            present.set("lienzo.request.id", public_id)
            present.set("lienzo.generation.id", str(generation_id))
            if organization_id is not None:
                present.set("lienzo.organization.id", str(organization_id))
        yield present


def call_span(job: Job) -> Span:
    """Return the span of a call to a provider, from its beginning to the last image's arrival."""
    attempt = job.attempt
    present = span(f"generate_content {attempt.upstream_model}", kind=SpanKind.CLIENT)
    if present.trace_id:
        is_vertex = attempt.provider == "gemini" and settings.GEMINI_VERTEX
        provider = "gcp.vertex_ai" if is_vertex else _PROVIDERS.get(attempt.provider)
        present.set("gen_ai.operation.name", "generate_content")
        present.set("gen_ai.output.type", "image")
        present.set("gen_ai.provider.name", provider or attempt.provider)
        present.set("gen_ai.request.model", attempt.upstream_model)
        present.set("gen_ai.request.choice.count", len(job.indexes))
        present.set("lienzo.attempt.id", str(attempt.id))
        present.set("lienzo.attempt.number", attempt.number)
        present.set("lienzo.sandboxed", attempt.is_sandboxed)
    return present


def note_result(present: Span, result: ProviderResult) -> None:
    """Add to the span of a call what came of it."""
    present.set("lienzo.images", len(result.images))
    present.set("lienzo.images.refused", result.refused)
    present.set("gen_ai.response.id", result.upstream_request_id)
    for name in ("input_tokens", "output_tokens"):
        count = (result.usage or {}).get(name)
        if isinstance(count, int):
            present.set(f"gen_ai.usage.{name}", count)
