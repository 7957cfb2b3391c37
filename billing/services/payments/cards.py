"""Cards that Stripe keeps for an organization."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.errors import PaymentNotFoundError
from billing.models import AutoTopUp, SavedCard
from billing.services.payments.stripe_api import detach_card
from orgs.permissions import Permission
from orgs.services.audit import Action, Actor, Target, record, require_permission


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
