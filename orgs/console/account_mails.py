"""Mail about accounts, in place of allauth's texts: written to be sent, never sent in a request."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.clock import now
from orgs.console.devices import device_name
from orgs.selectors import User
from orgs.services.mails import write_mail

# What leads somewhere: our text, and the name that allauth gives the link.
LINKS: Final[Mapping[str, tuple[str, str]]] = {
    "account/email/email_confirmation": ("confirm_address", "activate_url"),
    "account/email/email_confirmation_signup": ("confirm_address", "activate_url"),
    "account/email/account_already_exists": ("account_exists", "password_reset_url"),
    "account/email/unknown_account": ("unknown_account", "signup_url"),
    "account/email/password_reset_key": ("reset_password", "password_reset_url"),
}
# What tells of a change, so that nobody makes one unseen.
CHANGES: Final[Mapping[str, Promise]] = {
    "account/email/password_changed": _("Your password was changed"),
    "account/email/password_reset": _("Your password was reset"),
    "account/email/password_set": _("Your account was given a password"),
    "account/email/email_changed": _("Your e-mail address was changed"),
    "account/email/email_deleted": _("An e-mail address was removed from your account"),
    "mfa/email/totp_activated": _("An authenticator app was added to your account"),
    "mfa/email/totp_deactivated": _("The authenticator app was removed from your account"),
    "mfa/email/recovery_codes_generated": _("Your account got new recovery codes"),
    "mfa/email/webauthn_added": _("A passkey was added to your account"),
    "mfa/email/webauthn_removed": _("A passkey was removed from your account"),
    "socialaccount/email/account_connected": _("Single sign-on was connected to your account"),
    "socialaccount/email/account_disconnected": _(
        "Single sign-on was disconnected from your account"
    ),
}


def write_account_mail(*, template_prefix: str, email: str, context: Mapping[str, Any]) -> None:
    """Write one of allauth's mails, in its reader's language. Joins the caller's transaction.

    Raises:
        KeyError: allauth has a mail that this product does not know.
    """
    if template_prefix in LINKS:
        kind, name = LINKS[template_prefix]
        words: Mapping[str, object] = {"email": email, "link": public_url(context[name])}
    else:
        kind, words = "account_changed", _change(template_prefix, context)
    with translation.override(_language_of(context.get("user"))):
        write_mail(
            kind=kind,
            recipient=email,
            language=translation.get_language() or "",
            context={name: str(value) for name, value in words.items()},
            now=now(),
        )


def public_url(url: str) -> str:
    """Return a URL of ours at the public address, whatever host the request named.

    Else whoever sends a request with a host of theirs gets its secret link sent in our name.
    """
    parts = urlsplit(url)
    return f"{settings.PUBLIC_BASE_URL}{parts.path}{'?' if parts.query else ''}{parts.query}"


def _change(template_prefix: str, context: Mapping[str, Any]) -> dict[str, object]:
    return {
        "what": CHANGES[template_prefix],
        "address": context.get("to_email") or context.get("deleted_email") or "",
        "ip": context["ip"],
        "device": device_name(context["user_agent"]),
        "at": f"{context['timestamp']:%Y-%m-%d %H:%M} UTC",
        "link": public_url(reverse("account_reset_password")),
    }


def _language_of(user: object) -> str:
    """Return the language of a mail's reader; that of the page if they never chose one."""
    chosen = user.language if isinstance(user, User) else ""
    return chosen or translation.get_language() or settings.LANGUAGE_CODE
