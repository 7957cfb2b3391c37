"""The line below which a balance is low."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.fields import AmountField
from billing.selectors.budgets import get_balance_alert
from billing.services.alerts import set_balance_alert
from core.errors import AppError
from orgs.console.failures import AdministrationView
from orgs.permissions import Permission


class AlertForm(forms.Form):
    """An amount in the wallet's currency."""

    def __init__(self, *args: object, currency: str, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type] # a form's own arguments
        self.fields["below"] = AmountField(
            currency=currency,
            label=gettext_lazy("Warn below"),
            help_text=gettext_lazy(
                "Of what is available. Nothing is refused at this line; requests are refused when"
                " the wallet is empty."
            ),
        )


class EditAlertView(AdministrationView):
    """Sets or removes the line; whoever limits what is spent is told that it ends."""

    permission = Permission.MANAGE_BUDGETS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form with the present line."""
        below = get_balance_alert(organization_id=self.organization.id)
        return self._form(
            request, AlertForm(currency=self.organization.currency, initial={"below": below})
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        """Save the line, or remove it."""
        below: int | None = None
        form = AlertForm(request.POST, currency=self.organization.currency)
        if "remove" not in request.POST:
            if not form.is_valid():
                return self._form(request, form)
            below = form.cleaned_data["below"]
        try:
            set_balance_alert(
                organization_id=self.organization.id, below_micros=below, actor=self.actor
            )
        except AppError as error:
            form.add_error("below", error.message)
            return self._form(request, form)
        messages.success(
            request, _("The line was removed.") if below is None else _("The line is set.")
        )
        return redirect("billing", organization_id=self.organization.id)

    def _form(self, request: HttpRequest, form: AlertForm) -> HttpResponse:
        context = {
            "form": form,
            "below": get_balance_alert(organization_id=self.organization.id),
            "currency": self.organization.currency,
        }
        return render(request, "console/billing/alert.html", context)
