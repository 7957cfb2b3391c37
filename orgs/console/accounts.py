"""What allauth asks us: how people sign up, what is written to them, how secrets are kept."""

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import SignupForm as BaseSignupForm
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django import forms
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from orgs.console.account_mails import write_account_mail
from orgs.console.languages import chosen_language
from orgs.services.organizations import end_sessions
from orgs.services.signing import SEALED, SecretUnreadableError, seal, unseal

logger = logging.getLogger(__name__)


class SignupForm(BaseSignupForm):  # type: ignore[misc] # allauth has no types
    """Name, address and password."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "name", "autofocus": True}),
    )
    field_order = ("name", "email", "password1")

    def try_save(self, request: HttpRequest) -> tuple[Any, HttpResponse | None]:
        """Take as long for an address that has an account as for a new one."""
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        user, response = super().try_save(request)
        return user, response


class PasskeyForm(AddWebAuthnForm):  # type: ignore[misc] # allauth has no types
    """A new passkey; one signs in with it alone, unless that is not wanted."""

    name = forms.CharField(label=_("Name"), required=False, max_length=100)
    passwordless = forms.BooleanField(
        label=_("Sign in with it alone, without a password"),
        help_text=_("Otherwise it is a second factor, asked for after the password."),
        required=False,
        initial=True,
    )


class PasskeyNameForm(EditWebAuthnForm):  # type: ignore[misc] # allauth has no types
    """The name of a passkey."""

    name = forms.CharField(label=_("Name"), max_length=100)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth has no types
    """Accounts by e-mail address."""

    def save_user(
        self,
        request: HttpRequest,
        user: Any,  # noqa: ANN401 - allauth's
        form: Any,  # noqa: ANN401 - allauth's
        commit: bool = True,  # noqa: FBT001, FBT002 - allauth's
    ) -> Any:  # noqa: ANN401 - allauth's
        """Take the name from the form as well, and the language from the switch."""
        user.name = form.cleaned_data.get("name", "").strip()
        user.language = chosen_language(request)
        return super().save_user(request, user, form, commit)

    def set_password(self, user: Any, password: str) -> None:  # noqa: ANN401 - allauth's
        """Set it, and end every session but the one it is changed in."""
        super().set_password(user, password)
        end_sessions(user_id=user.pk, but_key=self.request.session.session_key)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Write a mail for the dispatcher; a mail server that is away holds nobody up."""
        write_account_mail(template_prefix=template_prefix, email=email, context=context)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc] # allauth has no types
    """Secrets of authenticator apps and recovery codes are encrypted; passkeys have a name."""

    def encrypt(self, text: str) -> str:
        """Encrypt a secret for its row."""
        return seal(text).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypt a secret; of one that cannot be, return another, by which no code is right."""
        # Secrets were kept as they are before they were sealed.
        if not encrypted_text.startswith(SEALED):
            return encrypted_text
        try:
            return unseal(encrypted_text.encode())
        except SecretUnreadableError:
            logger.error("account.secret_unreadable")  # noqa: TRY400 - a setting is wrong
            secret: str = generate_totp_secret()
            return secret

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Name the site as the browser's dialog shows it."""
        return {**super().get_public_key_credential_rp_entity(), "name": "Lienzo"}

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: A002, ANN401 - allauth's
        """Suggest the name of a new passkey."""
        if type == "webauthn":
            return str(_("My passkey"))
        name: str = super().generate_authenticator_name(user, type)
        return name
