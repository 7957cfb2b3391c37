"""Give promotional credit: asked for by one person of finance and approved by another."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from billing.digests import grant_digest
from billing.errors import (
    CurrencyMismatchError,
    GrantClosedError,
    GrantNotFoundError,
    InvalidAmountError,
    SelfApprovalError,
)
from billing.models import AccountCode, Direction, EntryKind, Grant
from billing.money import MAX_AMOUNT_MICROS, format_amount
from billing.services.accounts import account, open_accounts
from billing.services.ledger import post_entry
from billing.services.staff import require_finance
from billing.types import Line
from orgs.errors import InvalidInputError, OrganizationNotFoundError
from orgs.models import lock_organization
from orgs.services.audit import SYSTEM, Action, Actor, Target, record

GRANT_KEY_PREFIX = "promotion:"
Status = Grant.Status
_REASON_LENGTH = 500
_LONGEST = timedelta(days=3653)


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """How much is given, until when, and why; the amount is in the wallet's currency."""

    amount_micros: int
    currency: str
    expires_at: datetime
    reason: str


def request_grant(
    *, organization_id: UUID, terms: GrantTerms, actor: Actor, now: datetime
) -> Grant:
    """Ask for promotional credit. Nothing is given until another person approves.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        OrganizationNotFoundError: There is no such organization.
        InvalidAmountError: The amount is not positive.
        CurrencyMismatchError: It is not in the wallet's currency.
        InvalidInputError: No reason is given, or it would expire too late or has.
    """
    require_finance(actor)
    with transaction.atomic():
        grant = _make(organization_id, terms, now)
        grant.requested_by_id = actor.user_id
        grant.digest = grant_digest(grant)
        grant.save(force_insert=True)
        _log(Action.GRANT_REQUESTED, grant, actor)
    return grant


def give_credit(*, organization_id: UUID, terms: GrantTerms, now: datetime) -> Grant:
    """Give promotional credit for the platform itself, at once.

    For who may run commands; people of the console ask and approve.

    Raises:
        OrganizationNotFoundError: There is no such organization.
        InvalidAmountError: The amount is not positive.
        CurrencyMismatchError: It is not in the wallet's currency.
        InvalidInputError: No reason is given, or it would expire too late or has.
    """
    with transaction.atomic():
        grant = _make(organization_id, terms, now)
        grant.status, grant.decided_at = Status.GRANTED, now
        grant.digest = grant_digest(grant)
        grant.save(force_insert=True)
        _book(grant, now)
        _log(Action.GRANT_APPROVED, grant, SYSTEM)
    return grant


def approve_grant(*, grant_id: UUID, actor: Actor, now: datetime) -> Grant:
    """Give what another person asked for, once: debit `promotions`, credit `wallet_promo`.

    Entry key: `promotion:<grant>`.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        GrantNotFoundError: Nothing of the kind was asked for.
        GrantClosedError: It was decided already.
        SelfApprovalError: The actor asked for it.
        InvalidInputError: It would have expired.
        CurrencyMismatchError: The wallet's currency has changed.
    """
    require_finance(actor)
    with transaction.atomic():
        grant = _locked(grant_id)
        if grant.requested_by_id == actor.user_id:
            raise SelfApprovalError("Another person has to decide about what you asked for.")
        _check_organization(grant.organization_id, grant.currency)
        _check_expiry(grant.expires_at, now)
        _decide(grant, Status.GRANTED, actor.user_id, now)
        _book(grant, now)
        _log(Action.GRANT_APPROVED, grant, actor)
    return grant


def reject_grant(*, grant_id: UUID, actor: Actor, now: datetime) -> Grant:
    """Turn down what was asked for; who asked may take it back, too.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        GrantNotFoundError: Nothing of the kind was asked for.
        GrantClosedError: It was decided already.
    """
    require_finance(actor)
    with transaction.atomic():
        grant = _locked(grant_id)
        is_own = grant.requested_by_id == actor.user_id
        _decide(grant, Status.REJECTED, None if is_own else actor.user_id, now)
        _log(Action.GRANT_REJECTED, grant, actor)
    return grant


def _make(organization_id: UUID, terms: GrantTerms, now: datetime) -> Grant:
    if not 0 < terms.amount_micros <= MAX_AMOUNT_MICROS:
        raise InvalidAmountError("Credit must be more than zero.", param="amount")
    reason = " ".join(terms.reason.split())[:_REASON_LENGTH]
    if not reason:
        raise InvalidInputError("Say why it is given.", param="reason")
    _check_expiry(terms.expires_at, now)
    _check_organization(organization_id, terms.currency)
    return Grant(
        organization_id=organization_id,
        account_id=account(AccountCode.WALLET_PROMO, terms.currency, organization_id).id,
        amount_micros=terms.amount_micros,
        currency=terms.currency,
        expires_at=terms.expires_at,
        reason=reason,
        created_at=now,
    )


def _check_expiry(expires_at: datetime, now: datetime) -> None:
    if expires_at <= now:
        raise InvalidInputError("It would have expired already.", param="expires_at")
    if expires_at > now + _LONGEST:
        raise InvalidInputError("Credit lasts ten years at most.", param="expires_at")


def _check_organization(organization_id: UUID, currency: str) -> None:
    """Lock it, so that its currency stays until the commit, and open its accounts."""
    organization = lock_organization(organization_id)
    if organization is None:
        raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
    if organization.currency != currency:
        raise CurrencyMismatchError(f"The wallet is in {organization.currency}.", param="currency")
    open_accounts(organization_id=organization_id, currency=currency)


def _locked(grant_id: UUID) -> Grant:
    grant = Grant.objects.select_for_update(no_key=True).filter(id=grant_id).first()
    if grant is None:
        raise GrantNotFoundError(f"There is no grant {grant_id}.")
    if grant.status != Status.PENDING:
        raise GrantClosedError("This grant was decided already.")
    return grant


def _decide(grant: Grant, status: Status, user_id: UUID | None, now: datetime) -> None:
    grant.status, grant.decided_by_id, grant.decided_at = status, user_id, now
    grant.digest = grant_digest(grant)
    grant.save(update_fields=["status", "decided_by", "decided_at", "digest"])


def _book(grant: Grant, now: datetime) -> None:
    promotions = account(AccountCode.PROMOTIONS, grant.currency)
    promo = account(AccountCode.WALLET_PROMO, grant.currency, grant.organization_id)
    post_entry(
        kind=EntryKind.PROMOTION,
        idempotency_key=f"{GRANT_KEY_PREFIX}{grant.id}",
        lines=[
            Line(promotions, Direction.DEBIT, grant.amount_micros),
            Line(promo, Direction.CREDIT, grant.amount_micros),
        ],
        now=now,
        reference=str(grant.id),
        description=f"Promotional credit until {grant.expires_at:%Y-%m-%d}",
    )


def _log(action: Action, grant: Grant, actor: Actor) -> None:
    record(
        action=action,
        actor=actor,
        organization_id=grant.organization_id,
        target=Target("grant", grant.id, grant.reason[:100]),
        after={
            "amount": f"{format_amount(grant.amount_micros, grant.currency)} {grant.currency}",
            "expires_at": grant.expires_at.isoformat(),
        },
    )
