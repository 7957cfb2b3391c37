"""Models and routes: who serves what, what it leaves, and setting prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from billing.selectors.prices import PublishedPrice, price_history
from core.clock import now
from core.errors import AppError
from gateway.console.operations.platform import OperatorView
from gateway.errors import InvalidRequestError
from gateway.services.operations.routes import ModelState, Skip, find_model, list_models
from gateway.services.pricing import NewPrice, change_price
from orgs.console.failures import add_failure

HISTORY: Final = 60
STATUSES: Final[Mapping[str, tuple[str, Promise]]] = {
    "active": ("ok", pgettext_lazy("model", "Active")),
    "deprecated": ("warning", pgettext_lazy("model", "Deprecated")),
    "retired": ("off", pgettext_lazy("model", "Retired")),
}
SKIPS: Final[Mapping[Skip, Promise]] = {
    Skip.NO_KEY: gettext_lazy("no key is set"),
    Skip.RETIRED: gettext_lazy("the provider has retired it"),
    Skip.PAUSED: gettext_lazy("the provider is paused"),
    Skip.BREAKER: gettext_lazy("its breaker is open"),
    Skip.LOSS: gettext_lazy("it would sell at a loss"),
}
FILTERS: Final[Mapping[str, Promise]] = {
    "": pgettext_lazy("models", "All"),
    "served": pgettext_lazy("models", "Served"),
    "unserved": pgettext_lazy("models", "Not served"),
    "ending": pgettext_lazy("models", "Deprecated or retired"),
    "losing": pgettext_lazy("models", "With a loss"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A model as the pages draw it."""

    state: ModelState
    kind: str
    word: Promise
    serving: int
    losing: bool


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a price: `phase` is `scheduled`, `active` or `past`."""

    published: PublishedPrice
    phase: str


class ModelsView(OperatorView):
    """The list."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it."""
        text = request.GET.get("q", "").strip().lower()[:100]
        chosen = request.GET.get("show", "")
        rows = [_row(one) for one in list_models(now=now())]
        context = {
            "rows": [row for row in rows if _fits(row, chosen) and _is_named(row, text)],
            "filters": FILTERS.items(),
            "chosen": chosen,
            "text": text,
        }
        return render(request, "console/operations/models.html", context)


class ModelView(OperatorView):
    """One model: its routes, what each size and quality leaves, and its prices' history."""

    def get(self, request: HttpRequest, model_id: str) -> HttpResponse:
        """Show it."""
        moment = now()
        state = _find(model_id, moment)
        versions = _versions(state, moment)
        context = {
            "row": _row(state),
            "routes": [(one, one.skip and SKIPS[one.skip]) for one in state.routes],
            "scheduled": [one for one in versions if one.phase == "scheduled"],
            "versions": [one for one in versions if one.phase != "scheduled"],
            "has_quality": bool(state.model.qualities),
        }
        return render(request, "console/operations/model.html", context)


class PriceForm(forms.Form):
    """A new list price."""

    amount = forms.DecimalField(
        label=gettext_lazy("List price of an image"),
        min_value=Decimal("0.0000000001"),
        max_digits=20,
        decimal_places=10,
        help_text=gettext_lazy("Without the markup, such as 0.042."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        initial="USD",
        max_length=3,
        help_text=gettext_lazy(
            "Another one than USD is charged to wallets in that currency as it stands, without"
            " markup and exchange rate."
        ),
    )
    size = forms.ChoiceField(label=gettext_lazy("Size"), required=False)
    quality = forms.ChoiceField(label=gettext_lazy("Quality"), required=False)
    source = forms.CharField(
        label=gettext_lazy("Source"),
        max_length=255,
        help_text=gettext_lazy("Where the price was read, or who decided it."),
    )
    active_from = forms.DateTimeField(
        label=gettext_lazy("From when on (UTC)"),
        required=False,
        help_text=gettext_lazy("Empty is now. Holds and quotes that exist keep their price."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
    )
    allow_loss = forms.BooleanField(
        label=gettext_lazy("Set it though an image may cost more than it sells for"),
        required=False,
    )

    def __init__(self, state: ModelState, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        model = state.model
        sizes = [(str(size), str(size)) for size in model.sizes.listed]
        _choices(self.fields["size"], [("", _("Every size")), *sizes])
        if model.qualities:
            levels = [(level, level) for level in model.qualities]
            _choices(self.fields["quality"], [("", _("Every quality")), *levels])
        else:
            del self.fields["quality"]

    def price(self, model_id: str) -> NewPrice:
        """Return what was asked for."""
        asked = self.cleaned_data
        return NewPrice(
            model=model_id,
            amount=asked["amount"],
            currency=asked["currency"].upper(),
            size=asked["size"],
            quality=asked.get("quality", ""),
            source=asked["source"],
            active_from=asked["active_from"],
        )


class PriceView(OperatorView):
    """Sets a price."""

    def get(self, request: HttpRequest, model_id: str) -> HttpResponse:
        """Show the form."""
        state = _find(model_id, now())
        return self.page(state, PriceForm(state))

    def post(self, request: HttpRequest, model_id: str) -> HttpResponse:
        """Set it, or say why not."""
        moment = now()
        state = _find(model_id, moment)
        form = PriceForm(state, request.POST)
        losses: Sequence[str] = ()
        if form.is_valid():
            try:
                change_price(
                    price=form.price(model_id),
                    accept_loss=form.cleaned_data["allow_loss"],
                    created_by=self.actor.label,
                    actor=self.actor,
                    now=moment,
                )
            except InvalidRequestError as error:
                losses = _losses_of(error)
                if losses:
                    form.add_error("amount", _("At this price images would sell at a loss."))
                else:
                    add_failure(form, error)
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The price is set."))
                return redirect("operations_model", model_id)
        return self.page(state, form, losses)

    def page(self, state: ModelState, form: PriceForm, losses: Sequence[str] = ()) -> HttpResponse:
        """Draw the form."""
        context = {"row": _row(state), "form": form, "losses": losses[:10]}
        return render(self.request, "console/operations/price.html", context)


def _find(model_id: str, moment: datetime) -> ModelState:
    state = find_model(model_id=model_id, now=moment)
    if state is None:
        raise Http404
    return state


def _choices(field: forms.Field, choices: Sequence[tuple[str, str]]) -> None:
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 - of this form
    field.choices = choices


def _losses_of(error: InvalidRequestError) -> Sequence[str]:
    losses = error.details.get("losses")
    return losses if isinstance(losses, list) else ()


def _row(state: ModelState) -> Row:
    kind, word = STATUSES[state.status]
    return Row(
        state,
        kind,
        word,
        serving=sum(one.skip is None for one in state.routes),
        losing=any(one.losing for one in state.routes),
    )


def _fits(row: Row, chosen: str) -> bool:
    return {
        "served": row.serving > 0,
        "unserved": row.serving == 0,
        "ending": row.state.status != "active",
        "losing": row.losing,
    }.get(chosen, True)


def _is_named(row: Row, text: str) -> bool:
    model = row.state.model
    return text in model.id.lower() or text in model.name.lower()


def _versions(state: ModelState, moment: datetime) -> list[Version]:
    active = {cell.version.id for cell in state.cells if cell.version is not None}
    return [
        Version(
            one,
            "scheduled"
            if one.price.active_from > moment
            else "active"
            if one.price.id in active
            else "past",
        )
        for one in price_history(model_key=state.model.key, limit=HISTORY)
    ]
