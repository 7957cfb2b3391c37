"""What payments are called on pages."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.selectors.payments import PaymentView

KINDS: Final[Mapping[str, Promise]] = {
    "checkout": _("Card"),
    "automatic": _("Card, automatic"),
    "transfer": _("Bank transfer"),
    "assigned": _("Assigned by finance"),
}
# Icon and color of `{% state %}`, and the word.
STATES: Final[Mapping[str, tuple[str, Promise]]] = {
    "pending": ("waiting", pgettext_lazy("payment", "Waiting")),
    "succeeded": ("ok", pgettext_lazy("payment", "Paid")),
    "failed": ("failed", pgettext_lazy("payment", "Failed")),
    "canceled": ("off", pgettext_lazy("payment", "Not paid")),
    "refunded": ("off", pgettext_lazy("payment", "Refunded")),
    "partly_refunded": ("off", pgettext_lazy("payment", "Partly refunded")),
    "disputed": ("warning", pgettext_lazy("payment", "Disputed")),
    "dispute_lost": ("failed", pgettext_lazy("payment", "Dispute lost")),
}
_FAILURES: Final[Mapping[str, Promise]] = {
    "expired": _("The payment page was closed or its hour was over."),
    "not_started": _("The payment page was never opened."),
    "unavailable": _("The payment provider did not answer. Nothing was charged."),
    "card_declined": _("The card was declined."),
    "authentication_required": _("The bank wants the holder of the card to confirm."),
    "mismatch": _("What was paid is not what was asked for. Finance looks at it."),
    "rejected": _("Finance turned it down."),
    "withdrawn": _("It was taken back."),
    "restored": _("Our books were restored from a backup. The card may have been charged since."),
}
REASONS: Final[Mapping[str, Promise]] = {
    "unknown_payment": _("It names no payment of ours"),
    "paid_twice": _("Its payment was paid already"),
    "organization": _("It names another organization than its payment"),
    "currency": _("It came in another currency"),
    "amount": _("It is another amount than was asked for"),
    "mode": _("It is of the other mode, test or live"),
}


def state_of(payment: PaymentView) -> tuple[str, Promise]:
    """Return the icon and the word of a payment's state."""
    return STATES[payment.state]


def failure_of(code: str) -> Promise | str:
    """Return why a payment brought nothing; a card's own reason by its code."""
    return _FAILURES.get(code, code)
