"""Fields of forms about money."""

import re
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils import formats
from django.utils.translation import gettext as _

from billing.errors import InvalidAmountError
from billing.money import format_amount, parse_amount

# `1,250` is more than a thousand to some readers of a language, and a little over one to others.
_AMBIGUOUS: Final = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")


class AmountField(forms.CharField):
    """An amount in one currency; a comma or a point before its decimals. Its value is micros."""

    def __init__(self, *, currency: str, **options: Any) -> None:  # noqa: ANN401 - a field's own
        self.currency = currency
        attrs = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(widget=forms.TextInput(attrs=attrs), **options)

    def prepare_value(self, value: object) -> object:
        """Write micros for the reader; leave what they typed."""
        return written(value, self.currency) if isinstance(value, int) else value

    def to_python(self, value: object) -> int | None:  # type: ignore[override] # micros, not text
        """Read micros.

        Raises:
            ValidationError: It is no amount, or could be read as two.
        """
        text = super().to_python(value) or ""
        if not text:
            return None
        values = {"currency": self.currency, "example": written(12_500_000, self.currency)}
        if _AMBIGUOUS.fullmatch(text):
            raise forms.ValidationError(
                _("This can be read as two amounts. Write it like %(example)s.") % values
            )
        try:
            return parse_amount(text.replace(",", "."), self.currency)
        except InvalidAmountError as error:
            raise forms.ValidationError(
                _("Write an amount in %(currency)s, such as %(example)s.") % values
            ) from error


class NumberField(forms.DecimalField):
    """A price or a percentage; in each language a comma or a point before its decimals."""

    def to_python(self, value: object) -> Decimal | None:  # type: ignore[override] # no integer
        """Read it.

        Raises:
            ValidationError: It is no number, or could be read as two.
        """
        text = value.strip() if isinstance(value, str) else ""
        if "," in text and _AMBIGUOUS.fullmatch(text):
            raise forms.ValidationError(_("This can be read as two numbers. Write it like 12.50."))
        return super().to_python(text.replace(",", ".") or None)


def written(micros: int, currency: str) -> str:
    """Return an amount as the reader writes it, without its currency."""
    text = format_amount(micros, currency)
    return text.replace(".", formats.get_format("DECIMAL_SEPARATOR"))
