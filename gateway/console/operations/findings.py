"""Findings: what is wrong, what is known of it, and who looks after it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from core.clock import now
from core.errors import AppError
from gateway.console.operations.finding_words import FAMILIES, STATES, WORDS, Words
from gateway.console.operations.platform import OperatorView
from gateway.selectors.operations import findings as selectors
from gateway.services.operations.checks import LEDGER, PLATFORM, request_ledger_check
from gateway.services.operations.findings import acknowledge
from orgs.console.failures import add_failure

PAGE: Final = 50
FURTHEST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """A finding as the page draws it.

    Attributes:
        object_url: The page of what it is about, where there is one.
    """

    finding: Any
    words: Words
    state: str
    word: str
    url: str
    object_url: str


class NoteForm(forms.Form):
    """What an operator says about a finding."""

    note = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("What you know, and what happens next. It is logged."),
    )


class FindingsView(OperatorView):
    """The list, and beside it one of its lines."""

    def get(self, request: HttpRequest, finding_id: UUID | None = None) -> HttpResponse:
        """Show a page of it."""
        return self.page(finding_id, NoteForm())

    def page(self, finding_id: UUID | None, form: forms.Form) -> HttpResponse:
        """Draw it. Three queries, four with a finding that is on another page."""
        query = self.request.GET
        state, family = _choices(query)
        offset = _offset(query)
        found = selectors.list_findings(state=state, family=family, limit=PAGE, offset=offset)
        rows = [_row(one, query) for one in found.rows]
        at = next((i for i, row in enumerate(rows) if row.finding.id == finding_id), None)
        context: dict[str, Any] = {
            "rows": rows,
            "states": STATES.items(),
            "families": FAMILIES.items(),
            "state": state,
            "family": family,
            "counts": selectors.count_open(),
            "check": check_row(),
            "next_cursor": str(offset + PAGE) if found.has_more else "",
            "previous_cursor": str(max(0, offset - PAGE) or "") if offset else None,
            "is_first": offset == 0,
        }
        if finding_id is not None:
            context |= {
                "opened": rows[at] if at is not None else _find(finding_id, query),
                "form": form,
                "close_url": reverse("operations_findings") + _text(query),
                "previous_url": rows[at - 1].url if at else "",
                "next_url": rows[at + 1].url if at is not None and at + 1 < len(rows) else "",
            }
        return render(self.request, "console/operations/findings.html", context)


class AcknowledgeView(FindingsView):
    """Says that somebody looks after a finding."""

    def get(self, request: HttpRequest, finding_id: UUID | None = None) -> HttpResponse:
        """Lead to the finding: a reload after an error."""
        return redirect("operations_finding", finding_id)

    def post(self, request: HttpRequest, finding_id: UUID) -> HttpResponse:
        """Note it."""
        form = NoteForm(request.POST)
        if form.is_valid():
            try:
                acknowledge(
                    finding_id=finding_id,
                    note=form.cleaned_data["note"],
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The finding is acknowledged."))
                return redirect("operations_finding", finding_id)
        return self.page(finding_id, form)


class CheckNowView(OperatorView):
    """Starts the check of the ledger."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask for it; the list shows how far it has come."""
        request_ledger_check(actor=self.actor, now=now())
        return redirect("operations_findings")


@dataclass(frozen=True, slots=True)
class CheckRow:
    """The ledger's check, and when the platform was last looked at.

    Attributes:
        state: `never`, `waiting`, `running`, `broken` or `done`.
    """

    state: str
    done: int = 0
    total: int = 0
    found: int = 0
    percent: int = 0
    requested_by: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    platform_at: datetime | None = None


def check_row() -> CheckRow:
    """Return how far the check of the ledger has come. One query."""
    checks = selectors.find_checks()
    platform = checks.get(PLATFORM)
    platform_at = None if platform is None else platform.finished_at
    row = checks.get(LEDGER)
    if row is None or (row.started_at is None and row.requested_at is None):
        return CheckRow("never", platform_at=platform_at)
    is_asked = row.requested_at is not None and (
        row.started_at is None or row.requested_at > row.started_at
    )
    state = "done"
    if row.is_running:
        state = "running"
    elif is_asked:
        state = "waiting"
    elif row.error:
        state = "broken"
    return CheckRow(
        state,
        done=row.done,
        total=row.total,
        found=row.found,
        percent=100 * row.done // row.total if row.total else 0,
        requested_by=row.requested_by,
        started_at=row.started_at,
        finished_at=row.beat_at if row.error else row.finished_at,
        platform_at=platform_at,
    )


def _row(finding: Any, query: QueryDict) -> Row:  # noqa: ANN401 - a Finding
    state, word = _state_of(finding)
    url = reverse("operations_finding", args=(finding.id,)) + _text(query)
    return Row(finding, _words(finding.kind), state, word, url, _object_url(finding))


def _words(kind: str) -> Words:
    name: Any = kind
    return WORDS.get(kind, Words(name, name, name))


def _state_of(finding: Any) -> tuple[str, str]:  # noqa: ANN401 - a Finding
    if finding.resolved_at is not None:
        return "ok", pgettext("finding", "Closed")
    if finding.acknowledged_at is not None:
        return "running", pgettext("finding", "Acknowledged")
    if finding.severity == "critical":
        return "failed", pgettext("finding", "Critical")
    return "warning", pgettext("finding", "Warning")


def _find(finding_id: UUID, query: QueryDict) -> Row:
    finding = selectors.find_finding(finding_id=finding_id)
    if finding is None:
        raise Http404
    return _row(finding, query)


def _object_url(finding: Any) -> str:  # noqa: ANN401 - a Finding
    names = {
        "provider": "operations_provider",
        "organization": "operations_organization",
        "generation": "operations_request",
    }
    try:
        return reverse(names[finding.object_type], args=(finding.object_id,))
    except (KeyError, NoReverseMatch):
        return ""


def _choices(query: QueryDict) -> tuple[str, str]:
    state, family = query.get("state", "open"), query.get("kind", "")
    return (
        state if state in STATES else "open",
        family if family in FAMILIES else "",
    )


def _offset(query: QueryDict) -> int:
    text = query.get("cursor", "")
    return min(int(text), FURTHEST) if text.isdecimal() and text.isascii() else 0


def _text(query: QueryDict) -> str:
    return f"?{query.urlencode()}" if query else ""
