"""Changing prices and markups, from now or from a later instant on."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.fields import NumberField
from billing.console.finance.topups import FinanceView
from billing.currencies import MINOR_DIGITS
from billing.selectors.pricebook import list_markups
from core.clock import now
from core.errors import AppError
from gateway.console.finance.fields import LOSSES_SHOWN, ModelField, TimelyForm, losses_of
from gateway.errors import ModelNotFoundError
from gateway.services.pricebook.losses import book_of
from gateway.services.pricebook.markups import NewMarkup, change_markup
from gateway.services.pricing import MOST_RISE, NewPrice, change_price
from orgs.console.failures import add_failure
from orgs.console.widgets import OrganizationField
from orgs.errors import OrganizationNotFoundError

MARKUPS_SHOWN: Final = 100
HUNDRED: Final = 100


class PriceForm(TimelyForm):
    """A new list price."""

    model = ModelField(empty=gettext_lazy("Choose a model"))
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"),
        choices=[(code, code) for code in sorted(MINOR_DIGITS)],
        help_text=gettext_lazy(
            "USD is the platform's book. Prices in another currency are a book of their own:"
            " wallets in it are charged them as they stand, without markup and exchange rate."
        ),
    )
    size = forms.CharField(
        label=gettext_lazy("Size"),
        required=False,
        max_length=11,
        help_text=gettext_lazy("Such as 1024x1024. Empty is every size."),
    )
    quality = forms.CharField(
        label=gettext_lazy("Quality"),
        required=False,
        max_length=32,
        help_text=gettext_lazy("Such as hd. Empty is every quality."),
    )
    amount = NumberField(
        label=gettext_lazy("List price of an image"),
        max_digits=20,
        decimal_places=10,
        help_text=gettext_lazy("Without the markup, such as 0.042."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    source = forms.CharField(
        label=gettext_lazy("Source"),
        max_length=255,
        help_text=gettext_lazy("Where the price was read, or who decided it."),
    )
    allow_rise = forms.BooleanField(
        label=gettext_lazy("Set it though it is many times the price in force"), required=False
    )
    field_order = (
        *("model", "currency", "size", "quality", "amount"),
        *("source", "reason", "active_from", "allow_loss", "allow_rise"),
    )

    def price(self) -> NewPrice:
        """Return what was asked for."""
        asked = self.cleaned_data
        names = ("model", "currency", "amount", "source", "reason", "active_from")
        cell = {name: asked[name].strip().lower() for name in ("size", "quality")}
        return NewPrice(**{name: asked[name] for name in names}, **cell)


class ChangePriceView(FinanceView):
    """Sets a list price in any book."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form, filled with the cell that the address names."""
        names = ("model", "currency", "size", "quality")
        initial = {name: request.GET.get(name, "") for name in names}
        return self.page(PriceForm(initial={**initial, "currency": initial["currency"] or "USD"}))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Set it, or say why not."""
        form = PriceForm(request.POST)
        losses: Sequence[str] = ()
        if form.is_valid():
            price = form.price()
            try:
                change_price(
                    price=price,
                    accept_loss=form.cleaned_data["allow_loss"],
                    accept_rise=form.cleaned_data["allow_rise"],
                    created_by=self.actor.label,
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                losses = losses_of(error)
                if losses:
                    form.add_error("amount", _("At this price images would sell at a loss."))
                elif in_force := error.details.get("in_force"):
                    form.add_error("amount", _rise(in_force, price.currency))
                else:
                    add_failure(form, error)
            else:
                messages.success(request, _("The price is set."))
                book = book_of(price.currency).name
                return redirect(f"{reverse('finance_prices')}?book={book}&q={price.model}")
        return self.page(form, losses)

    def page(self, form: PriceForm, losses: Sequence[str] = ()) -> HttpResponse:
        """Draw the form."""
        context = {"form": form, "losses": losses[:LOSSES_SHOWN]}
        return render(self.request, "console/finance/price.html", context)


def _rise(in_force: object, currency: str) -> str:
    return _(
        "The price in force is %(amount)s %(currency)s: this is more than %(times)d times as much."
        " Tick the box below if it is meant."
    ) % {"amount": in_force, "currency": currency, "times": MOST_RISE}


class MarkupForm(TimelyForm):
    """A new markup."""

    percent = NumberField(
        label=gettext_lazy("Markup in percent"),
        required=False,
        max_digits=7,
        decimal_places=4,
        help_text=gettext_lazy(
            "A discount is negative. Empty takes away what an organization or a model has of its"
            " own: the next markup applies."
        ),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    model = ModelField(empty=gettext_lazy("Every model"), required=False)
    organization = OrganizationField(
        required=False,
        help_text=gettext_lazy(
            "Its name or id. Empty is every organization without a markup of its own."
        ),
    )
    field_order = ("percent", "model", "organization", "reason", "active_from", "allow_loss")

    def clean(self) -> dict[str, Any]:
        """Return what was asked for.

        Raises:
            ValidationError: The platform's markup is to be taken away.
        """
        asked = super().clean() or self.cleaned_data
        is_wrong = {"percent", "model", "organization"} & self.errors.keys()
        is_platform = not asked.get("model") and not asked.get("organization")
        if not is_wrong and is_platform and asked.get("percent") is None:
            words = _("The platform always has a markup: write 0 for none.")
            raise forms.ValidationError({"percent": words})
        return asked

    def markup(self) -> NewMarkup:
        """Return what was asked for."""
        asked = self.cleaned_data
        return NewMarkup(
            rate=None if asked["percent"] is None else asked["percent"] / HUNDRED,
            reason=asked["reason"],
            model_id=asked["model"],
            organization_id=asked["organization"],
            active_from=asked["active_from"],
        )


class MarkupsView(FinanceView):
    """Every markup there was, is and will be; a new one is set here."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        return self.page(MarkupForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Set one, or say why not."""
        form = MarkupForm(request.POST)
        losses: Sequence[str] = ()
        if form.is_valid():
            try:
                change_markup(
                    markup=form.markup(),
                    allow_loss=form.cleaned_data["allow_loss"],
                    actor=self.actor,
                    now=now(),
                )
            except OrganizationNotFoundError:
                form.add_error("organization", _("There is no such organization."))
            except ModelNotFoundError:
                form.add_error("model", _("No model is like that."))
            except AppError as error:
                losses = losses_of(error)
                if losses:
                    form.add_error("percent", _("With this markup images would sell at a loss."))
                else:
                    add_failure(form, error)
            else:
                messages.success(request, _("The markup is set."))
                return redirect("finance_markups")
        return self.page(form, losses)

    def page(self, form: MarkupForm, losses: Sequence[str] = ()) -> HttpResponse:
        """Draw the versions and the form."""
        moment = now()
        seen: set[object] = set()
        rows = []
        for one in list_markups(limit=MARKUPS_SHOWN):
            phase = "scheduled" if one.active_from > moment else "active"
            if phase == "active":
                phase = "past" if one.subject in seen else "active"
                seen.add(one.subject)
            rows.append({"markup": one, "phase": phase})
        context = {"form": form, "rows": rows, "losses": losses[:LOSSES_SHOWN]}
        return render(self.request, "console/finance/markups.html", context)
