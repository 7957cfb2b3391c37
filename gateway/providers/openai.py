"""The OpenAI Images API, and every server that speaks its protocol."""

from typing import ClassVar

from gateway.providers import openai_errors
from gateway.providers.base import Call, ProviderResult
from gateway.providers.errors import ProviderUnavailable
from gateway.providers.openai_images import Dialect, exchange
from gateway.providers.openai_requests import build_body, encoding_of, path_of

_DIALECT = Dialect(classify=openai_errors.classify, is_withheld=lambda _item: False)


class OpenAIAdapter:
    """One synchronous call per request; images come as base64, or as URLs from older servers."""

    name: ClassVar[str] = "openai"
    default_base_url: ClassVar[str] = "https://api.openai.com/v1"
    official_hosts: ClassVar[frozenset[str]] = frozenset(
        {"api.openai.com", "eu.api.openai.com", "us.api.openai.com"}
    )
    resumable: ClassVar[bool] = False

    def generate(self, call: Call) -> ProviderResult:
        """Make one upstream call and return its images.

        Raises:
            ProviderError: One of its subclasses.
        """
        return exchange(
            call,
            _DIALECT,
            path=path_of(call.request),
            key={"Authorization": f"Bearer {call.endpoint.api_key}"},
            body=build_body(call.request),
            encode=encoding_of(call.request),
        )

    def resume(self, call: Call, upstream_id: str) -> ProviderResult:
        """Refuse: the protocol has no jobs to come back to.

        Raises:
            ProviderUnavailable: Always, and `processed`.
        """
        raise ProviderUnavailable("an OpenAI call cannot be resumed", processed=True)
