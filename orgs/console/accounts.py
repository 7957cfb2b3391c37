"""What allauth asks us: how people sign up, and where they go once they are in."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import SignupForm as BaseSignupForm
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django import forms
from django.contrib import messages
from django.core.mail import EmailMessage
from django.db import connection
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _


class SignupForm(BaseSignupForm):  # type: ignore[misc] # allauth has no types
    """Name, address and password."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "name", "autofocus": True}),
    )
    field_order = ("name", "email", "password1")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth has no types
    """Accounts by e-mail address."""

    def save_user(
        self,
        request: HttpRequest,
        user: Any,  # noqa: ANN401 - allauth's
        form: Any,  # noqa: ANN401 - allauth's
        commit: bool = True,  # noqa: FBT001, FBT002 - allauth's
    ) -> Any:  # noqa: ANN401 - allauth's
        """Take the name from the form as well."""
        user.name = form.cleaned_data.get("name", "").strip()
        return super().save_user(request, user, form, commit)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail, holding no database connection meanwhile."""
        message = self._message(template_prefix, email, context)
        if not connection.in_atomic_block:
            connection.close()
        message.send()

    def _message(self, template_prefix: str, email: str, context: dict[str, Any]) -> EmailMessage:
        message: EmailMessage = self.render_mail(
            template_prefix, email, {"request": self.request, "email": email, **context}
        )
        return message


class SingleSignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc] # allauth has no types
    """Accounts of the organization's identity provider, known by their verified addresses."""

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:  # noqa: ANN401
        """Refuse an address that the identity provider has not verified itself.

        Raises:
            ImmediateHttpResponse: Leads back to the sign-in page, with the reason.
        """
        if sociallogin.is_existing or any(one.verified for one in sociallogin.email_addresses):
            return
        messages.error(request, _("Your identity provider has not verified your address."))
        raise ImmediateHttpResponse(redirect("account_login"))

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:  # noqa: ANN401
        """Take the name as the identity provider has it."""
        user = super().populate_user(request, sociallogin, data)
        parts = (data.get("first_name"), data.get("last_name"))
        user.name = data.get("name") or " ".join(filter(None, parts))
        return user
