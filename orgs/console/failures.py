"""What services refuse, in the reader's language: at the field of a form, or as a toast."""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.errors import AppError, Category
from orgs.console.access import OrganizationView

# By code, and where a code says too little by the field that is to blame.
_WORDS: Final[Mapping[tuple[str, str | None], Promise]] = {
    ("last_owner", None): _(
        "An organization has at least one owner. Make another member an owner first."
    ),
    ("member_has_keys", None): _("Say what becomes of the API keys of this person."),
    ("already_member", "email"): _("Somebody with this address is a member already."),
    ("invalid_value", "email"): _("This address is invited already. Send that invitation again."),
    ("invitation_not_found", None): _(
        "This invitation is unknown, or a newer mail has replaced it."
    ),
    ("invitation_expired", None): _("This invitation has expired. Ask for a new one."),
    ("invitation_revoked", None): _("This invitation was taken back."),
    ("invitation_used", None): _("This invitation was accepted already. It works once."),
    ("organization_closed", None): _(
        "This organization is to be deleted: nothing of it can be changed."
    ),
    ("rate_decided", None): _("This rate was decided already, or its time has passed."),
    ("revoked_api_key", None): _("This API key was revoked."),
    ("expired_api_key", None): _("This API key has expired. Create a new one."),
    ("invalid_value", "url"): _(
        "Webhooks go to https URLs at public addresses, without a user name or password."
    ),
    ("invalid_value", "default_model"): _(
        "Choose a default model: without substitution the usual one may be retired."
    ),
    ("invalid_value", "monthly_cap"): _("The cap is below one top-up with its tax."),
    ("invalid_value", "treatment"): _(
        "A reverse charge needs the country and the tax id in the billing profile."
    ),
    ("currency_fixed", None): _(
        "The currency can no longer change: money has moved, or is about to."
    ),
    ("payments_unavailable", None): _(
        "The payment provider does not answer. Nothing was charged; try again in a minute."
    ),
    ("payment_closed", None): _("This was decided already."),
    ("total_not_seen", None): _("This is the total with tax. Go on if you agree."),
    ("grant_closed", None): _("This was decided already."),
    ("reference_used", "reference"): _("A payment of this reference is recorded already."),
    ("invalid_value", "expires_at"): _("It must be to come, and at most ten years away."),
    **{
        ("invalid_value", day): _("The day must be from 1999 to today.")
        for day in ("received_on", "arrived_on", "paid_on")
    },
    **{
        ("invalid_value", country): _("No country has this code. The United Kingdom is GB.")
        for country in ("country", "billing_country")
    },
    ("self_approval", None): _("Another person has to decide about what you asked for."),
    ("refund_exists", None): _("An image of these is refunded, or asked for, already."),
    ("insufficient_balance", None): _("Less is available than that. Nothing was booked."),
    ("currency_mismatch", "currency"): _("The wallet is in another currency."),
    ("currency_fixed", "budgets"): _("Remove the budgets first: they are in the present currency."),
    ("difference_decided", None): _("This difference was decided already."),
    ("file_imported", "file"): _("This very file was imported before."),
    ("reference_used", "payout_reference"): _("This payout is booked already."),
    ("reference_used", "bank_reference"): _("A payment of this reference is recorded already."),
    ("period_closed", None): _("This month is closed: nothing takes effect in it any more."),
    ("period_not_ready", None): _("This month cannot be closed yet. See what is not done below."),
    ("impersonation_read_only", None): _("You are looking on as this person: nothing is changed."),
}


class AdministrationView(OrganizationView):
    """A page whose services may refuse: what is not there is 404, what is not allowed 403."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        """Serve, and translate what no form or toast shows.

        Raises:
            Http404: The organization has no such thing.
            PermissionDenied: It is not this person's to do.
        """
        try:
            return super().dispatch(request, *args, **kwargs)
        except AppError as error:
            if error.category == Category.NOT_FOUND:
                raise Http404 from error
            if error.category == Category.PERMISSION:
                raise PermissionDenied from error
            raise


def explain(error: AppError) -> str:
    """Return a refusal as a sentence for people; one without a translation as it is."""
    words = _WORDS.get((error.code, error.param)) or _WORDS.get((error.code, None))
    return str(words) if words is not None else error.message


def add_failure(form: Form, error: AppError) -> None:
    """Show a refusal at the field that is to blame, or above the form.

    Raises:
        AppError: It is about what is not there, or not allowed: no value would help.
    """
    _raise_unless_mendable(error)
    form.add_error(error.param if error.param in form.fields else None, explain(error))


def toast_failure(request: HttpRequest, error: AppError) -> None:
    """Show a refusal on the page that follows.

    Raises:
        AppError: As `add_failure`.
    """
    _raise_unless_mendable(error)
    messages.error(request, explain(error))


def _raise_unless_mendable(error: AppError) -> None:
    if error.category in (Category.NOT_FOUND, Category.PERMISSION):
        raise error
