"""What the forms of prices and markups have in common."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from core.errors import AppError
from gateway.catalog.registry import catalog
from gateway.errors import InvalidRequestError
from gateway.services.pricebook.book import models_by_key

LOSSES_SHOWN: Final = 10


class TimelyForm(forms.Form):
    """From when on something holds, why, and whether a loss is accepted."""

    active_from = forms.DateTimeField(
        label=gettext_lazy("From when on (UTC)"),
        required=False,
        help_text=gettext_lazy("Empty is now. Holds and quotes that exist keep their price."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=500, help_text=gettext_lazy("It is logged.")
    )
    allow_loss = forms.BooleanField(
        label=gettext_lazy("Set it though an image may cost more than it sells for"),
        required=False,
    )


class ModelField(forms.ChoiceField):
    """One id of each model to choose from; its other ids are taken for it."""

    def __init__(self, *, empty: object, **options: Any) -> None:  # noqa: ANN401 - a field's own
        """Name the choice of none."""
        super().__init__(choices=partial(_choices, empty), label=gettext_lazy("Model"), **options)

    def prepare_value(self, value: object) -> str:
        """Return the id that is shown."""
        return self.to_python(value)

    def to_python(self, value: object) -> str:
        """Return the id to choose; an unknown one as it is, to be refused."""
        name = super().to_python(value)
        model = catalog().find(name)
        return name if model is None else models_by_key()[model.key].id


def _choices(empty: object) -> list[tuple[str, object]]:
    ids = sorted(model.id for model in models_by_key().values())
    return [("", empty), *((name, name) for name in ids)]


def losses_of(error: AppError) -> Sequence[str]:
    """Return which images would sell at a loss, if it is that which was refused."""
    losses = error.details.get("losses") if isinstance(error, InvalidRequestError) else None
    return losses if isinstance(losses, list) else ()
