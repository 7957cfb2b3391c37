"""What a route costs us: every figure with its versions, and setting one anew."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.fields import NumberField
from billing.console.finance.topups import FinanceView
from billing.selectors.pricebook import route_costs
from billing.selectors.prices import PublishedPrice
from core.clock import now
from core.errors import AppError
from gateway.catalog.costs import CostKey, Unit
from gateway.console.finance.fields import LOSSES_SHOWN, TimelyForm, losses_of
from gateway.services.pricebook.book import route_models
from gateway.services.pricebook.cost_changes import NewCost, change_cost, route_figures
from gateway.services.pricebook.costs import cost_key
from orgs.console.failures import add_failure

UNITS: Final[Mapping[Unit, Promise]] = {
    "image": gettext_lazy("An image"),
    "megapixel": gettext_lazy("A megapixel"),
    "input_image": gettext_lazy("An image sent along"),
    "text_in_1m": gettext_lazy("A million text tokens in"),
    "image_in_1m": gettext_lazy("A million image tokens in"),
    "cached_text_in_1m": gettext_lazy("A million cached text tokens in"),
    "cached_image_in_1m": gettext_lazy("A million cached image tokens in"),
    "text_out_1m": gettext_lazy("A million text tokens out"),
    "image_out_1m": gettext_lazy("A million image tokens out"),
}


class CostForm(TimelyForm):
    """A new cost."""

    figure = forms.ChoiceField(label=gettext_lazy("Of what"))
    amount = NumberField(
        label=gettext_lazy("Cost in USD"),
        min_value=0,
        max_digits=20,
        decimal_places=10,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    source = forms.CharField(
        label=gettext_lazy("Source"),
        max_length=255,
        help_text=gettext_lazy("Where the price was read, or who decided it."),
    )
    field_order = ("figure", "amount", "source", "reason", "active_from", "allow_loss")

    def __init__(self, data: Mapping[str, str] | None, figures: Sequence[CostKey]) -> None:
        """Offer the figures of one route."""
        super().__init__(data)
        self.figures = {"|".join((key.unit, key.size, key.quality)): key for key in figures}
        field = self.fields["figure"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - of this form
        field.choices = [(name, _words(key)) for name, key in self.figures.items()]
        self.fields["active_from"].help_text = _(
            "Empty is now. What attempts have cost stays as it was booked."
        )

    def cost(self, route: str) -> NewCost:
        """Return what was asked for."""
        asked = self.cleaned_data
        return NewCost(
            route=route,
            key=self.figures[asked["figure"]],
            amount=asked["amount"],
            source=asked["source"],
            reason=asked["reason"],
            active_from=asked["active_from"],
        )


class CostsView(FinanceView):
    """Every version of a route's cost there was, is and will be; a new one is set here."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        return self.page(CostForm(None, self._figures()))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Set one, or say why not."""
        form = CostForm(request.POST.dict(), self._figures())
        losses: Sequence[str] = ()
        if form.is_valid():
            try:
                change_cost(
                    cost=form.cost(self._route()),
                    accept_loss=form.cleaned_data["allow_loss"],
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                losses = losses_of(error)
                if losses:
                    form.add_error("amount", _("At this cost images would sell at a loss."))
                else:
                    add_failure(form, error)
            else:
                messages.success(request, _("The cost is set."))
                return redirect(f"{reverse('finance_costs')}?{urlencode({'route': self._route()})}")
        return self.page(form, losses)

    def page(self, form: CostForm, losses: Sequence[str] = ()) -> HttpResponse:
        """Draw the versions and the form."""
        route = self._route()
        active, coming, past = route_costs(route=route, now=now())
        phases = (("active", active), ("scheduled", coming), ("past", past))
        context = {
            "route": route,
            "models": route_models(route),
            "form": form,
            "rows": [_row(one, phase) for phase, found in phases for one in found],
            "losses": losses[:LOSSES_SHOWN],
        }
        return render(self.request, "console/finance/costs.html", context)

    def _route(self) -> str:
        return self.request.GET.get("route", "")

    def _figures(self) -> list[CostKey]:
        """Return what the route's cost is made of.

        Raises:
            Http404: The catalog has no such route.
        """
        figures = route_figures(self._route())
        if not figures:
            raise Http404
        return figures


def _row(one: PublishedPrice, phase: str) -> dict[str, object]:
    return {"published": one, "phase": phase, "unit": UNITS[cost_key(one.price).unit]}


def _words(key: CostKey) -> str:
    cell = " ".join(filter(None, (key.size, key.quality)))
    return f"{UNITS[key.unit]}, {cell}" if cell else str(UNITS[key.unit])
