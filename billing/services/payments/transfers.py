"""Bank transfers, recorded by one person of finance and approved by another."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from uuid import UUID

from django.db import IntegrityError, transaction

from billing.errors import (
    CurrencyMismatchError,
    InvalidAmountError,
    PaymentClosedError,
    PaymentNotFoundError,
    ReferenceUsedError,
)
from billing.models import AccountCode, Payment
from billing.money import MAX_AMOUNT_MICROS, format_amount, is_payable
from billing.services.payments.failures import end_payment
from billing.services.payments.sessions import look_again
from billing.services.payments.settling import credit_payment
from billing.services.payments.staff import require_another, require_finance
from billing.services.payments.unmatched import end_assignment
from billing.services.periods.days import check_day
from billing.services.taxes.amounts import split_tax
from orgs.errors import InvalidInputError, OrganizationNotFoundError
from orgs.models import Organization, lock_organization
from orgs.services.audit import Action, Actor, Target, record

Kind, Status = Payment.Kind, Payment.Status
_DECIDED = (Kind.TRANSFER, Kind.ASSIGNED)
_REFERENCE_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the bank says: how much came, with tax, when, and what the bank calls it."""

    amount_micros: int
    currency: str
    reference: str
    received_on: date
    note: str = ""


def record_transfer(
    *, organization_id: UUID, transfer: Transfer, actor: Actor, now: datetime
) -> Payment:
    """Ask for a bank transfer to be credited. Nothing is until another person approves.

    What of it is tax is decided here, by the organization's terms and the rate of the day it came.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        OrganizationNotFoundError: There is no such organization.
        InvalidAmountError: The amount is not positive, or finer than the currency's minor unit.
        CurrencyMismatchError: It came in another currency than the wallet's.
        InvalidInputError: No reference is given, or the day cannot be.
        ReferenceUsedError: A transfer of this reference is recorded already.
    """
    require_finance(actor)
    reference = " ".join(transfer.reference.split())[:_REFERENCE_LENGTH]
    if not reference:
        raise InvalidInputError("Give the bank's reference.", param="reference")
    if not 0 < transfer.amount_micros <= MAX_AMOUNT_MICROS:
        raise InvalidAmountError("A transfer must be more than zero.", param="amount")
    if not is_payable(transfer.amount_micros, transfer.currency):
        raise InvalidAmountError("No transfer is that fine.", param="amount")
    check_day(transfer.received_on, param="received_on", now=now)
    try:
        with transaction.atomic():
            organization = lock_organization(organization_id)
            if organization is None:
                raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
            if transfer.currency != organization.currency:
                raise CurrencyMismatchError(
                    f"The wallet is in {organization.currency}.", param="currency"
                )
            received_at = datetime.combine(transfer.received_on, time(), UTC)
            amount = split_tax(organization, transfer.amount_micros, at=received_at)
            payment = Payment.objects.create(
                organization=organization,
                kind=Kind.TRANSFER,
                **amount.columns(),
                reference=reference,
                note=transfer.note.strip()[:500],
                requested_by_id=actor.user_id,
                received_at=received_at,
                created_at=now,
            )
            _log(Action.PAYMENT_REQUESTED, payment, actor)
    except IntegrityError as error:
        if "billing_payment_reference" not in str(error):
            raise
        raise ReferenceUsedError(
            "A payment of this reference is recorded already.", param="reference"
        ) from error
    return payment


def approve_payment(*, payment_id: UUID, actor: Actor, now: datetime) -> Payment:
    """Credit what another person asked for, once; it counts from the day the money came.

    What of unmatched money was paid back meanwhile at the payment provider is taken back at once.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        PaymentNotFoundError: There is no such request.
        PaymentClosedError: It was decided already.
        SelfApprovalError: The actor asked for it.
        CurrencyMismatchError: The wallet's currency has changed.
    """
    require_finance(actor)
    with transaction.atomic():
        payment = _locked(payment_id)
        require_another(payment, actor)
        organization = Organization.objects.get(id=payment.organization_id)
        if organization.currency != payment.currency:
            raise CurrencyMismatchError(f"The wallet is in {organization.currency}.")
        payment.decided_by_id = actor.user_id
        source = AccountCode.CASH if payment.kind == Kind.TRANSFER else AccountCode.SUSPENSE
        credit_payment(payment, source=source, now=now, effective_at=payment.received_at)
        if payment.kind == Kind.ASSIGNED and actor.user_id is not None:
            end_assignment(payment, is_approved=True, user_id=actor.user_id, now=now)
        _log(Action.PAYMENT_APPROVED, payment, actor)
    if payment.kind == Kind.ASSIGNED:
        look_again(payment.reference, now=now)
    return payment


def reject_payment(*, payment_id: UUID, reason: str, actor: Actor, now: datetime) -> Payment:
    """Turn down what was asked for; who asked may take it back, too.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        PaymentNotFoundError: There is no such request.
        PaymentClosedError: It was decided already.
    """
    require_finance(actor)
    with transaction.atomic():
        payment = _locked(payment_id)
        is_own = payment.requested_by_id == actor.user_id
        payment.decided_by_id = None if is_own else actor.user_id
        payment.note = " ".join(filter(None, (payment.note, reason.strip())))[:500]
        payment.save(update_fields=["decided_by", "note"])
        end_payment(
            payment,
            status=Status.CANCELED,
            code="withdrawn" if is_own else "rejected",
            now=now,
        )
        if payment.kind == Kind.ASSIGNED and actor.user_id is not None:
            end_assignment(payment, is_approved=False, user_id=actor.user_id, now=now)
        _log(Action.PAYMENT_REJECTED, payment, actor)
    return payment


def _locked(payment_id: UUID) -> Payment:
    payment = Payment.objects.select_for_update().filter(id=payment_id, kind__in=_DECIDED).first()
    if payment is None:
        raise PaymentNotFoundError(f"There is no payment {payment_id}.")
    if payment.status != Status.PENDING:
        raise PaymentClosedError("This payment was decided already.")
    return payment


def _log(action: Action, payment: Payment, actor: Actor) -> None:
    written = f"{format_amount(payment.gross_micros, payment.currency)} {payment.currency}"
    tax = f"{format_amount(payment.tax_micros, payment.currency)} {payment.currency}"
    record(
        action=action,
        actor=actor,
        organization_id=payment.organization_id,
        target=Target("payment", payment.id, payment.reference),
        after={"amount": written, "tax": tax, "kind": payment.kind},
    )
