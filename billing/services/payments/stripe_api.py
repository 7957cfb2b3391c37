"""Talk to Stripe, with its own library.

Nothing of the library leaves this module: what comes back are facts as they were read. The library
costs 30 MB of memory, so it is loaded by the first call. Each call may wait as long as `_TIMEOUT_S`
says, and is refused inside a transaction where `FORBID_NETWORK_IN_TRANSACTION` is set.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection

from billing.errors import CardRefusedError, ForgedEventError, PaymentsUnavailableError

if TYPE_CHECKING:
    from stripe import StripeClient

T = TypeVar("T")
# To connect, and between two bytes of the answer.
_TIMEOUT_S: Final = (5, 20)
_RETRIES: Final = 1
_TOLERANCE_S: Final = 300
_MISSING: Final = "resource_missing"
_NOT_FOUND: Final = 404
_SUCCEEDED: Final = "succeeded"
_TEST_KEYS: Final = ("sk_test_", "rk_test_")


@dataclass(frozen=True, slots=True)
class CardFacts:
    """A card as its holder knows it."""

    method_id: str
    brand: str
    last4: str
    expires_month: int
    expires_year: int


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """One refund; `amount` is in minor units."""

    id: str
    amount: int
    status: str


@dataclass(frozen=True, slots=True)
class IntentFacts:
    """A payment intent as Stripe has it now; amounts are in minor units."""

    id: str
    status: str
    amount: int
    received: int
    currency: str
    livemode: bool
    customer_id: str
    payment_id: UUID | None
    organization_id: UUID | None
    failure_code: str
    card: CardFacts | None
    refunds: Sequence[RefundFacts]


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A checkout session: where the customer pays, and what came of it."""

    id: str
    url: str
    status: str
    intent_id: str


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """A dispute; `amount` is in minor units."""

    id: str
    intent_id: str
    amount: int
    currency: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class EventFacts:
    """An event: what happened to which object."""

    id: str
    type: str
    object_kind: str
    object_id: str
    intent_id: str


def is_configured() -> bool:
    """Return whether payments by card are set up."""
    return bool(settings.STRIPE_SECRET_KEY)


def is_sandbox() -> bool:
    """Return whether the key is of Stripe's test mode or of our emulator: no money moves."""
    return str(settings.STRIPE_SECRET_KEY).startswith(_TEST_KEYS)


def create_customer(*, organization_id: UUID, name: str, email: str) -> str:
    """Create a customer, once per organization, and return its id."""
    params: dict[str, Any] = {"name": name, "metadata": {"organization": str(organization_id)}}
    if email:
        params["email"] = email
    made = _call(
        lambda stripe: stripe.v1.customers.create(
            params,  # type: ignore[arg-type] # a TypedDict of the library's
            options={"idempotency_key": f"customer:{organization_id}"},
        )
    )
    return str(made["id"])


def create_session(*, params: Mapping[str, Any], payment_id: UUID) -> SessionFacts:
    """Create a checkout session, once per payment."""
    made = _call(
        lambda stripe: stripe.v1.checkout.sessions.create(
            dict(params),  # type: ignore[arg-type] # made by checkout.py
            options={"idempotency_key": f"payment:{payment_id}"},
        )
    )
    return _session(made)


def read_session(session_id: str) -> SessionFacts:
    """Read a checkout session as it is now."""
    return _session(_call(lambda stripe: stripe.v1.checkout.sessions.retrieve(session_id)))


def charge_card(*, params: Mapping[str, Any], payment_id: UUID) -> IntentFacts:
    """Charge a saved card while its holder is away, once per payment.

    Raises:
        CardRefusedError: It was declined, or its holder must confirm; `details` names the intent.
    """
    made = _call(
        lambda stripe: stripe.v1.payment_intents.create(
            dict(params),  # type: ignore[arg-type] # made by automatic.py
            options={"idempotency_key": f"payment:{payment_id}"},
        )
    )
    return read_intent(str(made["id"]))


def read_intent(intent_id: str) -> IntentFacts:
    """Read a payment intent with its card and its refunds, as they are now."""
    found = _call(
        lambda stripe: stripe.v1.payment_intents.retrieve(intent_id, {"expand": ["payment_method"]})
    )
    refunds: list[dict[str, Any]] = []
    if found.get("status") == _SUCCEEDED:
        answer = _call(
            lambda stripe: stripe.v1.refunds.list({"payment_intent": intent_id, "limit": 100})
        )
        refunds = answer["data"]
    return _intent(found, refunds)


def read_dispute(dispute_id: str) -> DisputeFacts:
    """Read a dispute as it is now."""
    return _dispute(_call(lambda stripe: stripe.v1.disputes.retrieve(dispute_id)))


def read_disputes(intent_id: str) -> list[DisputeFacts]:
    """Read the disputes of a payment intent as they are now."""
    answer = _call(
        lambda stripe: stripe.v1.disputes.list({"payment_intent": intent_id, "limit": 100})
    )
    return [_dispute(found) for found in answer["data"]]


def _dispute(found: dict[str, Any]) -> DisputeFacts:
    return DisputeFacts(
        id=str(found["id"]),
        intent_id=_id_of(found.get("payment_intent")),
        amount=int(found["amount"]),
        currency=str(found["currency"]).upper(),
        status=str(found["status"]),
        reason=str(found.get("reason") or ""),
    )


def detach_card(method_id: str) -> None:
    """Forget a card."""
    _call(lambda stripe: stripe.v1.payment_methods.detach(method_id))


