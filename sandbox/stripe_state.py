"""What the emulated Stripe knows, and how its cards behave."""

import secrets
import time
from collections import OrderedDict
from typing import Any, Final, TypeVar

from sandbox.server import Response

_KEPT: Final = 20_000
V = TypeVar("V")
PAYS: Final = "ok"
DECLINED: Final = "declined"
MUST_CONFIRM: Final = "authentication"
# Stripe's own test cards by their names (docs.stripe.com/testing, read 2026-11).
_TEST_CARDS: Final = {
    "pm_card_visa": PAYS,
    "pm_card_mastercard": PAYS,
    "pm_card_chargeDeclined": DECLINED,
    "pm_card_chargeCustomerFail": DECLINED,
    "pm_card_authenticationRequired": MUST_CONFIRM,
}
_PREFIXES: Final = {"customer": "cus"}
_LAST4: Final = {PAYS: "4242", DECLINED: "0341", MUST_CONFIRM: "3184"}
_CARD_REFUSED: Final = 402


class Refused(Exception):  # noqa: N818 - Stripe's own word
    """An error as Stripe answers it."""

    def __init__(
        self,
        status: int,
        kind: str,
        code: str | None,
        message: str,
        intent: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind = status, kind
        self._code, self._message, self._intent = code, message, intent

    def body(self) -> dict[str, Any]:
        """Return the error object."""
        found: dict[str, Any] = {"type": self.kind, "message": self._message}
        if self._code:
            found["code"] = self._code
        if self._intent:
            found["payment_intent"] = self._intent
        return found


class State:
    """Objects by id, and answers by idempotency key.

    Attributes:
        failures: How many of the next calls are answered 500, undone.
        lost_answers: How many of the next are done and then answered 500.
    """

    def __init__(self) -> None:
        self.objects: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.answers: OrderedDict[str, tuple[tuple[str, bytes], Response]] = OrderedDict()
        self.failures = 0
        self.lost_answers = 0

    def keep(self, where: OrderedDict[str, V], key: str, value: V) -> None:
        """Remember something, and forget the oldest beyond the limit."""
        where[key] = value
        if len(where) > _KEPT:
            where.popitem(last=False)

    def add(self, made: dict[str, Any]) -> None:
        """Remember an object."""
        self.keep(self.objects, made["id"], made)

    def found(self, object_id: str) -> dict[str, Any]:
        """Return an object.

        Raises:
            Refused: There is none.
        """
        if object_id not in self.objects:
            message = f"No such object: '{object_id}'"
            raise Refused(404, "invalid_request_error", "resource_missing", message)
        return self.objects[object_id]

    def session(self, session_id: str) -> dict[str, Any]:
        """Return a session, expired where its time is over."""
        session = self.found(session_id)
        if session["status"] == "open" and session["expires_at"] < time.time():
            session |= {"status": "expired", "url": None}
        return session

    def method(self, method_id: str) -> dict[str, Any]:
        """Return a card by its name, whether it was seen before or not."""
        return {
            "id": method_id,
            "object": "payment_method",
            "type": "card",
            "livemode": False,
            "card": {
                "brand": "visa",
                "last4": _LAST4[behavior_of(method_id)],
                "exp_month": 12,
                "exp_year": 2034,
            },
        }

    def new_intent(
        self, *, amount: int, currency: str, customer: object, metadata: dict[str, str]
    ) -> dict[str, Any]:
        """Create a payment intent that nobody has paid yet."""
        made = {
            "id": new_id("pi"),
            "object": "payment_intent",
            "created": unix_now(),
            "livemode": False,
            "amount": amount,
            "amount_received": 0,
            "currency": currency.lower(),
            "customer": customer,
            "metadata": metadata,
            "status": "requires_payment_method",
            "payment_method": None,
            "latest_charge": None,
            "last_payment_error": None,
        }
        self.add(made)
        return made

    def expanded(self, intent_id: str) -> dict[str, Any]:
        """Return an intent with its card in full."""
        intent = dict(self.found(intent_id))
        if isinstance(intent["payment_method"], str):
            intent["payment_method"] = self.method(intent["payment_method"])
        return intent

    def charge_of(self, intent_id: str) -> dict[str, Any]:
        """Return the charge of a paid intent."""
        return self.found(self.found(intent_id)["latest_charge"])

    def about(self, intent_id: str, kind: str) -> list[dict[str, Any]]:
        """Return the refunds of an intent, or the disputes, newest first."""
        return [
            one
            for one in reversed(self.objects.values())
            if one["object"] == kind and one["payment_intent"] == intent_id
        ]

    def new_refund(self, intent_id: str, amount: str | int | None) -> dict[str, Any]:
        """Refund a paid intent, or a part of it.

        Raises:
            Refused: It is more than is left.
        """
        charge = self.charge_of(intent_id)
        left = charge["amount"] - charge["amount_refunded"]
        wanted = left if amount is None else int(amount)
        if not 0 < wanted <= left:
            code = "charge_already_refunded" if not left else "amount_too_large"
            raise Refused(400, "invalid_request_error", code, "More than is left of the charge.")
        charge["amount_refunded"] += wanted
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        made = {
            "id": new_id("re"),
            "object": "refund",
            "created": unix_now(),
            "amount": wanted,
            "currency": charge["currency"],
            "charge": charge["id"],
            "payment_intent": intent_id,
            "status": "succeeded",
        }
        self.add(made)
        return made


def pay_intent(state: State, intent: dict[str, Any], *, is_away: bool) -> None:
    """Charge the card of an intent.

    Args:
        state: Gets the charge.
        intent: Changed.
        is_away: The holder of the card cannot confirm, and a card may be declined.

    Raises:
        Refused: It was declined, or must be confirmed.
    """
    behavior = behavior_of(str(intent["payment_method"]))
    if is_away and behavior != PAYS:
        code = "card_declined" if behavior == DECLINED else "authentication_required"
        message = "Your card was declined."
        error = {"type": "card_error", "code": code, "message": message}
        intent |= {"status": "requires_payment_method", "last_payment_error": error}
        raise Refused(_CARD_REFUSED, "card_error", code, message, state.expanded(intent["id"]))
    charge = {
        "id": new_id("ch"),
        "object": "charge",
        "created": unix_now(),
        "livemode": False,
        "amount": intent["amount"],
        "amount_refunded": 0,
        "refunded": False,
        "paid": True,
        "currency": intent["currency"],
        "payment_intent": intent["id"],
        "customer": intent["customer"],
        "metadata": intent["metadata"],
        "status": "succeeded",
    }
    state.add(charge)
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "latest_charge": charge["id"],
        "last_payment_error": None,
    }


def behavior_of(method_id: str) -> str:
    """Return how a card behaves while its holder is away: its name says so."""
    if method_id in _TEST_CARDS:
        return _TEST_CARDS[method_id]
    for behavior in (DECLINED, MUST_CONFIRM):
        if method_id.startswith(f"pm_sandbox_{behavior}_"):
            return behavior
    return PAYS


def saved_card_id(behavior: str) -> str:
    """Return the id of a new card that behaves so."""
    known = behavior if behavior in _LAST4 else PAYS
    return f"pm_sandbox_{known}_{secrets.token_hex(8)}"


def new_id(prefix: str) -> str:
    """Return an id such as Stripe makes."""
    return f"{_PREFIXES.get(prefix, prefix)}_{secrets.token_hex(12)}"


def unix_now() -> int:
    """Return the time in seconds."""
    return int(time.time())
