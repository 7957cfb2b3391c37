"""What accounts and entries are called."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

ACCOUNTS: Final[Mapping[str, Promise]] = {
    "wallet": pgettext_lazy("account", "Wallets"),
    "wallet_promo": pgettext_lazy("account", "Promotional credit"),
    "receivable": pgettext_lazy("account", "Receivables"),
    "cash": pgettext_lazy("account", "Cash"),
    "payment_clearing": pgettext_lazy("account", "Payment clearing"),
    "payment_fees": pgettext_lazy("account", "Payment fees"),
    "revenue": pgettext_lazy("account", "Revenue"),
    "provider_cost": pgettext_lazy("account", "Cost of providers"),
    "provider_payable": pgettext_lazy("account", "Owed to providers"),
    "fx_clearing": pgettext_lazy("account", "Exchange clearing"),
    "fx_spread": pgettext_lazy("account", "Exchange spread"),
    "fx_gain_loss": pgettext_lazy("account", "Exchange gain and loss"),
    "promotions": pgettext_lazy("account", "Promotions"),
    "breakage": pgettext_lazy("account", "Breakage"),
    "refunds": pgettext_lazy("account", "Refunds"),
    "disputes": pgettext_lazy("account", "Disputes"),
    "tax_payable": pgettext_lazy("account", "Tax payable"),
    "rounding": pgettext_lazy("account", "Rounding"),
    "suspense": pgettext_lazy("account", "Suspense"),
}
ENTRIES: Final[Mapping[str, Promise]] = {
    "top_up": _("Top-up"),
    "capture": pgettext_lazy("transaction", "Images"),
    "attempt_cost": pgettext_lazy("entry", "Cost of an attempt"),
    "adjustment": _("Adjustment"),
    "reversal": _("Refund or correction"),
    "promotion": _("Promotional credit"),
    "expiry": _("Expired credit"),
    "payment_refund": _("Top-up paid back"),
    "dispute": _("Disputed payment"),
    "payout": pgettext_lazy("entry", "Payout"),
    "provider_payment": pgettext_lazy("entry", "Payment to a provider"),
    "true_up": pgettext_lazy("entry", "True-up of cost"),
    "revaluation": pgettext_lazy("entry", "Revaluation"),
}


def account_name(code: str) -> str:
    """Return what an account is called."""
    return str(ACCOUNTS.get(code, code))


def entry_name(kind: str) -> str:
    """Return what a kind of entry is called."""
    return str(ENTRIES.get(kind, kind))
