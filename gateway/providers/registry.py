"""The adapters there are. A provider is added here and nowhere else in code."""

import functools

from gateway.providers.base import Adapter
from gateway.providers.fal import FalAdapter
from gateway.providers.openai import OpenAIAdapter

_ADAPTERS = (OpenAIAdapter, FalAdapter)

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


def official_hosts(provider: str) -> frozenset[str]:
    """Return the provider's own hosts, where its retirement dates apply."""
    return adapter_for(provider).official_hosts


def default_base_url(provider: str) -> str:
    """Return where the provider itself listens."""
    return adapter_for(provider).default_base_url
