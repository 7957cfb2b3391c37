"""Which models an organization uses."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from gateway.catalog.registry import catalog
from gateway.console.key_forms import listed_id, model_choices
from orgs.console.administration.settings import SettingsFormView
from orgs.console.widgets import Checks


def _default_choices() -> list[tuple[str, object]]:
    ids = sorted({model.id for model in catalog().models()})
    return [("", gettext_lazy("The platform's")), *((one, one) for one in ids)]


class ModelForm(forms.Form):
    """The default, what is allowed, and whether another may stand in."""

    default_model = forms.ChoiceField(
        label=gettext_lazy("Default model"),
        required=False,
        choices=_default_choices,
        help_text=gettext_lazy("For requests that name none."),
    )
    allowed_models = forms.MultipleChoiceField(
        label=gettext_lazy("Allowed models"),
        required=False,
        choices=model_choices,
        help_text=gettext_lazy(
            "None chosen means every model, those to come included. A key's own list restricts"
            " beside this one."
        ),
        widget=Checks(label=gettext_lazy("Allowed models")),
    )
    allow_substitution = forms.BooleanField(
        label=gettext_lazy("When a provider has retired a model, its successor may stand in"),
        required=False,
        help_text=gettext_lazy("At the price of the model that was asked for."),
    )


class ModelSettingsView(SettingsFormView):
    """Default and allowed models, and substitution."""

    form_class = ModelForm
    url_name = "model_settings"
    text = gettext_lazy("Which models your organization uses.")

    def present(self) -> dict[str, Any]:
        """Return the settings as they are, models by the ids that the form lists."""
        found = super().present()
        return found | {"allowed_models": [listed_id(one) for one in found["allowed_models"]]}

    @property
    def is_known_model(self) -> Callable[[str], bool]:
        """Say which models the catalog has."""
        return lambda model_id: catalog().find(model_id) is not None
