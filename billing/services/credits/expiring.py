"""Let promotional credit expire that was neither spent nor is set aside."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from billing.models import AccountCode, Direction, EntryKind, Grant
from billing.services.accounts import account
from billing.services.ledger import post_entry
from billing.types import Line

BATCH: Final = 500
_DUE: Final = """
SELECT id FROM billing_grant
WHERE expires_at <= %(now)s AND status = 'granted'
    AND amount_micros > captured_micros + expired_micros
    AND amount_micros > held_micros + captured_micros + expired_micros
ORDER BY expires_at, id
LIMIT %(limit)s
"""


def expire_grants(*, now: datetime) -> int:
    """Book what has expired of each grant: debit `wallet_promo`, credit `promotions`.

    What a hold has of a grant stays, and expires in a later pass if it is given back. No hold can
    take of a grant from its instant on, whenever this runs. A transaction for each grant, which
    locks the grant, then the balance; at most `BATCH` of them.

    Args:
        now: When it is booked, and has its effect.

    Returns:
        How many grants had something to expire.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now, "limit": BATCH})
        due: list[UUID] = [grant_id for (grant_id,) in cursor]
    return sum(_expire(grant_id, now) for grant_id in due)


def _expire(grant_id: UUID, now: datetime) -> bool:
    with transaction.atomic():
        grant = Grant.objects.select_for_update(no_key=True).get(id=grant_id)
        micros = grant.unspent_micros
        if not micros:
            return False
        grant.expired_micros += micros
        grant.save(update_fields=["expired_micros"])
        promo = account(AccountCode.WALLET_PROMO, grant.currency, grant.organization_id)
        promotions = account(AccountCode.PROMOTIONS, grant.currency)
        post_entry(
            kind=EntryKind.EXPIRY,
            # All that has expired of it so far: it only grows, so a repetition has no other key.
            idempotency_key=f"expiry:{grant.id}:{grant.expired_micros}",
            lines=[
                Line(promo, Direction.DEBIT, micros),
                Line(promotions, Direction.CREDIT, micros),
            ],
            now=now,
            reference=str(grant.id),
            description=f"Expired on {grant.expires_at:%Y-%m-%d}",
        )
    return True
