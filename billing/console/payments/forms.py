"""Forms about paying."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.fields import AmountField, written
from billing.services.payments.amounts import limits_of


class PayableField(AmountField):
    """An amount that can be paid by card."""

    def validate(self, value: object) -> None:
        """Refuse what is outside the limits.

        Raises:
            ValidationError: It is.
        """
        super().validate(value)
        limits = limits_of(self.currency)
        if isinstance(value, int) and limits and not limits[0] <= value <= limits[1]:
            raise forms.ValidationError(
                _("Pay between %(least)s and %(most)s %(currency)s at a time.")
                % {
                    "least": written(limits[0], self.currency),
                    "most": written(limits[1], self.currency),
                    "currency": self.currency,
                }
            )


class AddMoneyForm(forms.Form):
    """How much to add before tax, and whether to keep the card.

    `total_url` draws the total while the amount is being typed.
    """

    def __init__(self, *args: Any, currency: str, total_url: str = "", **options: Any) -> None:  # noqa: ANN401 - a form's own
        super().__init__(*args, **options)
        least, most = limits_of(currency) or (0, 0)
        self.fields["amount"] = PayableField(
            currency=currency,
            label=gettext_lazy("Amount"),
            help_text=_("In %(currency)s, from %(least)s to %(most)s.")
            % {
                "currency": currency,
                "least": written(least, currency),
                "most": written(most, currency),
            },
        )
        if total_url:
            self.fields["amount"].widget.attrs |= {
                "hx-get": total_url,
                "hx-trigger": "input changed delay:250ms",
                "hx-target": "#total",
                "hx-swap": "outerHTML",
                "hx-sync": "this:replace",
            }
        self.fields["saves_card"] = forms.BooleanField(
            required=False,
            label=gettext_lazy("Save the card"),
            help_text=gettext_lazy(
                "Then the wallet can be topped up automatically. Stripe keeps the card; its number"
                " never comes here."
            ),
        )

    def amount(self) -> int | None:
        """Return the amount that was entered, in micros; None where there is none to be paid."""
        if not self.is_bound:
            return None
        self.is_valid()
        found: int | None = self.cleaned_data.get("amount")
        return found


class AutoTopUpForm(forms.Form):
    """When to fill the wallet, by how much, how often at most, and by which card."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - a form's own
        currency: str,
        cards: Sequence[tuple[UUID, str]],
        **options: Any,  # noqa: ANN401 - a form's own
    ) -> None:
        super().__init__(*args, **options)
        self.fields["threshold"] = AmountField(
            currency=currency,
            label=gettext_lazy("When less is available than"),
            help_text=gettext_lazy("What is set aside for running requests is not available."),
        )
        self.fields["amount"] = PayableField(
            currency=currency,
            label=gettext_lazy("Add each time"),
            help_text=gettext_lazy("Before tax: what comes into the wallet."),
        )
        self.fields["monthly_cap"] = AmountField(
            currency=currency,
            label=gettext_lazy("At most in a month"),
            help_text=gettext_lazy(
                "What is charged, with tax, from the first of the month in your time zone. Beyond"
                " it the card is left alone."
            ),
        )
        self.fields["card"] = forms.ChoiceField(
            label=gettext_lazy("Card"), choices=[(str(id_), name) for id_, name in cards]
        )

    def clean(self) -> dict[str, Any]:
        """Refuse a line of zero, and a cap below one top-up."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        if found.get("threshold") == 0:
            self.add_error("threshold", _("The line must be above zero."))
        amount, cap = found.get("amount"), found.get("monthly_cap")
        if amount is not None and cap is not None and cap < amount:
            self.add_error("monthly_cap", _("The cap is below one top-up."))
        return found
