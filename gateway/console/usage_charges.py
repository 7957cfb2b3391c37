"""The rows that figures of money sum up: what each generation was charged."""

from datetime import date
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from billing.selectors.budgets import get_budgets
from gateway.console.usage import FiguresView, filter_chips
from gateway.console.usage_charts import group_name
from gateway.console.usage_query import UsageQuery
from gateway.selectors.charges import ChargeFilters, list_charges
from gateway.selectors.figures import totals_by
from gateway.selectors.pages import Place
from gateway.selectors.rollups import NO_KEY
from orgs.permissions import Permission

PAGE: Final = 50


class ChargesView(FiguresView):
    """What was charged in a period, or counted by a month's budget, row by row."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of them, with their sum. Only live keys are charged."""
        query = self.query(livemode=True, with_user=True)
        page = list_charges(
            filters=ChargeFilters(query.scope, query.month),
            limit=PAGE,
            after=Place.parse(request.GET.get("cursor", "")),
        )
        names = self.key_names()
        context = {
            "query": query,
            "filters": filter_chips(query, names),
            "rows": [
                (charge, group_name("api_key_id", str(charge.api_key_id or NO_KEY), names))
                for charge in page.charges
            ],
            "total_micros": self._total(query),
            "next_cursor": page.next_place.as_text() if page.next_place else None,
            "currency": self.organization.currency,
            "may_see_money": self.may(Permission.VIEW_BALANCE),
        }
        return render(request, "console/usage/charges.html", context)

    def _total(self, query: UsageQuery) -> int:
        if query.month is not None:
            return self._budgeted(query, query.month)
        by = "user" if query.scope.user is not None else "model"
        return sum(one.micros for one in totals_by(query.scope, by=by))

    def _budgeted(self, query: UsageQuery, month: date) -> int:
        budgets = get_budgets(organization_id=self.organization.id, month=month)
        key = query.scope.api_key_id
        return (budgets.own if key is None else budgets.of_key(key)).captured_micros
