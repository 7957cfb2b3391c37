"""Failures of Azure OpenAI: OpenAI's, and those of Azure's own content filter and front door.

Source: Microsoft's reference and answers quoted in public issues, read 2026-11-21.
"""

from collections.abc import Mapping

from gateway.providers import openai_errors
from gateway.providers.errors import ContentRefused, ModelRetired, ProviderError
from gateway.providers.wire import text

_FILTERED = frozenset({"contentFilter", "content_filter", "ResponsibleAIPolicyViolation"})
_NOT_FOUND = 404
_REDIRECT = 300


def classify(
    status: int, headers: Mapping[str, str], payload: Mapping[str, object]
) -> ProviderError:
    """Return the error that a failed answer means.

    The code and the inner code decide, never the words: a 403 for a resource that Azure has blocked
    speaks of the content policy too, but refuses every prompt.

    Args:
        status: HTTP status; 200 too, where the content filter stopped the work.
        headers: Of the answer.
        payload: The JSON body, {} where it was none.
    """
    found = openai_errors.classify(status, headers, payload)
    error = payload.get("error")
    fields = error if isinstance(error, dict) else {}
    codes = [text(fields.get("code")), _inner_code(fields)]
    if not isinstance(found, ContentRefused) and not _FILTERED.isdisjoint(codes):
        found = ContentRefused(
            found.message,
            code="content_policy_violation",
            upstream_code=found.upstream_code,
            processed=status < _REDIRECT,
        )
    elif status == _NOT_FOUND:
        # No deployment of this name, or a resource or version of the API without images.
        found = ModelRetired(found.message, upstream_code=found.upstream_code)
    found.upstream_status = status
    return found


def is_withheld(item: Mapping[str, object]) -> bool:
    """Return whether an item has no image because a content filter kept it."""
    if item.get("b64_json") or item.get("url"):
        return False
    reports = (item.get("content_filter_results"), item.get("prompt_filter_results"))
    return any(
        isinstance(finding, dict) and finding.get("filtered") is True
        for report in reports
        if isinstance(report, dict)
        for finding in report.values()
    )


def _inner_code(fields: Mapping[str, object]) -> str:
    # Spelled with and without the underscore.
    inner = fields.get("inner_error") or fields.get("innererror")
    return text(inner.get("code")) if isinstance(inner, dict) else ""
