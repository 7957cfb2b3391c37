"""Automatic top-ups: charge saved cards of organizations whose wallets have run low.

The row of the terms is the lock; the database allows one automatic payment in flight for each
organization. The payment is committed before Stripe is called, under an idempotency key of its own,
so that whatever happens to this process the card is charged at most once for it.
"""

import logging
import time
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Sum

from billing.errors import CardRefusedError, PaymentsUnavailableError
from billing.models import AutoTopUp, Payment, PaymentCustomer
from billing.services.payments.amounts import to_minor
from billing.services.payments.checkout import intent_metadata
from billing.services.payments.failures import fail_automatic
from billing.services.payments.settling import SUCCEEDED, settle_intent
from billing.services.payments.stripe_api import charge_card, is_configured, is_sandbox
from billing.services.taxes.amounts import add_tax
from core.turns import in_turn, isolated
from orgs.models import Organization

logger = logging.getLogger(__name__)
# What is left then is the next round's: a payment provider that is slow keeps no worker for long.
_ROUND_S: Final = 60.0
# An answer that was lost is asked for again with the same idempotency key, which Stripe keeps for a
# day at least (docs.stripe.com/api/idempotent_requests, read 2026-11).
_ASK_AGAIN_AFTER: Final = timedelta(minutes=1)
_ASK_AGAIN_WITHIN: Final = timedelta(hours=23)
_FAILED: Final = ("requires_action", "requires_payment_method", "canceled")
_LOW: Final = """
SELECT terms.organization_id
FROM billing_autotopup AS terms
JOIN orgs_organization AS organization ON organization.id = terms.organization_id
CROSS JOIN LATERAL (
    SELECT sum(balance.posted_micros - balance.held_micros) AS available_micros
    FROM billing_account AS account
    JOIN billing_balance AS balance ON balance.account_id = account.id
    WHERE account.organization_id = terms.organization_id
        AND account.code IN ('wallet', 'wallet_promo') AND account.currency = organization.currency
) AS own
WHERE terms.is_enabled AND terms.paused_at IS NULL
    AND organization.suspended_at IS NULL AND organization.deletion_requested_at IS NULL
    AND own.available_micros < terms.threshold_micros
    AND (%(organization_id)s::uuid IS NULL OR organization.id = %(organization_id)s)
    AND NOT EXISTS (
        SELECT FROM billing_payment AS payment
        WHERE payment.organization_id = terms.organization_id
            AND payment.kind = 'automatic' AND payment.status = 'pending'
    )
"""


def charge_low_wallets(*, now: datetime) -> int:
    """Charge the card of each organization whose wallet is below its line; return how many.

    One that fails pauses the organization's automatic top-ups and tells it, once. Neither that nor
    the many whose month's cap is reached keep the others waiting.
    """
    if not is_configured():
        return 0
    charged = 0
    for organization_id in in_turn(_low_organizations(), until=time.monotonic() + _ROUND_S):
        with isolated("payment", organization=organization_id):
            payment = begin_charge(organization_id=organization_id, now=now)
            if payment is not None:
                _charge(payment, now)
                charged += 1
    return charged


def ask_again(*, now: datetime) -> int:
    """Ask for the outcome of charges whose answer was lost; return of how many."""
    rows = Payment.objects.select_related("card").filter(
        kind=Payment.Kind.AUTOMATIC,
        status=Payment.Status.PENDING,
        created_at__lt=now - _ASK_AGAIN_AFTER,
    )
    asked = 0
    for payment in in_turn(list(rows), until=time.monotonic() + _ROUND_S):
        with isolated("payment", payment=payment.id):
            if payment.created_at < now - _ASK_AGAIN_WITHIN:
                # Should it have been paid after all, its event credits it all the same.
                fail_automatic(payment.id, "unknown", now=now)
                continue
            _charge(payment, now)
            asked += 1
    return asked


def begin_charge(*, organization_id: UUID, now: datetime) -> Payment | None:
    """Commit an automatic payment, if it is due and the month's cap has room; else return None.

    Locks the terms, so that of two callers one finds the other's payment in flight.
    """
    with transaction.atomic():
        terms = (
            AutoTopUp.objects.select_for_update(of=("self",))
            .select_related("organization")
            .filter(organization_id=organization_id, is_enabled=True, paused_at=None)
            .first()
        )
        if terms is None or organization_id not in _low_organizations(organization_id):
            return None
        amount = add_tax(terms.organization, terms.amount_micros, at=now)
        charged = charged_this_month(terms.organization, now=now)
        if charged + amount.gross_micros > terms.monthly_cap_micros:
            return None
        return Payment.objects.create(
            organization_id=organization_id,
            kind=Payment.Kind.AUTOMATIC,
            **amount.columns(),
            is_sandbox=is_sandbox(),
            card=terms.card,
            requested_by_id=terms.changed_by_id,
            created_at=now,
        )


def charged_this_month(organization: Organization, *, now: datetime) -> int:
    """Return what automatic top-ups have charged, or may be charging, since the first, with tax.

    The month is the organization's own. Micros of its currency.
    """
    local = now.astimezone(ZoneInfo(organization.time_zone))
    start = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = Payment.objects.filter(
        organization=organization,
        kind=Payment.Kind.AUTOMATIC,
        status__in=(Payment.Status.PENDING, Payment.Status.SUCCEEDED),
        created_at__gte=start,
    )
    return int(rows.aggregate(total=Sum("gross_micros"))["total"] or 0)


def _low_organizations(organization_id: UUID | None = None) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_LOW, {"organization_id": organization_id})
        return [row[0] for row in cursor.fetchall()]


def _charge(payment: Payment, now: datetime) -> None:
    """Charge a payment's card; whatever the answer, what it says is booked."""
    try:
        intent = charge_card(params=_params(payment), payment_id=payment.id)
    except CardRefusedError as error:
        fail_automatic(payment.id, str(error.details.get("reason") or "card_declined"), now=now)
    except PaymentsUnavailableError as error:
        logger.warning("payment.not_charged payment=%s error=%s", payment.id, error)
        if reason := error.details.get("reason"):
            fail_automatic(payment.id, str(reason), now=now)
    else:
        if intent.status == SUCCEEDED:
            settle_intent(intent, now=now)
        elif intent.status in _FAILED:
            fail_automatic(payment.id, intent.failure_code or intent.status, now=now)


def _params(payment: Payment) -> dict[str, Any]:
    customer_id = PaymentCustomer.objects.values_list("customer_id", flat=True).get(
        organization_id=payment.organization_id
    )
    return {
        "amount": to_minor(payment.gross_micros, payment.currency),
        "currency": payment.currency.lower(),
        "customer": customer_id,
        "payment_method": payment.card.method_id if payment.card else "",
        "payment_method_types": ["card"],
        "off_session": True,
        "confirm": True,
        "metadata": intent_metadata(payment),
    }
