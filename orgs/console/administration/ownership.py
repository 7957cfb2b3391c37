"""Who owns an organization, and its end."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.clock import now
from core.errors import AppError
from orgs.console.administration.settings import tabs_of
from orgs.console.failures import AdministrationView, add_failure, toast_failure
from orgs.permissions import Permission
from orgs.selectors.people import MemberView, list_members
from orgs.services.lifecycle import DELETION_RETENTION, cancel_deletion, request_deletion
from orgs.services.members import transfer_ownership


class TransferForm(forms.Form):
    """Who becomes the owner."""

    member = forms.ChoiceField(label=gettext_lazy("New owner"))

    def __init__(self, *args: object, heirs: list[MemberView], **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type] # a form's own arguments
        field = self.fields["member"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        field.choices = [
            ("", _("Choose")),
            *((str(heir.user_id), heir.email) for heir in heirs),
        ]


class DeletionForm(forms.Form):
    """The organization's name, typed by whoever asks for its deletion."""

    name = forms.CharField(
        label=gettext_lazy("Name of the organization"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class OwnershipView(AdministrationView):
    """Transfer, deletion and leaving; each member sees what is theirs to do."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the forms."""
        return self.page(request)

    def page(
        self,
        request: HttpRequest,
        *,
        transfer_form: TransferForm | None = None,
        deletion_form: DeletionForm | None = None,
    ) -> HttpResponse:
        """Return the page, with a form as it was sent."""
        heirs = self.heirs()
        context = {
            "tabs": tabs_of(self),
            "heirs": heirs,
            "may_transfer": self.may(Permission.TRANSFER_OWNERSHIP),
            "may_delete": self.may(Permission.DELETE_ORGANIZATION),
            "transfer_form": transfer_form or TransferForm(heirs=heirs),
            "deletion_form": deletion_form or DeletionForm(),
            "retention_days": DELETION_RETENTION.days,
        }
        return render(request, "console/settings/ownership.html", context)

    def heirs(self) -> list[MemberView]:
        """Return who may become the owner."""
        members = list_members(organization_id=self.organization.id)
        return [one for one in members if one.user_id != self.user.id]

    def back(self) -> HttpResponse:
        """Lead to the page with the forms."""
        return redirect("organization_ownership", organization_id=self.organization.id)


class TransferOwnershipView(OwnershipView):
    """Makes another member the owner."""

    permission = Permission.TRANSFER_OWNERSHIP

    def get(self, request: HttpRequest) -> HttpResponse:
        """Lead to the page with the form."""
        return self.back()

    def post(self, request: HttpRequest) -> HttpResponse:
        """Transfer; whoever asks becomes an admin."""
        form = TransferForm(request.POST, heirs=self.heirs())
        if form.is_valid():
            try:
                transfer_ownership(
                    organization_id=self.organization.id,
                    to_user_id=UUID(form.cleaned_data["member"]),
                    actor=self.actor,
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The organization has a new owner. You are an admin."))
                return redirect("members", organization_id=self.organization.id)
        return self.page(request, transfer_form=form)


class DeleteOrganizationView(OwnershipView):
    """Asks for the organization's deletion."""

    permission = Permission.DELETE_ORGANIZATION

    def get(self, request: HttpRequest) -> HttpResponse:
        """Lead to the page with the form."""
        return self.back()

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask for it, if the name is right."""
        form = DeletionForm(request.POST)
        if form.is_valid():
            try:
                request_deletion(
                    organization_id=self.organization.id,
                    name=form.cleaned_data["name"],
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.warning(request, _("The organization is to be deleted. You may cancel."))
                return self.back()
        return self.page(request, deletion_form=form)


class CancelDeletionView(OwnershipView):
    """Keeps the organization after all."""

    permission = Permission.DELETE_ORGANIZATION

    def get(self, request: HttpRequest) -> HttpResponse:
        """Lead to the page with the button."""
        return self.back()

    def post(self, request: HttpRequest) -> HttpResponse:
        """Cancel the deletion."""
        try:
            cancel_deletion(organization_id=self.organization.id, actor=self.actor)
        except AppError as error:
            toast_failure(request, error)
        else:
            messages.success(request, _("The organization stays. Its API keys stay revoked."))
        return self.back()
