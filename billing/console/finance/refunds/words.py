"""What refunds and adjustments are called on pages."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.selectors.refunds.requests import RequestView
from billing.services.refunds.telling import public_reference

KINDS: Final[Mapping[str, Promise]] = {
    "refund": _("Refund of images"),
    "credit": _("Credit of a wallet"),
    "debit": _("Debit of a wallet"),
}
# Icon and color of `{% state %}`, and the word.
STATES: Final[Mapping[str, tuple[str, Promise]]] = {
    "pending": ("waiting", pgettext_lazy("request", "To approve")),
    "approved": ("ok", pgettext_lazy("request", "Approved")),
    "declined": ("failed", pgettext_lazy("request", "Turned down")),
    "withdrawn": ("off", pgettext_lazy("request", "Taken back")),
}


def row_of(request: RequestView) -> dict[str, object]:
    """Return a request with its words."""
    icon, word = STATES[request.status]
    return {
        "view": request,
        "kind": KINDS[request.kind],
        "request_id": public_reference(request.reference),
        "icon": icon,
        "word": word,
    }