def read_event(*, body: bytes, signature: str) -> EventFacts:
    """Return the event that a webhook's body names, as Stripe itself tells it.

    The signature says that the body is Stripe's and at most five minutes old. What is done is
    decided by the event as it is read from Stripe, so that even with a leaked secret nobody can
    invent money.

    Raises:
        ForgedEventError: The signature is wrong or old, or Stripe knows no such event.
        PaymentsUnavailableError: Stripe does not answer; it will send the event again.
    """
    event_id = _signed_event_id(body, signature)
    try:
        found = _call(lambda stripe: stripe.v1.events.retrieve(event_id))
    except PaymentsUnavailableError as error:
        if error.details.get("reason") != _MISSING:
            raise
        raise ForgedEventError("The payment provider knows no such event.") from error
    thing: Mapping[str, Any] = found["data"]["object"]
    return EventFacts(
        id=str(found["id"]),
        type=str(found["type"]),
        object_kind=str(thing.get("object") or ""),
        object_id=str(thing.get("id") or ""),
        intent_id=_id_of(thing.get("payment_intent")),
    )


def _signed_event_id(body: bytes, signature: str) -> str:
    import stripe  # noqa: PLC0415 - see the module

    secrets = [str(one) for one in settings.STRIPE_WEBHOOK_SECRET]
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(body, signature, secret, _TOLERANCE_S)
            event_id = orjson.loads(body)["id"]
        except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError):
            continue
        if isinstance(event_id, str) and event_id.startswith("evt_") and event_id.isascii():
            return event_id
    raise ForgedEventError("This is not an event of the payment provider.")


@cache
def _client(key: str, base_url: str) -> "StripeClient":
    import stripe  # noqa: PLC0415 - see the module

    return stripe.StripeClient(
        key,
        base_addresses={"api": base_url},
        http_client=stripe.RequestsClient(timeout=_TIMEOUT_S),
        max_network_retries=_RETRIES,
    )


def _call(work: "Callable[[StripeClient], Any]") -> dict[str, Any]:
    """Make one call; its answer is a plain dictionary.

    Raises:
        CardRefusedError: The card was refused.
        PaymentsUnavailableError: Nothing answered; or, with a `reason` in its details, what was
            asked for cannot be, and was not done.
    """
    if not is_configured():
        raise PaymentsUnavailableError("Payments by card are not set up.")
    import stripe  # noqa: PLC0415 - see the module

    _release_connection()
    try:
        answer = work(_client(settings.STRIPE_SECRET_KEY, settings.STRIPE_BASE_URL))
    except stripe.CardError as error:
        intent = _error_body(error).get("payment_intent") or {}
        raise CardRefusedError(
            "The card was refused.",
            details={
                "reason": str(error.code or "card_declined"),
                "intent_id": _id_of(intent),
            },
        ) from error
    except stripe.InvalidRequestError as error:
        raise PaymentsUnavailableError(
            "The payment provider refused the request.",
            details={"reason": _reason(error.code, error.http_status)},
        ) from error
    except stripe.StripeError as error:
        raise PaymentsUnavailableError("The payment provider does not answer.") from error
    found: dict[str, Any] = answer.to_dict()
    return found


def _release_connection() -> None:
    if not connection.in_atomic_block:
        connection.close()
    elif settings.FORBID_NETWORK_IN_TRANSACTION:
        raise RuntimeError("network call inside a transaction")


def _reason(code: str | None, status: int | None) -> str:
    return code or (_MISSING if status == _NOT_FOUND else "invalid_request")


def _error_body(error: Any) -> Mapping[str, Any]:  # noqa: ANN401 - the library's, untyped
    body = error.json_body
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _session(found: Mapping[str, Any]) -> SessionFacts:
    return SessionFacts(
        id=str(found["id"]),
        url=str(found.get("url") or ""),
        status=str(found.get("status") or ""),
        intent_id=_id_of(found.get("payment_intent")),
    )


def _intent(found: Mapping[str, Any], refunds: Sequence[Mapping[str, Any]]) -> IntentFacts:
    metadata = found.get("metadata") or {}
    error = found.get("last_payment_error") or {}
    is_paid = found["status"] == _SUCCEEDED
    return IntentFacts(
        id=str(found["id"]),
        status=str(found["status"]),
        amount=int(found["amount"]),
        received=int(found.get("amount_received", found["amount"] if is_paid else 0)),
        currency=str(found["currency"]).upper(),
        livemode=bool(found.get("livemode")),
        customer_id=_id_of(found.get("customer")),
        payment_id=_uuid(metadata.get("payment")),
        organization_id=_uuid(metadata.get("organization")),
        failure_code=str(error.get("code") or ""),
        card=_card(found.get("payment_method")),
        refunds=[
            RefundFacts(str(one["id"]), int(one["amount"]), str(one.get("status") or "succeeded"))
            for one in refunds
        ],
    )


def _card(method: object) -> CardFacts | None:
    if not isinstance(method, dict) or not isinstance(method.get("card"), dict):
        return None
    card = method["card"]
    return CardFacts(
        method_id=str(method["id"]),
        brand=str(card.get("brand") or "")[:32],
        last4=str(card.get("last4") or "")[:4],
        expires_month=int(card.get("exp_month") or 0),
        expires_year=int(card.get("exp_year") or 0),
    )


def _id_of(value: object) -> str:
    """Return an id, whether the object is expanded or not."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) else ""


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
