"""Who belongs to an organization: the list, one member, and leaving."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.clock import now
from core.errors import AppError
from orgs.console.administration.words import permission_table
from orgs.console.failures import AdministrationView, add_failure
from orgs.permissions import Permission, Role, may_grant
from orgs.selectors.api_keys import list_keys
from orgs.selectors.people import MemberView, list_members, list_open_invitations
from orgs.services.members import change_role, remove_member
from orgs.templatetags.console import role_name

REVOKE = "revoke"


class RoleForm(forms.Form):
    """A role that the person at the page may give."""

    role = forms.ChoiceField(label=gettext_lazy("Role"))

    def __init__(self, *args: object, granter: str, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type] # a form's own arguments
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        field.choices = [(role.value, role_name(role)) for role in Role if may_grant(granter, role)]


class DepartureForm(forms.Form):
    """What becomes of the API keys of somebody who goes."""

    keys = forms.ChoiceField(
        label=gettext_lazy("Their API keys"),
        help_text=gettext_lazy("Keys that are handed over go on working as they are."),
    )

    def __init__(self, *args: object, heirs: list[MemberView], **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type] # a form's own arguments
        field = self.fields["keys"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        field.choices = [
            ("", _("Choose")),
            (REVOKE, _("Revoke them")),
            *(
                (str(heir.user_id), _("Hand them to %(member)s") % {"member": heir.email})
                for heir in heirs
            ),
        ]

    @property
    def heir_id(self) -> UUID | None:
        """Return who gets the keys; None if they are revoked."""
        chosen = self.cleaned_data["keys"]
        return None if chosen == REVOKE else UUID(chosen)


class MembersView(AdministrationView):
    """All members, who is invited, and what each role may do."""

    permission = Permission.VIEW_MEMBERS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the lists and the table of permissions."""
        may_manage = self.may(Permission.MANAGE_MEMBERS)
        invitations = (
            list_open_invitations(organization_id=self.organization.id) if may_manage else []
        )
        context = {
            "members": list_members(organization_id=self.organization.id),
            "invitations": invitations,
            "may_manage": may_manage,
            "roles": list(Role),
            "permissions": permission_table(),
            "now": now(),
        }
        return render(request, "console/members/list.html", context)


class MemberPageView(AdministrationView):
    """One member: a change of role, or taking them out of the organization."""

    permission = Permission.MANAGE_MEMBERS

    def get(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        """Show both forms."""
        return self._page(request, user_id)

    def post(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        """Change the role."""
        form = RoleForm(request.POST, granter=self.membership.role)
        if form.is_valid():
            try:
                changed = change_role(
                    organization_id=self.organization.id,
                    user_id=user_id,
                    role=form.cleaned_data["role"],
                    actor=self.actor,
                )
            except AppError as error:
                add_failure(form, error)
            else:
                words = {"member": changed.user.email, "role": role_name(changed.role)}
                messages.success(request, _("%(member)s is now: %(role)s.") % words)
                return redirect("members", organization_id=self.organization.id)
        return self._page(request, user_id, role_form=form)

    def _page(
        self,
        request: HttpRequest,
        user_id: UUID,
        *,
        role_form: RoleForm | None = None,
        departure_form: DepartureForm | None = None,
    ) -> HttpResponse:
        members = list_members(organization_id=self.organization.id)
        member = next((one for one in members if one.user_id == user_id), None)
        if member is None:
            raise Http404
        heirs = [one for one in members if one.user_id != user_id and one.role != Role.VIEWER]
        context = {
            "member": member,
            "keys": list_keys(
                organization_id=self.organization.id,
                owner_id=user_id,
                with_ended=False,
                now=now(),
            ),
            "may_change": may_grant(self.membership.role, member.role),
            "is_self": user_id == self.user.id,
            "role_form": role_form
            or RoleForm(granter=self.membership.role, initial={"role": member.role}),
            "departure_form": departure_form or DepartureForm(heirs=heirs),
            "roles": list(Role),
            "permissions": permission_table(),
        }
        return render(request, "console/members/detail.html", context)


class RemoveMemberView(MemberPageView):
    """Takes somebody out of the organization."""

    def get(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        """Lead to the member's page, where the form is."""
        return redirect("member", organization_id=self.organization.id, user_id=user_id)

    def post(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        """Remove them, with what was said of their keys."""
        members = list_members(organization_id=self.organization.id)
        heirs = [one for one in members if one.user_id != user_id and one.role != Role.VIEWER]
        member = next((one for one in members if one.user_id == user_id), None)
        form = DepartureForm(request.POST, heirs=heirs)
        form.fields["keys"].required = member is not None and member.keys > 0
        if form.is_valid():
            try:
                _depart(self, form, user_id)
            except AppError as error:
                add_failure(form, error)
            else:
                gone = member.email if member else ""
                messages.success(request, _("%(member)s is no longer a member.") % {"member": gone})
                return redirect("members", organization_id=self.organization.id)
        return self._page(request, user_id, departure_form=form)


class LeaveView(AdministrationView):
    """Leaving an organization; every role may."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Say what leaving means."""
        return self._page(request, self._form())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Leave, with what was said of one's keys."""
        form = self._form(request)
        if form.is_valid():
            try:
                _depart(self, form, self.user.id)
            except AppError as error:
                add_failure(form, error)
            else:
                name = self.organization.name
                messages.success(request, _("You have left %(name)s.") % {"name": name})
                return redirect("root")
        return self._page(request, form)

    def _form(self, request: HttpRequest | None = None) -> DepartureForm:
        self.members = list_members(organization_id=self.organization.id)
        own = next(one for one in self.members if one.user_id == self.user.id)
        heirs = [one for one in self.members if one is not own and one.role != Role.VIEWER]
        form = DepartureForm(request.POST if request else None, heirs=heirs)
        form.fields["keys"].label = _("Your API keys")
        form.fields["keys"].required = own.keys > 0
        self.keys = own.keys
        return form

    def _page(self, request: HttpRequest, form: DepartureForm) -> HttpResponse:
        owners = [one for one in self.members if one.role == Role.OWNER]
        is_last_owner = [one.user_id for one in owners] == [self.user.id]
        context = {"form": form, "keys": self.keys, "is_last_owner": is_last_owner}
        return render(request, "console/members/leave.html", context)


def _depart(view: AdministrationView, form: DepartureForm, user_id: UUID) -> None:
    chosen = form.cleaned_data["keys"]
    remove_member(
        organization_id=view.organization.id,
        user_id=user_id,
        actor=view.actor,
        now=now(),
        keys_to=form.heir_id if chosen else None,
        revoke_keys=chosen == REVOKE,
    )
