"""xAI's image API: OpenAI's shapes, with aspect ratios in place of sizes."""

from collections.abc import Sequence
from typing import ClassVar

from core.http.uploads import Base64File, json_upload
from gateway.providers import xai_errors
from gateway.providers.base import Call, ImageRequest, InputImage, ProviderResult
from gateway.providers.errors import ProviderUnavailable
from gateway.providers.openai_images import Dialect, exchange

_DIALECT = Dialect(
    classify=xai_errors.classify,
    is_withheld=lambda item: item.get("respect_moderation") is False,
    refuses_by_empty_data=True,
)


class XAIAdapter:
    """One synchronous call per request; images come as base64, always JPEG."""

    name: ClassVar[str] = "xai"
    default_base_url: ClassVar[str] = "https://api.x.ai/v1"
    official_hosts: ClassVar[frozenset[str]] = frozenset({"api.x.ai", ".api.x.ai"})
    resumable: ClassVar[bool] = False

    def generate(self, call: Call) -> ProviderResult:
        """Make one upstream call and return its images.

        `billable_units` are US dollars: what the answer says it costs.

        Raises:
            ProviderError: One of its subclasses.
        """
        result = exchange(
            call,
            _DIALECT,
            path="images/edits" if call.request.inputs else "images/generations",
            key={"Authorization": f"Bearer {call.endpoint.api_key}"},
            body=build_body(call.request),
            encode=json_upload if call.request.inputs else None,
        )
        result.billable_units = xai_errors.billed_usd(result.usage)
        # It holds the cost and no tokens.
        result.usage = None
        for image in result.images:
            # Empty on the models that do not rewrite prompts.
            image.revised_prompt = image.revised_prompt or None
        return result

    def resume(self, call: Call, upstream_id: str) -> ProviderResult:
        """Refuse: the protocol has no jobs to come back to.

        Raises:
            ProviderUnavailable: Always, and `processed`.
        """
        raise ProviderUnavailable("an xAI call cannot be resumed", processed=True)


def build_body(request: ImageRequest) -> dict[str, object]:
    """Return the JSON body for a request; its images are read when it is sent.

    A field that a model does not know is an error there: `quality` is set only on routes with
    qualities. base64 saves a second fetch, by a URL whose life is not published.
    """
    body: dict[str, object] = {
        "model": request.upstream_model,
        "prompt": request.prompt,
        "n": request.n,
        "response_format": "b64_json",
        **(request.size_param or {}),
        "quality": request.quality,
        "user": request.user,
        **_images(request.inputs),
    }
    return {name: value for name, value in body.items() if value is not None} | dict(request.extra)


def _images(inputs: Sequence[InputImage]) -> dict[str, object]:
    """Return one image or several, each within the body."""
    images = [
        {"url": Base64File(image.source, image.content_type), "type": "image_url"}
        for image in inputs
    ]
    if len(images) == 1:
        return {"image": images[0]}
    return {"images": images} if images else {}
