"""The adapters there are. A provider is added here and nowhere else in code."""

import functools

from gateway.providers.azure_openai import AzureOpenAIAdapter
from gateway.providers.base import Adapter
from gateway.providers.bfl import BflAdapter
from gateway.providers.fal import FalAdapter
from gateway.providers.gemini import GeminiAdapter
from gateway.providers.ideogram import IdeogramAdapter
from gateway.providers.openai import OpenAIAdapter
from gateway.providers.stability import StabilityAdapter
from gateway.providers.xai import XAIAdapter

_ADAPTERS = (
    OpenAIAdapter,
    AzureOpenAIAdapter,
    GeminiAdapter,
    XAIAdapter,
    FalAdapter,
    BflAdapter,
    StabilityAdapter,
    IdeogramAdapter,
)

PROVIDERS: tuple[str, ...] = tuple(adapter.name for adapter in _ADAPTERS)


@functools.cache
def adapter_for(provider: str) -> Adapter:
    """Return the one adapter of a provider.

    Raises:
        LookupError: There is none.
    """
    for adapter in _ADAPTERS:
        if adapter.name == provider:
            return adapter()
    raise LookupError(f"no adapter for provider {provider!r}")


def is_official(provider: str, host: str | None) -> bool:
    """Return whether a host is one of the provider's own, where its retirement dates apply."""
    if host is None:
        return False
    own = adapter_for(provider).official_hosts
    return host in own or any(name.startswith(".") and host.endswith(name) for name in own)


def default_base_url(provider: str) -> str:
    """Return where the provider itself listens; "" if it has an address for each customer."""
    return adapter_for(provider).default_base_url
