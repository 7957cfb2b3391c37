"""How providers are set up on this server; their keys are never told."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from gateway.providers.registry import PROVIDERS, default_base_url
from gateway.services.routing import real_endpoints, sandbox_endpoints

REAL: Final = "real"
SANDBOX: Final = "sandbox"
NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True)
class ProviderSetup:
    """What this process was told of a provider.

    Attributes:
        has_key: Whether a credential is set.
        host: Where it is called, or would be; empty where nothing is known.
        is_official: Whether that is the provider's own host.
        served_by: `real`; `sandbox` where that draws for demo organizations instead; or `nobody`.
    """

    provider: str
    has_key: bool
    host: str
    is_official: bool
    served_by: str


def list_setups() -> list[ProviderSetup]:
    """Return how each provider that has an adapter is set up, without a query."""
    return [_setup(provider) for provider in sorted(PROVIDERS)]


def _setup(provider: str) -> ProviderSetup:
    given = settings.PROVIDER_ENDPOINTS.get(provider, {})
    endpoint = real_endpoints().get(provider)
    base_url = given.get("base_url") or default_base_url(provider) or ""
    served_by = NOBODY
    if endpoint is not None:
        served_by = REAL
    elif sandbox_endpoints() and settings.LIENZO_SANDBOX == "auto":
        served_by = SANDBOX
    return ProviderSetup(
        provider=provider,
        has_key=bool(given.get("api_key")),
        host=urlsplit(base_url).hostname or "",
        is_official=endpoint is not None and endpoint.official,
        served_by=served_by,
    )
