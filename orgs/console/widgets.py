"""Widgets of forms: choices that are all seen at once, each with a line about it."""

from django import forms
from django.utils.functional import Promise, lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString

_TEMPLATE = "orgs/widgets/choices.html"
_format = lazy(format_html, SafeString)


class Checks(forms.CheckboxSelectMultiple):
    """Any number of choices. `label` names the group for screen readers."""

    template_name = _TEMPLATE
    option_inherits_attrs = False

    def __init__(self, *, label: str | Promise) -> None:
        super().__init__(attrs={"role": "group", "aria-label": label})


class Choice(forms.RadioSelect):
    """One of a few choices. `label` names the group for screen readers."""

    template_name = _TEMPLATE
    option_inherits_attrs = False

    def __init__(self, *, label: str | Promise) -> None:
        super().__init__(attrs={"role": "radiogroup", "aria-label": label})


def described(title: object, text: object) -> SafeString:
    """Return a choice's label with a line about it below, in the language it is drawn in."""
    return _format('{}<span class="form-check-description">{}</span>', title, text)
