"""Inviting people, and the page to which the mail's link leads."""

from http import HTTPStatus
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from core.clock import now
from core.errors import AppError, Category
from orgs.console.access import INVITATION, SignedInView
from orgs.console.administration.members import RoleForm
from orgs.console.administration.words import permission_table
from orgs.console.failures import AdministrationView, add_failure, explain, toast_failure
from orgs.permissions import Permission, Role
from orgs.selectors import User
from orgs.selectors.people import list_verified_addresses
from orgs.services import invitations


class InvitationForm(RoleForm):
    """Whom to invite, as what, and in which language the mail is."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        help_text=gettext_lazy("The link works for whoever has verified this address, once."),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language of the mail"), choices=settings.LANGUAGES
    )
    field_order = ("email", "role", "language")


class InviteView(AdministrationView):
    """Sends an invitation."""

    permission = Permission.MANAGE_MEMBERS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form; a developer is what most people become."""
        initial = {"role": Role.DEVELOPER.value, "language": self.organization.language}
        return self._page(request, InvitationForm(granter=self.membership.role, initial=initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Invite, and go back to the list."""
        form = InvitationForm(request.POST, granter=self.membership.role)
        if form.is_valid():
            try:
                sent = invitations.invite(
                    organization_id=self.organization.id,
                    link_to=_link_to,
                    actor=self.actor,
                    now=now(),
                    **form.cleaned_data,
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(
                    request,
                    _("The invitation is on its way to %(email)s.") % {"email": sent.email},
                )
                return redirect("members", organization_id=self.organization.id)
        return self._page(request, form)

    def _page(self, request: HttpRequest, form: InvitationForm) -> HttpResponse:
        context = {"form": form, "roles": list(Role), "permissions": permission_table()}
        return render(request, "console/members/invite.html", context)


class ResendInvitationView(AdministrationView):
    """Sends an invitation again, with a new link."""

    permission = Permission.MANAGE_MEMBERS

    def post(self, request: HttpRequest, invitation_id: UUID) -> HttpResponse:
        """Send it and go back to the list."""
        try:
            sent = invitations.resend(
                organization_id=self.organization.id,
                invitation_id=invitation_id,
                link_to=_link_to,
                actor=self.actor,
                now=now(),
            )
        except AppError as error:
            toast_failure(request, error)
        else:
            messages.success(
                request,
                _("It was sent to %(email)s again; the old link no longer works.")
                % {"email": sent.email},
            )
        return redirect("members", organization_id=self.organization.id)


class RevokeInvitationView(AdministrationView):
    """Takes an invitation back."""

    permission = Permission.MANAGE_MEMBERS

    def post(self, request: HttpRequest, invitation_id: UUID) -> HttpResponse:
        """Revoke it and go back to the list."""
        try:
            invitations.revoke(
                organization_id=self.organization.id,
                invitation_id=invitation_id,
                actor=self.actor,
                now=now(),
            )
        except AppError as error:
            toast_failure(request, error)
        else:
            messages.success(request, _("The invitation was taken back."))
        return redirect("members", organization_id=self.organization.id)


class InvitationView(View):
    """What whoever follows the link sees, signed in or not."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Show who invites to what, and how to go on."""
        try:
            invitation = invitations.read_invitation(token=token, now=now())
        except AppError as error:
            return _ended(request, error)
        user = request.user if isinstance(request.user, User) else None
        if user is None:
            # Signing up leads through a mail; this finds the way back from there.
            request.session[INVITATION] = token
        addresses = list_verified_addresses(user_id=user.id) if user else []
        context = {
            "invitation": invitation,
            "token": token,
            "is_for_user": invitation.email.lower() in addresses,
        }
        return render(request, "console/members/invitation.html", context)


class AcceptInvitationView(SignedInView):
    """Makes whoever is signed in a member."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Lead to the page with the button, for those who had to sign in first."""
        return redirect("invitation", token=token)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Accept, and go to the organization."""
        try:
            membership = invitations.accept(
                token=token,
                user=self.user,
                verified_emails=list_verified_addresses(user_id=self.user.id),
                actor=self.actor,
                now=now(),
            )
        except AppError as error:
            if error.code == "invitation_for_another":
                return redirect("invitation", token=token)
            return _ended(request, error)
        request.session.pop(INVITATION, None)
        messages.success(
            request,
            _("Welcome to %(organization)s.") % {"organization": membership.organization.name},
        )
        return redirect("home", organization_id=membership.organization_id)


def _ended(request: HttpRequest, error: AppError) -> HttpResponse:
    request.session.pop(INVITATION, None)
    is_unknown = error.category == Category.NOT_FOUND
    status = HTTPStatus.NOT_FOUND if is_unknown else HTTPStatus.GONE
    context = {"reason": explain(error)}
    return render(request, "console/members/invitation_ended.html", context, status=status)


def _link_to(token: str) -> str:
    return f"{settings.PUBLIC_BASE_URL}{reverse('invitation', kwargs={'token': token})}"
