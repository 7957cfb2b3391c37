"""Paying by card on Stripe's own page."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from billing.errors import PaymentsUnavailableError, TotalNotSeenError
from billing.models import Payment, PaymentCustomer
from billing.money import format_amount
from billing.services.payments.amounts import check_payable, to_minor
from billing.services.payments.failures import end_payment
from billing.services.payments.stripe_api import (
    create_customer,
    create_session,
    is_configured,
    is_sandbox,
)
from billing.services.taxes.amounts import add_tax
from orgs.errors import OrganizationClosedError, OrganizationNotFoundError
from orgs.models import Organization, lock_organization
from orgs.permissions import Permission
from orgs.services.audit import Action, Actor, Target, record, require_permission

# Stripe's least is half an hour.
_OPEN_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Places:
    """Where Stripe's page leads back to; `{payment}` stands for the payment's id."""

    paid_url: str
    canceled_url: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to add to a wallet, in micros of its currency.

    Attributes:
        net_micros: For the wallet, before tax.
        seen_micros: The total with tax that they were shown; None where they saw none.
        saves_card: Whether the card may be charged again while its holder is away.
    """

    net_micros: int
    seen_micros: int | None = None
    saves_card: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """A payment that has been started, and where the customer pays it."""

    payment_id: UUID
    url: str


def start_checkout(
    *,
    organization_id: UUID,
    wanted: Wanted,
    places: Places,
    actor: Actor,
    now: datetime,
) -> Started:
    """Start a payment by card. Nothing is credited until Stripe says that it was paid.

    The payment's row is committed before Stripe is called, and ends as failed if that refuses. Its
    tax is decided here, and holds when the money comes.

    Args:
        organization_id: Whose wallet.
        wanted: How much.
        places: Where to come back to.
        actor: Needs `top_up`.
        now: When.

    Raises:
        PermissionDeniedError: The actor may not.
        OrganizationClosedError: The organization is to be deleted.
        InvalidAmountError: The amount is outside the limits.
        TotalNotSeenError: There is tax, and the total is not the one that they were shown.
        PaymentsUnavailableError: Payments by card are not set up, or Stripe does not answer.
    """
    if not is_configured():
        raise PaymentsUnavailableError("Payments by card are not set up.")
    payment, organization = commit_payment(organization_id, wanted, actor, now)
    try:
        customer_id = ensure_customer(organization)
        session = create_session(
            params=_session_params(payment, organization, customer_id, places, now),
            payment_id=payment.id,
        )
    except PaymentsUnavailableError:
        _fail(payment, now)
        raise
    Payment.objects.filter(id=payment.id).update(session_id=session.id)
    return Started(payment.id, session.url)


def ensure_customer(organization: Organization) -> str:
    """Return what an organization is called at Stripe, making it a customer once."""
    known = PaymentCustomer.objects.filter(organization=organization).first()
    if known is not None:
        return known.customer_id
    customer_id = create_customer(
        organization_id=organization.id,
        name=organization.legal_name or organization.name,
        email=organization.billing_email,
    )
    PaymentCustomer.objects.get_or_create(
        organization=organization, defaults={"customer_id": customer_id}
    )
    return customer_id


def intent_metadata(payment: Payment) -> dict[str, str]:
    """Return what Stripe keeps with a payment, by which it is known again."""
    return {"payment": str(payment.id), "organization": str(payment.organization_id)}


def commit_payment(
    organization_id: UUID, wanted: Wanted, actor: Actor, now: datetime
) -> tuple[Payment, Organization]:
    """Write the row of a payment by card that is about to be started; as `start_checkout`."""
    with transaction.atomic():
        require_permission(
            organization_id=organization_id, actor=actor, permission=Permission.TOP_UP
        )
        # The currency must not change between being read and being paid in.
        organization = lock_organization(organization_id)
        if organization is None:
            raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
        if organization.deletion_requested_at is not None:
            raise OrganizationClosedError("This organization is to be deleted.")
        check_payable(wanted.net_micros, organization.currency)
        amount = add_tax(organization, wanted.net_micros, at=now)
        if amount.tax_micros and wanted.seen_micros != amount.gross_micros:
            raise TotalNotSeenError("This is the total with tax. Go on if you agree.")
        payment = Payment.objects.create(
            organization=organization,
            kind=Payment.Kind.CHECKOUT,
            **amount.columns(),
            is_sandbox=is_sandbox(),
            saves_card=wanted.saves_card,
            requested_by_id=actor.user_id,
            created_at=now,
        )
        record(
            action=Action.PAYMENT_STARTED,
            actor=actor,
            organization_id=organization_id,
            target=Target("payment", payment.id, organization.name),
            after={
                "amount": f"{format_amount(payment.gross_micros, payment.currency)} "
                f"{payment.currency}"
            },
        )
    return payment, organization


def _session_params(
    payment: Payment,
    organization: Organization,
    customer_id: str,
    places: Places,
    now: datetime,
) -> dict[str, Any]:
    intent: dict[str, Any] = {"metadata": intent_metadata(payment)}
    if payment.saves_card:
        intent["setup_future_usage"] = "off_session"
    return {
        "mode": "payment",
        "customer": customer_id,
        "client_reference_id": str(payment.id),
        "payment_method_types": ["card"],
        "line_items": _line_items(payment, organization),
        "payment_intent_data": intent,
        "metadata": intent_metadata(payment),
        "locale": organization.language,
        "expires_at": int((now + _OPEN_FOR).timestamp()),
        "success_url": places.paid_url.replace("{payment}", str(payment.id)),
        "cancel_url": places.canceled_url.replace("{payment}", str(payment.id)),
    }


def _line_items(payment: Payment, organization: Organization) -> list[dict[str, Any]]:
    """Return what Stripe's page lists: the money for the wallet, and the tax on it."""
    lines = [(f"Lienzo: {organization.name}", payment.net_micros)]
    if payment.tax_micros:
        percent = f"{(payment.tax_rate * 100).normalize():f}"
        lines.append((f"{payment.tax_name} {percent} %", payment.tax_micros))
    return [
        {
            "quantity": 1,
            "price_data": {
                "currency": payment.currency.lower(),
                "unit_amount": to_minor(micros, payment.currency),
                "product_data": {"name": name},
            },
        }
        for name, micros in lines
    ]


def _fail(payment: Payment, now: datetime) -> None:
    with transaction.atomic():
        row = Payment.objects.select_for_update().get(id=payment.id)
        if row.status == Payment.Status.PENDING:
            end_payment(row, status=Payment.Status.FAILED, code="unavailable", now=now)
