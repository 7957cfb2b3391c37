"""Parts of forms: choices seen at once, each with a line about it; naming an organization."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.utils.functional import Promise, lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orgs.selectors.organizations import find_organizations

_TEMPLATE = "orgs/widgets/choices.html"
_NAMESAKES: Final = 5
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2999
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


class DayField(forms.DateField):
    """A day of a period; one that has neighbors in every zone, unlike the first and the last."""

    def validate(self, value: Any) -> None:  # noqa: ANN401 - a field's own
        """Refuse what is no day of a business.

        Raises:
            ValidationError: It is before 1970 or after 2999.
        """
        super().validate(value)
        if value is not None and not _FIRST_YEAR <= value.year <= _LAST_YEAR:
            raise forms.ValidationError(self.error_messages["invalid"])


class OrganizationField(forms.CharField):
    """An organization by its id or, for staff, by its name. Its value is the id."""

    default_help_text = gettext_lazy("Its name, or its id as its pages show it.")

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - a field's own
        options.setdefault("label", gettext_lazy("Organization"))
        options.setdefault("help_text", self.default_help_text)
        super().__init__(widget=forms.TextInput(attrs={"autocomplete": "off"}), **options)

    def to_python(self, value: object) -> UUID | None:  # type: ignore[override] # not text
        """Return the id; whether there is an organization of an id, services find out. One query.

        Raises:
            ValidationError: None or several organizations have that name.
        """
        if isinstance(value, UUID):
            return value
        text = super().to_python(value) or ""
        if not text:
            return None
        try:
            return UUID(text)
        except ValueError:
            return self._named(text)

    def _named(self, name: str) -> UUID:
        found = find_organizations(name=name, limit=_NAMESAKES + 1)
        if not found:
            raise forms.ValidationError(_("No organization has this name or id."))
        if len(found) > 1:
            ids = ", ".join(str(one.id) for one in found[:_NAMESAKES])
            more = " …" if len(found) > _NAMESAKES else ""
            raise forms.ValidationError(
                _("Several organizations have this name. Give the id of one: %(ids)s.")
                % {"ids": ids + more}
            )
        return found[0].id
