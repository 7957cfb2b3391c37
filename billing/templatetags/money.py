"""Amounts in pages: `{% load money %}{% money micros currency %}`."""

from decimal import Decimal

from django import template
from django.utils import formats
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.money import MAX_DECIMALS, format_amount, to_decimal

register = template.Library()


@register.simple_tag
def money(micros: int | None, currency: str, css: str = "") -> SafeString:
    """Return an amount with its currency, in tabular figures; all six decimals as a tooltip."""
    if micros is None:
        return format_html('<span class="money {}">—</span>', css)
    return format_html(
        '<span class="money {}" title="{} {}">{} <span class="money-code">{}</span></span>',
        css,
        _localized(to_decimal(micros), MAX_DECIMALS),
        currency,
        plain_money(micros, currency),
        currency,
    )


@register.simple_tag
def plain_money(micros: int, currency: str) -> str:
    """Return an amount without its currency, exactly, as the reader's language writes numbers."""
    text = format_amount(micros, currency)
    return _localized(Decimal(text), len(text.partition(".")[2]))


@register.simple_tag
def whole(number: int) -> str:
    """Return a count, grouped as the reader's language groups digits."""
    return _localized(Decimal(number), 0)


@register.simple_tag
def decimal(value: Decimal) -> str:
    """Return a price or a rate exactly, without zeros that say nothing."""
    text = f"{value:f}"
    digits = text.partition(".")[2].rstrip("0")
    return _localized(Decimal(text), max(len(digits), 2))


@register.simple_tag
def percent(fraction: Decimal) -> str:
    """Return a fraction in percent: 0.05 is 5 %."""
    text = f"{fraction * 100:f}"
    digits = text.partition(".")[2].rstrip("0")
    return f"{_localized(Decimal(text), len(digits))}\u00a0%"


def _localized(amount: Decimal, decimals: int) -> str:
    text = formats.number_format(amount, decimal_pos=decimals, use_l10n=True, force_grouping=True)
    # A minus sign is as wide as a digit; a hyphen is not.
    return text.replace("-", "\u2212")
