"""Looking at the payment provider for what no event tells: of checkouts, and of assigned money."""

import logging
import time
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from billing.errors import PaymentsUnavailableError
from billing.models import Payment
from billing.services.payments.disputes import settle_dispute
from billing.services.payments.failures import end_payment
from billing.services.payments.settling import EventMark, mark_event, settle_intent
from billing.services.payments.stripe_api import read_disputes, read_intent, read_session
from core.turns import in_turn, isolated

logger = logging.getLogger(__name__)
_EXPIRED: Final = "expired"
# A payment whose session was never stored was never shown to anybody.
_STORED_WITHIN: Final = timedelta(minutes=10)
_LOOK_AFTER: Final = timedelta(minutes=2)
# Below the time between two rounds. What is left then is the next round's.
_ROUND_S: Final = 100.0
_ASSIGNED_WITHIN: Final = timedelta(hours=6)


def settle_session(session_id: str, *, now: datetime, mark: EventMark | None = None) -> None:
    """Read a session, and book its payment or end it if nobody can pay it any more."""
    session = read_session(session_id)
    if session.intent_id:
        settle_intent(read_intent(session.intent_id), now=now, mark=mark)
        return
    with transaction.atomic():
        payment = Payment.objects.select_for_update().filter(session_id=session_id).first()
        if not mark_event(mark, payment=payment, now=now) or payment is None:
            return
        if session.status == _EXPIRED and payment.status == Payment.Status.PENDING:
            end_payment(payment, status=Payment.Status.CANCELED, code=_EXPIRED, now=now)


def reconcile_sessions(*, now: datetime) -> int:
    """Look after pending checkouts older than two minutes, as a lost webhook would leave them.

    Returns how many were looked after. One that cannot be read is left to the next time, and keeps
    no other waiting.
    """
    pending = Payment.objects.filter(
        status=Payment.Status.PENDING,
        kind=Payment.Kind.CHECKOUT,
        created_at__lt=now - _LOOK_AFTER,
    )
    rows = list(pending.values_list("id", "session_id", "created_at"))
    looked = 0
    for payment_id, session_id, created_at in in_turn(rows, until=time.monotonic() + _ROUND_S):
        with isolated("payment", payment=payment_id):
            if session_id:
                looked += _look(payment_id, session_id, now)
            elif created_at < now - _STORED_WITHIN:
                _drop(payment_id, now)
    return looked


def _look(payment_id: UUID, session_id: str, now: datetime) -> bool:
    try:
        settle_session(session_id, now=now)
    except PaymentsUnavailableError as error:
        logger.warning("payment.not_read payment=%s error=%s", payment_id, error)
        return False
    return True


def _drop(payment_id: UUID, now: datetime) -> None:
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(id=payment_id)
        if payment.status == Payment.Status.PENDING and not payment.session_id:
            end_payment(payment, status=Payment.Status.CANCELED, code="not_started", now=now)


def look_again(intent_id: str, *, now: datetime) -> None:
    """Book what was paid back, or disputed, of an assigned payment; what cannot be read is left.

    Events about unmatched money find no payment that they could take it from.
    """
    try:
        settle_intent(read_intent(intent_id), now=now)
        disputes = read_disputes(intent_id)
    except PaymentsUnavailableError as error:
        logger.warning("payment.not_read intent=%s error=%s", intent_id, error)
        return
    for dispute in disputes:
        settle_dispute(dispute, now=now)


def look_at_assigned(*, now: datetime) -> None:
    """Look again at what was credited within some hours, should that have failed before."""
    rows = Payment.objects.filter(
        kind=Payment.Kind.ASSIGNED,
        status=Payment.Status.SUCCEEDED,
        ended_at__gte=now - _ASSIGNED_WITHIN,
    )
    for intent_id in list(rows.order_by("ended_at").values_list("reference", flat=True)):
        with isolated("payment", intent=intent_id):
            look_again(intent_id, now=now)
