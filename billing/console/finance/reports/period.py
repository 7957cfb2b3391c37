"""The period of a report: whole days of UTC, as they stand in the address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.clock import now

MOST_DAYS: Final = 366


class PeriodForm(forms.Form):
    """From when to when, both included."""

    since = forms.DateField(label=gettext_lazy("From"), input_formats=["%Y-%m-%d"], required=False)
    until = forms.DateField(label=gettext_lazy("To"), input_formats=["%Y-%m-%d"], required=False)

    def clean(self) -> dict[str, Any]:
        """Refuse a period that ends before it begins, or is too long to be added up."""
        data = super().clean() or {}
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            raise forms.ValidationError(_("The period ends before it begins."))
        if since and until and (until - since).days >= MOST_DAYS:
            raise forms.ValidationError(
                _("A period has at most %(days)s days.") % {"days": MOST_DAYS}
            )
        return data


@dataclass(frozen=True, slots=True)
class Preset:
    """A usual period: a chip."""

    label: str
    query: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Period:
    """What a report is of; its template is `console/finance/reports/period.html`.

    Attributes:
        first: The first day,
        last: and the last, in UTC.
        form: Where the address could not be read, says why.
        others: What else stands in the address: how the report is grouped and filtered.
    """

    first: date
    last: date
    form: PeriodForm
    others: Mapping[str, str]

    @property
    def query(self) -> str:
        """Return the query string of the same report."""
        return self.with_()

    @property
    def only(self) -> str:
        """Return the query string of the period alone."""
        return f"?since={self.first}&until={self.last}"

    @property
    def days(self) -> list[date]:
        """Return every day."""
        count = (self.last - self.first).days + 1
        return [self.first + timedelta(days=number) for number in range(count)]

    def with_(self, **more: object) -> str:
        """Return the query string of the same report with others, None for without."""
        values = {"since": self.first, "until": self.last, **self.others, **more}
        return "?" + urlencode({name: one for name, one in values.items() if one is not None})

    @property
    def presets(self) -> list[Preset]:
        """Return the usual periods."""
        today = now().astimezone(UTC).date()
        month = today.replace(day=1)
        before = (month - timedelta(days=1)).replace(day=1)
        usual = (
            (_("This month"), month, today),
            (_("Last month"), before, month - timedelta(days=1)),
            (_("30 days"), today - timedelta(days=29), today),
            (_("This year"), today.replace(month=1, day=1), today),
        )
        return [
            Preset(
                label,
                self.with_(since=first, until=last),
                is_current=(first, last) == (self.first, self.last),
            )
            for label, first, last in usual
        ]


def parse_period(data: Mapping[str, Any], **others: str) -> Period:
    """Read an address; without a period, or with one that cannot be, this month up to today."""
    form = PeriodForm(data)
    asked = form.cleaned_data if form.is_valid() else {}
    today = now().astimezone(UTC).date()
    last = asked.get("until") or today
    first = asked.get("since") or min(last, today).replace(day=1)
    last = max(last, first)
    first = max(first, last - timedelta(days=MOST_DAYS - 1))
    return Period(first, last, form, {name: one for name, one in others.items() if one})
