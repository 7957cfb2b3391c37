"""Events of the payment provider."""

import hashlib
import logging
from datetime import datetime
from typing import Final

from billing.models import PaymentEvent
from billing.services.payments.disputes import settle_dispute
from billing.services.payments.sessions import settle_session
from billing.services.payments.settling import EventMark, settle_intent
from billing.services.payments.stripe_api import read_dispute, read_event, read_intent

logger = logging.getLogger(__name__)

# What each event is about is read anew; the event only says of what.
_SESSION: Final = "checkout.session"
_DISPUTE: Final = "dispute"
_INTENT: Final = "payment_intent"
_OF_AN_INTENT: Final = ("charge", "refund")
_PREFIXES: Final = ("checkout.session.", "payment_intent.", "charge.", "refund.")


def apply_event(*, body: bytes, signature: str, now: datetime) -> bool:
    """Apply what a webhook of the payment provider tells; return whether it was news.

    A repetition changes nothing, and neither does an event of a kind that is not known here. The
    mark of the event is written in the transaction that books what it tells.

    Args:
        body: As it was sent, byte by byte.
        signature: The header `Stripe-Signature`.
        now: Booking time.

    Raises:
        ForgedEventError: The payment provider did not send it.
        PaymentsUnavailableError: The payment provider does not answer; nothing was changed.
    """
    event = read_event(body=body, signature=signature)
    if not event.type.startswith(_PREFIXES):
        return False
    if PaymentEvent.objects.filter(event_id=event.id).exists():
        return False
    mark = EventMark(event.id, event.type, event.object_id, hashlib.sha256(body).digest())
    logger.info("payment.event type=%s event=%s object=%s", event.type, event.id, event.object_id)
    if event.object_kind == _SESSION:
        settle_session(event.object_id, now=now, mark=mark)
    elif event.object_kind == _DISPUTE:
        facts = read_dispute(event.object_id)
        # What is disputed was paid, whether its own event has arrived or not.
        if facts.intent_id:
            settle_intent(read_intent(facts.intent_id), now=now)
        settle_dispute(facts, now=now, mark=mark)
    elif event.object_kind == _INTENT:
        settle_intent(read_intent(event.object_id), now=now, mark=mark)
    elif event.object_kind in _OF_AN_INTENT and event.intent_id:
        settle_intent(read_intent(event.intent_id), now=now, mark=mark)
    else:
        return False
    return True
