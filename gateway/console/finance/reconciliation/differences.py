"""One difference, down to the calls and lines it is made of, and deciding about it."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from billing.console.finance.topups import FinanceView
from billing.selectors.reconciliation.files import (
    charged_elsewhere,
    find_difference,
    list_lines,
    models_of,
)
from billing.services.reconciliation.comparing import our_name
from billing.services.reconciliation.deciding import (
    approve_acceptance,
    contest,
    propose_acceptance,
    reopen,
)
from core.clock import now
from core.errors import AppError
from gateway.console.finance.reconciliation.forms import CURRENCY
from gateway.console.finance.reconciliation.words import KINDS, OUTCOMES, STATES
from gateway.selectors.reports.calls import list_calls
from orgs.console.failures import toast_failure

SHOWN: Final = 200


class DifferenceView(FinanceView):
    """A day and model of which a provider says something else than our books."""

    def get(self, request: HttpRequest, difference_id: UUID) -> HttpResponse:
        """Show it.

        Raises:
            Http404: There is no such difference.
        """
        found = find_difference(difference_id)
        if found is None:
            raise Http404
        row, source = found.row, found.source
        theirs = models_of(import_id=source.id, day=row.day)
        models = [one for one in theirs if our_name(one, {row.model}) == row.model]
        calls = list_calls(provider=source.provider, day=row.day, model=row.model, limit=SHOWN)
        title, meaning = KINDS[row.kind]
        context = {
            "found": found,
            "row": row,
            "source": source,
            "title": title,
            "meaning": meaning,
            "state": STATES[row.status],
            "currency": CURRENCY,
            "is_own": row.asked_by_id == self.user.id,
            "elsewhere": charged_elsewhere(row.upstream_ids, import_id=source.id)
            if row.upstream_ids
            else [],
            "calls": [(one, *OUTCOMES[one.status]) for one in calls],
            "lines": list_lines(import_id=source.id, day=row.day, models=models, limit=SHOWN),
            "shown": SHOWN,
        }
        return render(request, "console/finance/reconciliation/difference.html", context)

    def post(self, request: HttpRequest, difference_id: UUID) -> HttpResponse:
        """Propose, approve, contest it, or take that back."""
        reason, actor = request.POST.get("reason", ""), self.actor
        try:
            if "approve" in request.POST:
                approve_acceptance(difference_id=difference_id, actor=actor, now=now())
                messages.success(request, _("The difference is accepted and booked."))
            elif "reopen" in request.POST:
                reopen(difference_id=difference_id, actor=actor)
                messages.success(request, _("The difference is open again."))
            elif "contest" in request.POST:
                contest(difference_id=difference_id, reason=reason, actor=actor)
                messages.success(request, _("The difference is contested; nothing is booked."))
            else:
                propose_acceptance(difference_id=difference_id, reason=reason, actor=actor)
                messages.success(request, _("Another person of finance has to approve it now."))
        except AppError as error:
            toast_failure(request, error)
        return redirect("finance_reconciliation_difference", difference_id=difference_id)
