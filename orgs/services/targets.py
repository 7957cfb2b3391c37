"""Where webhooks may be sent: to public addresses, and to what the operator exempts."""

import re
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings

from core.http.client import HttpClient, parse_target
from core.http.deadline import within
from core.http.errors import HttpError, InvalidTarget, TargetRefused
from core.http.guard import Guard
from orgs.errors import InvalidInputError

URL_MAX_LENGTH: Final = 2048
LOOKUP_S: Final = 3.0
_PORTS: Final = {"http": 80, "https": 443}
# Names of machines beside us, which need not be known here for being one.
_LOCAL_NAMES: Final = re.compile(
    r"(?:^|\.)(?:localhost|localdomain|local|internal|intranet|home\.arpa)\.?$", re.IGNORECASE
)
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\]")


def check_url(url: str) -> None:
    """Refuse a URL that webhooks may not be sent to.

    Looks the host up, for `LOOKUP_S` at most, so no connection or transaction may be held. A host
    that has no address yet is accepted: each delivery looks again.

    Raises:
        InvalidInputError: Not a URL, not https, or an address that is not public.
    """
    if len(url) > URL_MAX_LENGTH or _UNSAFE.search(url):
        raise _invalid(f"`url` must be a URL of at most {URL_MAX_LENGTH} characters.")
    try:
        parts = parse_target(url)
    except InvalidTarget as error:
        raise _invalid("`url` must be an https URL with a host and without a user name.") from error
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    guard = Guard(allow_private=False, exempt=settings.WEBHOOK_ALLOWED_TARGETS)
    if guard.is_exempt(host, port):
        return
    if parts.scheme != "https":
        raise _invalid("`url` must start with https://.")
    if _LOCAL_NAMES.search(host):
        raise _invalid("`url` must lead to a public address.")
    try:
        with within(time.monotonic() + LOOKUP_S, processed=False):
            guard.permitted(host, port)
    except TargetRefused as error:
        raise _invalid("`url` must lead to a public address.") from error
    except HttpError:
        # No address yet, or not in time.
        return


def webhook_client(*, before_request: Callable[[], None]) -> HttpClient:
    """Return a client for deliveries; what `before_request` raises stops a call."""
    return HttpClient(
        allow_private=False,
        version=settings.VERSION,
        before_request=before_request,
        exempt=settings.WEBHOOK_ALLOWED_TARGETS,
    )


def _invalid(message: str) -> InvalidInputError:
    return InvalidInputError(message, param="url")
