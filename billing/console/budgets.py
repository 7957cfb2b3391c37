"""Monthly budgets: what each limits, what this month has seen, and setting them."""

from dataclasses import dataclass
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.fields import AmountField
from billing.selectors.budgets import Budgets, BudgetView, get_budgets, month_of
from billing.services.budgets import change_budget
from core.clock import now
from core.errors import AppError
from orgs.console.access import OrganizationView
from orgs.errors import ApiKeyNotFoundError
from orgs.permissions import Permission
from orgs.selectors.api_keys import KeyView, find_key, list_keys


@dataclass(frozen=True, slots=True)
class KeyBudget:
    """A key beside its budget."""

    key: KeyView
    budget: BudgetView


class BudgetForm(forms.Form):
    """A monthly limit in the organization's currency."""

    def __init__(self, *args: object, currency: str, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type] # a form's own arguments
        self.fields["limit"] = AmountField(
            currency=currency,
            label=gettext_lazy("Limit a month"),
            help_text=gettext_lazy(
                "Requests that would go beyond it are refused before they cost anything. 0 stops"
                " all spending."
            ),
        )


class BudgetsView(OrganizationView):
    """The organization's budget, and one of each live key."""

    permission = Permission.VIEW_USAGE

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show what this month has seen of each."""
        budgets = self._budgets()
        keys = list_keys(organization_id=self.organization.id, now=now())
        rows = [KeyBudget(key, budgets.of_key(key.id)) for key in keys if key.livemode]
        context = {
            "month": budgets.month,
            "own": budgets.own,
            "rows": [row for row in rows if row.key.is_alive or row.budget.used_micros],
            "currency": self.organization.currency,
            "may_manage": self.may(Permission.MANAGE_BUDGETS),
        }
        return render(request, "console/budgets/list.html", context)

    def _budgets(self) -> Budgets:
        month = month_of(now(), time_zone=self.organization.time_zone)
        return get_budgets(organization_id=self.organization.id, month=month)


class EditBudgetView(OrganizationView):
    """Sets or removes one budget: a key's, or without one the organization's own."""

    permission = Permission.MANAGE_BUDGETS

    def get(self, request: HttpRequest, api_key_id: UUID | None = None) -> HttpResponse:
        """Show the form with the present limit."""
        budget = self._budget(api_key_id)
        form = BudgetForm(
            currency=self.organization.currency, initial={"limit": budget.limit_micros}
        )
        return self._form(request, form, api_key_id)

    def post(self, request: HttpRequest, api_key_id: UUID | None = None) -> HttpResponse:
        """Save the limit, or remove it."""
        limit: int | None = None
        form = BudgetForm(request.POST, currency=self.organization.currency)
        if "remove" not in request.POST:
            if not form.is_valid():
                return self._form(request, form, api_key_id)
            limit = form.cleaned_data["limit"]
        try:
            change_budget(
                organization_id=self.organization.id,
                api_key_id=api_key_id,
                limit_micros=limit,
                actor=self.actor,
            )
        except ApiKeyNotFoundError as error:
            raise Http404 from error
        except AppError as error:
            form.add_error(None, error.message)
            return self._form(request, form, api_key_id)
        messages.success(
            request, _("The budget was removed.") if limit is None else _("The budget is set.")
        )
        return redirect("budgets", organization_id=self.organization.id)

    def _budget(self, api_key_id: UUID | None) -> BudgetView:
        month = month_of(now(), time_zone=self.organization.time_zone)
        budgets = get_budgets(organization_id=self.organization.id, month=month)
        return budgets.own if api_key_id is None else budgets.of_key(api_key_id)

    def _form(
        self, request: HttpRequest, form: BudgetForm, api_key_id: UUID | None
    ) -> HttpResponse:
        key = None
        if api_key_id is not None:
            key = find_key(organization_id=self.organization.id, api_key_id=api_key_id, now=now())
            if key is None:
                raise Http404
        context = {
            "form": form,
            "key": key,
            "budget": self._budget(api_key_id),
            "month": month_of(now(), time_zone=self.organization.time_zone),
            "currency": self.organization.currency,
        }
        return render(request, "console/budgets/edit.html", context)
