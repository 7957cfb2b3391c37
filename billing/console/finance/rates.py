"""Exchange rates: what is in force, what was, setting one by hand, deciding about jumps."""

from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.console.finance.rate_forms import RateForm
from billing.console.finance.topups import FinanceView
from billing.currencies import MINOR_DIGITS
from billing.selectors.rates.candidates import list_candidates
from billing.selectors.rates.history import list_rates
from billing.selectors.rates.pairs import get_pair, list_pairs, rates_by_day
from billing.services.rates.candidates import (
    approve_candidate,
    propose_candidate,
    reject_candidate,
)
from billing.services.rates.fetching import fetch_rates
from billing.services.rates.manual import end_manual_rate, set_manual_rate
from core.clock import now
from core.errors import AppError
from orgs.console.failures import add_failure, toast_failure

PAGE: Final = 30
MOST_WAITING: Final = 50
SOURCES: Final[dict[str, Promise]] = {
    "ecb": gettext_lazy("European Central Bank"),
    "banxico": gettext_lazy("Banco de México (FIX)"),
    "manual": gettext_lazy("Set by hand"),
    "sample": gettext_lazy("Sample"),
}


class RatesView(FinanceView):
    """Every pair that something may be sold in, and rates that wait for a decision."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        pairs = list_pairs(now=now())
        context = {
            "rows": [
                {
                    "pair": pair,
                    "source": _source(pair.in_force.source) if pair.in_force else "",
                    "follows": ", ".join(_source(name) for name in pair.follows),
                }
                for pair in pairs
            ],
            "candidates": [
                {
                    "row": one,
                    "source": _source(one.source),
                    "is_own": one.proposed_by == self.user.id,
                }
                for one in list_candidates(limit=MOST_WAITING)
            ],
            "limit_days": settings.FX_MAX_AGE_DAYS,
        }
        return render(request, "console/finance/rates.html", context)


class FetchRatesView(FinanceView):
    """Asks the sources for what is new."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Fetch, and say what came."""
        for one in fetch_rates(now=now()):
            name = _source(one.source)
            if one.error:
                text = _("%(source)s did not answer with rates; its last ones stay.")
                messages.error(request, text % {"source": name})
                continue
            text = ngettext(
                "%(source)s: %(count)d new rate.", "%(source)s: %(count)d new rates.", one.added
            )
            messages.success(request, text % {"source": name, "count": one.added})
        return redirect("finance_rates")


class RateView(FinanceView):
    """One pair: the rate in force, a chart, and every rate that was recorded."""

    def get(self, request: HttpRequest, base: str, quote: str) -> HttpResponse:
        """Show a page of them."""
        _require_currencies(base, quote)
        pair = get_pair(base=base, quote=quote, now=now())
        cursor = request.GET.get("cursor", "")
        before = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else None  # noqa: PLR2004 - fits a bigint
        rows = list_rates(base=base, quote=quote, before=before, limit=PAGE + 1)
        context = {
            "pair": pair,
            "source": _source(pair.in_force.source) if pair.in_force else "",
            "follows": ", ".join(_source(name) for name in pair.follows),
            "limit_days": settings.FX_MAX_AGE_DAYS,
            "rows": [{"rate": row, "source": _source(row.source)} for row in rows[:PAGE]],
            "next_cursor": rows[PAGE - 1].id if len(rows) > PAGE else None,
            "is_first_page": before is None,
            "chart": self._chart(base, quote) if before is None else None,
        }
        return render(request, "console/finance/rate.html", context)

    def _chart(self, base: str, quote: str) -> dict[str, Any]:
        days, series = rates_by_day(base=base, quote=quote, now=now())
        return {
            "kind": "line",
            "from_zero": False,
            "unit": f"{quote}/{base}",
            "labels": days,
            "series": [
                {
                    "name": _source(name),
                    "values": [None if rate is None else f"{rate:f}" for rate in rates],
                }
                for name, rates in series.items()
            ],
        }


class NewRateView(FinanceView):
    """Sets a rate by hand."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        initial = {name: request.GET.get(name, "") for name in ("base", "quote")}
        return self._form(request, RateForm(initial={"base": "USD", **_filled(initial)}))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Save it, or hand it to a second person."""
        form = RateForm(request.POST)
        if not form.is_valid():
            return self._form(request, form)
        terms = form.terms()
        try:
            is_set = set_manual_rate(terms=terms, actor=self.actor, now=now())
        except AppError as error:
            add_failure(form, error)
            return self._form(request, form)
        if is_set:
            messages.success(request, _("The rate is set."))
            return redirect("finance_rate", base=terms.base, quote=terms.quote)
        messages.warning(
            request,
            _("That is far from the rate in force: another person of finance has to approve it."),
        )
        return redirect("finance_rates")

    def _form(self, request: HttpRequest, form: RateForm) -> HttpResponse:
        return render(request, "console/finance/rate_new.html", {"form": form})


class EndRateView(FinanceView):
    """Ends a manual rate."""

    def post(self, request: HttpRequest, base: str, quote: str) -> HttpResponse:
        """End it, so that the pair follows its sources again."""
        _require_currencies(base, quote)
        reason = request.POST.get("reason", "")
        try:
            end_manual_rate(base=base, quote=quote, reason=reason, actor=self.actor, now=now())
            messages.success(request, _("The pair follows its sources again."))
        except AppError as error:
            toast_failure(request, error)
        return redirect("finance_rate", base=base, quote=quote)


class CandidateView(FinanceView):
    """Decides about a rate that was kept aside."""

    def post(self, request: HttpRequest, candidate_id: int) -> HttpResponse:
        """Propose, approve or refuse it."""
        actor, moment = self.actor, now()
        try:
            if "approve" in request.POST:
                approve_candidate(candidate_id=candidate_id, actor=actor, now=moment)
                messages.success(request, _("The rate is used from now on."))
            elif "refuse" in request.POST:
                reject_candidate(candidate_id=candidate_id, actor=actor, now=moment)
                messages.success(request, _("The rate was refused."))
            else:
                reason = request.POST.get("reason", "")
                propose_candidate(candidate_id=candidate_id, reason=reason, actor=actor, now=moment)
                messages.success(request, _("Another person of finance has to approve it now."))
        except AppError as error:
            toast_failure(request, error)
        return redirect("finance_rates")


def _source(name: str) -> str:
    return str(SOURCES.get(name, name))


def _filled(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _require_currencies(*codes: str) -> None:
    if not set(codes) <= MINOR_DIGITS.keys():
        raise Http404
