"""Who can see an organization's images, and how long they and prompts are kept."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.clock import now
from gateway.services.gallery.retention import COUNTED, Loss, count_loss
from orgs.console.administration.settings import SettingsFormView, tabs_of
from orgs.console.widgets import Choice, described
from orgs.services.organization_settings import LONGEST_RETENTION_DAYS

CONFIRMATION: Final = "confirmation"


class ImageForm(forms.Form):
    """Who can see images, and how long they and prompts are kept."""

    image_policy = forms.ChoiceField(
        label=gettext_lazy("Addresses of images"),
        choices=[
            (
                "public",
                described(
                    gettext_lazy("Public"),
                    gettext_lazy("Whoever has the address sees the image, for good."),
                ),
            ),
            (
                "signed",
                described(
                    gettext_lazy("Signed"),
                    gettext_lazy("Each address works for a while and is then asked for again."),
                ),
            ),
        ],
        help_text=gettext_lazy("It holds for images to come; those there are keep theirs."),
        widget=Choice(label=gettext_lazy("Addresses of images")),
    )
    image_retention_days = forms.IntegerField(
        label=gettext_lazy("Keep images for (days)"),
        required=False,
        min_value=1,
        max_value=LONGEST_RETENTION_DAYS,
        help_text=gettext_lazy("Older ones are deleted for good. Empty keeps them for ever."),
    )
    prompt_retention_days = forms.IntegerField(
        label=gettext_lazy("Keep prompts for (days)"),
        required=False,
        min_value=1,
        max_value=LONGEST_RETENTION_DAYS,
        help_text=gettext_lazy("Apart from images; what they cost stays. Empty keeps them."),
    )
    developers_see_prompts = forms.BooleanField(
        label=gettext_lazy("Developers see everybody's prompts, not only their own"),
        required=False,
    )


class ImageSettingsView(SettingsFormView):
    """Image policy, retention, and who sees prompts.

    A retention that deletes something at its next run is saved once the organization's name is
    typed.
    """

    form_class = ImageForm
    url_name = "image_settings"
    text = gettext_lazy("Who can see images and prompts, and how long they are kept.")

    def post(self, request: HttpRequest) -> HttpResponse:
        """Change them, all or none; first say what a shorter retention deletes."""
        form = self.form_class(request.POST)
        typed = request.POST.get(CONFIRMATION, "").strip()
        if form.is_valid() and typed != self.organization.name:
            loss = self._loss(form.cleaned_data)
            if loss.images or loss.prompts:
                if CONFIRMATION in request.POST:
                    messages.error(request, _("That is not the organization's name."))
                return self._ask(request, form, loss)
        return super().post(request)

    def _loss(self, asked: Mapping[str, Any]) -> Loss:
        """Return what goes that would stay as it is set now."""

        def shorter(name: str) -> int | None:
            days: int | None = asked[name]
            present: int | None = getattr(self.organization, name)
            return None if days is None or (present is not None and days >= present) else days

        return count_loss(
            organization_id=self.organization.id,
            image_days=shorter("image_retention_days"),
            prompt_days=shorter("prompt_retention_days"),
            now=now(),
        )

    def _ask(self, request: HttpRequest, form: forms.Form, loss: Loss) -> HttpResponse:
        context = {
            "form": form,
            "text": self.text,
            "tabs": tabs_of(self),
            "loss": loss,
            "counted": COUNTED,
            "name": self.organization.name,
        }
        return render(request, "console/settings/images.html", context)
