"""Accounts of the identity provider, if one is configured (`OIDC_ISSUER_URL`)."""

import logging
from typing import Any, Final

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.base import AuthError
from allauth.socialaccount.providers.openid_connect.views import login
from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from requests import RequestException, Session

from orgs.console.languages import chosen_language

_FAILED: Final = _("Signing in at your identity provider did not work. Nothing was changed.")
logger = logging.getLogger(__name__)


class SingleSignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc] # allauth has no types
    """Knows people by the addresses that their identity provider has verified, and by no others."""

    def get_requests_session(self) -> Session:
        """Give back the database connection before the identity provider is asked."""
        if not connection.in_atomic_block:
            connection.close()
        session: Session = super().get_requests_session()
        return session

    def can_authenticate_by_email(self, login: Any, email: str) -> bool:  # noqa: ANN401 - allauth's
        """Say whether an address leads to the account that has it."""
        return _is_verified(login) and super().can_authenticate_by_email(login, email)

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:  # noqa: ANN401
        """Refuse an address that the identity provider has not verified itself.

        Raises:
            ImmediateHttpResponse: Leads back to the sign-in page, with the reason.
        """
        if sociallogin.is_existing or _is_verified(sociallogin):
            return
        messages.error(request, _("Your identity provider has not verified your address."))
        raise ImmediateHttpResponse(redirect("account_login"))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,  # noqa: ANN401 - allauth's
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: object = None,
    ) -> None:
        """Say what went wrong on the sign-in page, and why in the log.

        Raises:
            ImmediateHttpResponse: Always.
        """
        reason = type(exception).__name__ if exception else request.GET.get("error", "state")
        logger.warning("single_sign_on.failed reason=%.60r", reason)
        if error == AuthError.CANCELLED:
            messages.info(request, _("You stopped signing in at your identity provider."))
        else:
            messages.error(request, _FAILED)
        raise ImmediateHttpResponse(redirect("account_login"))

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:  # noqa: ANN401
        """Take the name as the identity provider has it."""
        user = super().populate_user(request, sociallogin, data)
        parts = (data.get("first_name"), data.get("last_name"))
        user.name = (data.get("name") or " ".join(filter(None, parts)))[:200]
        user.language = chosen_language(request)
        return user


def begin(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Lead to the identity provider; one that is away is said so on the sign-in page."""
    try:
        response: HttpResponse = login(request, provider_id)
    except RequestException as error:
        logger.warning("single_sign_on.away reason=%s", type(error).__name__)
        messages.error(request, _FAILED)
        return redirect("account_login")
    return response


def _is_verified(sociallogin: Any) -> bool:  # noqa: ANN401 - allauth's
    """Say whether the identity provider vouches for the address.

    Some send the claim as a text, of which "false" would be true as well.
    """
    return any(str(one.verified).lower() == "true" for one in sociallogin.email_addresses)
