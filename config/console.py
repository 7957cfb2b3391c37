"""Settings of the console that are worked out from others."""

from collections.abc import Sequence
from urllib.parse import urlsplit

SELF = "'self'"
NONE = "'none'"


def content_security_policy(
    *, image_sources: Sequence[str], form_targets: Sequence[str]
) -> dict[str, dict[str, list[str]]]:
    """Return what pages may load: files of ours alone, no inline script or style, no eval.

    Args:
        image_sources: URLs on whose origins generated images are.
        form_targets: URLs to whose origins a form of ours may lead by redirects.
    """
    return {
        "DIRECTIVES": {
            "default-src": [NONE],
            "script-src": [SELF],
            "style-src": [SELF],
            # `data:` is for the icons within Tabler's style sheet and the QR code of an app.
            "img-src": [SELF, "data:", "blob:", *_origins(image_sources)],
            "font-src": [SELF],
            "connect-src": [SELF],
            "form-action": [SELF, *_origins(form_targets)],
            "base-uri": [NONE],
            "frame-ancestors": [NONE],
        }
    }


def openid_connect(
    *, issuer_url: str, client_id: str, client_secret: str, name: str
) -> dict[str, dict[str, object]]:
    """Return allauth's settings of the one identity provider, or of none."""
    if not issuer_url:
        return {}
    application = {
        "provider_id": "sso",
        "name": name,
        "client_id": client_id,
        "secret": client_secret,
        "settings": {"server_url": issuer_url},
    }
    return {"openid_connect": {"APPS": [application], "OAUTH_PKCE_ENABLED": True}}


def _origins(urls: Sequence[str]) -> list[str]:
    """Return the distinct origins of those URLs that are not empty."""
    parts = [urlsplit(url) for url in urls if url]
    return list(dict.fromkeys(f"{one.scheme}://{one.netloc}" for one in parts))
