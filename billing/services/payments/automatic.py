"""Saved cards, and the terms by which they are charged automatically."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.errors import InvalidAmountError, PaymentNotFoundError
from billing.models import AutoTopUp, SavedCard
from billing.money import format_amount
from billing.services.alert_mails import write_alerts
from billing.services.payments.amounts import check_payable
from billing.services.payments.stripe_api import detach_card
from billing.services.taxes.amounts import add_tax
from orgs.models import Organization, lock_organization
from orgs.permissions import Permission
from orgs.services.audit import Action, Actor, Target, record, require_permission


@dataclass(frozen=True, slots=True)
class Terms:
    """When an organization's wallet is filled, by how much, and how much in a month at most.

    What is filled is before tax, what is charged in a month with it.
    """

    card_id: UUID
    threshold_micros: int
    amount_micros: int
    monthly_cap_micros: int


def set_auto_top_up(
    *, organization_id: UUID, terms: Terms, actor: Actor, now: datetime
) -> AutoTopUp:
    """Switch automatic top-ups on, or change their terms; a pause after a failure ends.

    Raises:
        PermissionDeniedError: The actor may not top up.
        PaymentNotFoundError: The organization has no such card.
        InvalidAmountError: The amounts cannot be paid, or the cap is below the amount.
    """
    with transaction.atomic():
        organization = _locked(organization_id, actor)
        check_payable(terms.amount_micros, organization.currency)
        if terms.threshold_micros <= 0:
            raise InvalidAmountError("The line must be above zero.", param="threshold")
        amount = add_tax(organization, terms.amount_micros, at=now)
        if terms.monthly_cap_micros < amount.gross_micros:
            raise InvalidAmountError(
                "The cap is below one top-up with its tax.", param="monthly_cap"
            )
        card = SavedCard.objects.filter(
            organization=organization, id=terms.card_id, removed_at=None
        ).first()
        if card is None:
            raise PaymentNotFoundError(f"There is no card {terms.card_id}.")
        before = AutoTopUp.objects.filter(organization=organization).first()
        after, _ = AutoTopUp.objects.update_or_create(
            organization=organization,
            defaults={
                "is_enabled": True,
                "card": card,
                "threshold_micros": terms.threshold_micros,
                "amount_micros": terms.amount_micros,
                "monthly_cap_micros": terms.monthly_cap_micros,
                "paused_at": None,
                "failure_code": "",
                "changed_by_id": actor.user_id,
                "changed_at": now,
            },
        )
        _log(organization, actor, before, after)
    return after


def stop_auto_top_up(*, organization_id: UUID, actor: Actor, now: datetime) -> None:
    """Switch automatic top-ups off; a charge that is in flight goes on.

    Raises:
        PermissionDeniedError: The actor may not top up.
    """
    with transaction.atomic():
        organization = _locked(organization_id, actor)
        before = AutoTopUp.objects.filter(organization=organization).first()
        if before is None or not before.is_enabled:
            return
        AutoTopUp.objects.filter(organization=organization).update(
            is_enabled=False, paused_at=None, changed_by_id=actor.user_id, changed_at=now
        )
        _log(organization, actor, before, AutoTopUp.objects.get(organization=organization))


def pause_all(*, code: str, now: datetime) -> int:
    """Pause all automatic top-ups, each until its terms are saved again; return how many.

    For books that are older than what Stripe has done since: a balance that looks low may have been
    filled already. Each organization is told in the same transaction, so that it is told once.
    Locks the terms.
    """
    with transaction.atomic():
        running = AutoTopUp.objects.select_for_update(of=("self",)).filter(
            is_enabled=True, paused_at=None
        )
        terms = list(running.select_related("organization").order_by("organization_id"))
        for row in terms:
            row.paused_at, row.failure_code = now, code
            row.save(update_fields=["paused_at", "failure_code"])
            write_alerts(
                organization=row.organization,
                kind=f"auto_top_up_{code}",
                page="billing/automatic",
                context={},
                now=now,
            )
    return len(terms)


def remove_card(*, organization_id: UUID, card_id: UUID, actor: Actor, now: datetime) -> None:
    """Forget a card, here and at Stripe; an automatic top-up by it is switched off.

    Raises:
        PermissionDeniedError: The actor may not top up.
        PaymentNotFoundError: The organization has no such card.
        PaymentsUnavailableError: Stripe does not answer; the card is no longer charged all the
            same.
    """
    with transaction.atomic():
        require_permission(
            organization_id=organization_id, actor=actor, permission=Permission.TOP_UP
        )
        card = (
            SavedCard.objects.select_for_update()
            .filter(organization_id=organization_id, id=card_id, removed_at=None)
            .first()
        )
        if card is None:
            raise PaymentNotFoundError(f"There is no card {card_id}.")
        card.removed_at = now
        card.save(update_fields=["removed_at"])
        AutoTopUp.objects.filter(organization_id=organization_id, card=card).update(
            is_enabled=False, card=None
        )
        record(
            action=Action.CARD_REMOVED,
            actor=actor,
            organization_id=organization_id,
            target=Target("card", card.id, f"{card.brand} {card.last4}"),
        )
    detach_card(card.method_id)


def _locked(organization_id: UUID, actor: Actor) -> Organization:
    require_permission(organization_id=organization_id, actor=actor, permission=Permission.TOP_UP)
    organization = lock_organization(organization_id)
    if organization is None:
        raise PaymentNotFoundError(f"There is no organization {organization_id}.")
    return organization


def _log(
    organization: Organization, actor: Actor, before: AutoTopUp | None, after: AutoTopUp
) -> None:
    record(
        action=Action.AUTO_TOP_UP_CHANGED,
        actor=actor,
        organization_id=organization.id,
        target=Target("auto_top_up", organization.id, organization.name),
        before=_written(before, organization.currency) if before else None,
        after=_written(after, organization.currency),
    )


def _written(row: AutoTopUp, currency: str) -> dict[str, object]:
    amounts = {
        "threshold": row.threshold_micros,
        "amount": row.amount_micros,
        "monthly_cap": row.monthly_cap_micros,
    }
    return {
        "enabled": row.is_enabled,
        **{name: f"{format_amount(value, currency)} {currency}" for name, value in amounts.items()},
    }
