"""OpenAI's models as deployments of an Azure resource.

Against OpenAI's own API: the model is a deployment in the path, the key has a header of its own,
and the version of the API is a date in the query (captured from the official client, and read in
Microsoft's reference, 2026-11-21).
"""

import re
from typing import ClassVar
from urllib.parse import quote

from gateway.providers import azure_openai_errors
from gateway.providers.base import Call, ProviderResult
from gateway.providers.errors import ModelRetired, ProviderUnavailable
from gateway.providers.openai_images import Dialect, exchange
from gateway.providers.openai_requests import build_body, encoding_of, path_of

# The first version that serves GPT image models; dall-e-3 answers to it as well.
_API_VERSION = "2025-04-01-preview"
_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DIALECT = Dialect(
    classify=azure_openai_errors.classify,
    is_withheld=azure_openai_errors.is_withheld,
    request_id_header="apim-request-id",
)


class AzureOpenAIAdapter:
    """One synchronous call per request, to the deployment that has the upstream model's name."""

    name: ClassVar[str] = "azure_openai"
    # A base URL names a customer's resource, so there is none to fall back on.
    default_base_url: ClassVar[str] = ""
    official_hosts: ClassVar[frozenset[str]] = frozenset(
        {".openai.azure.com", ".cognitiveservices.azure.com"}
    )
    resumable: ClassVar[bool] = False

    def generate(self, call: Call) -> ProviderResult:
        """Make one upstream call and return its images.

        Raises:
            ProviderError: One of its subclasses.
        """
        deployment = call.request.upstream_model
        if not _DEPLOYMENT.fullmatch(deployment):
            raise ModelRetired("the deployment's name is not valid")
        version = call.endpoint.options.get("api_version") or _API_VERSION
        body = build_body(call.request)
        # The path names it already, and deployments of gpt-image-2 are said to refuse the field.
        body.pop("model", None)
        return exchange(
            call,
            _DIALECT,
            path=(
                f"openai/deployments/{quote(deployment, safe='')}/{path_of(call.request)}"
                f"?api-version={quote(version, safe='')}"
            ),
            key={"api-key": call.endpoint.api_key},
            body=body,
            encode=encoding_of(call.request),
        )

    def resume(self, call: Call, upstream_id: str) -> ProviderResult:
        """Refuse: the protocol has no jobs to come back to.

        Raises:
            ProviderUnavailable: Always, and `processed`.
        """
        raise ProviderUnavailable("an Azure OpenAI call cannot be resumed", processed=True)
