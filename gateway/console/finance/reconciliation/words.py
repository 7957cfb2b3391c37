"""What differences, their states and the faults of files are called."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.services.reconciliation.reading import Fault

KINDS: Final[Mapping[str, tuple[Promise, Promise]]] = {
    "missing_here": (
        _("Unknown to us"),
        _("The provider charged for it, and no call of ours of that day and model cost anything."),
    ),
    "missing_there": (
        _("Not charged"),
        _("We booked what our calls cost, and the provider charged nothing for them."),
    ),
    "duplicate": (
        _("Charged twice"),
        _("The provider charged the same call more than once, by its own id of it."),
    ),
    "more": (_("Charged too often"), _("The provider counts more than we asked it for.")),
    "fewer": (_("Charged too rarely"), _("The provider counts less than we asked it for.")),
    "amount": (_("Another amount"), _("Both count the same, at another price.")),
    "shifted": (
        _("On the neighboring day"),
        _("A call around midnight: what this day has too much, the neighboring one lacks."),
    ),
}
STATES: Final[Mapping[str, tuple[str, Promise]]] = {
    "open": ("failed", pgettext_lazy("difference", "Open")),
    "proposed": ("waiting", pgettext_lazy("difference", "To approve")),
    "accepted": ("ok", pgettext_lazy("difference", "Accepted")),
    "contested": ("warning", pgettext_lazy("difference", "Contested")),
    "explained": ("ok", pgettext_lazy("difference", "Explained")),
}
UNITS: Final[Mapping[str, Promise]] = {
    "requests": _("Requests"),
    "images": _("Images"),
    "none": _("Something else: compare amounts only"),
}
FAULTS: Final[Mapping[Fault, Promise]] = {
    Fault.COLUMN: _("This column is missing."),
    Fault.EMPTY: _("The file has no lines."),
    Fault.TOO_LONG: _("The file has more than 50,000 lines."),
    Fault.CELLS: _("The line has fewer fields than the heading."),
    Fault.DATE: _("This is no date: write it like 2026-10-31."),
    Fault.PERIOD: _("The day is not in the period of the file."),
    Fault.MODEL: _("The line has no model, or too long a one."),
    Fault.AMOUNT: _("This is no amount: write it like 0.042."),
    Fault.COUNT: _("This is no whole number."),
    Fault.CURRENCY: _("Costs are booked in USD; convert the file first."),
}
OUTCOMES: Final[Mapping[str, tuple[str, Promise]]] = {
    "succeeded": ("ok", pgettext_lazy("attempt", "Succeeded")),
    "failed": ("failed", pgettext_lazy("attempt", "Failed")),
    "refused": ("warning", pgettext_lazy("attempt", "Refused")),
    "late": ("warning", pgettext_lazy("attempt", "Too late")),
    "unknown": ("warning", pgettext_lazy("attempt", "Unknown outcome")),
}
