"""Events of the emulated Stripe: kept, signed, and sent to one endpoint with retries."""

import copy
import hashlib
import hmac
import logging
import os
import time
import urllib.error
import urllib.request
from typing import Any, Final

import gevent
import orjson

from sandbox.stripe_state import State, new_id, unix_now

API_VERSION: Final = "2026-10-28.endive"
_PAUSES_S: Final = (0.5, 2.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0)
_TIMEOUT_S: Final = 20.0
logger = logging.getLogger(__name__)


class Courier:
    """Sends each event to one endpoint until that answers 2xx; without an endpoint, to nobody.

    Attributes:
        is_open: Whether events are sent; switched off, they are only kept.
    """

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._secret = secret
        self.is_open = True

    @classmethod
    def from_environ(cls) -> "Courier":
        """Take the endpoint from `STRIPE_WEBHOOK_URL` and `STRIPE_WEBHOOK_SECRET`."""
        secret = os.environ.get("STRIPE_WEBHOOK_SECRET", "").partition(",")[0]
        return cls(os.environ.get("STRIPE_WEBHOOK_URL", ""), secret)

    def emit(self, state: State, kind: str, thing: dict[str, Any]) -> dict[str, Any]:
        """Make an event of something as it is now, and send it."""
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": unix_now(),
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
            "data": {"object": copy.deepcopy(thing)},
        }
        state.add(event)
        if self._url and self.is_open:
            gevent.spawn(self._deliver, event)
        return event

    def sign(self, body: bytes, *, at: int | None = None) -> str:
        """Return the header `Stripe-Signature` of a body."""
        moment = int(time.time()) if at is None else at
        signed = f"{moment}.".encode() + body
        digest = hmac.new(self._secret.encode(), signed, hashlib.sha256).hexdigest()
        return f"t={moment},v1={digest}"

    def _deliver(self, event: dict[str, Any]) -> None:
        body = orjson.dumps(event)
        for pause_s in (*_PAUSES_S, None):
            request = urllib.request.Request(  # noqa: S310 - the operator's own URL
                self._url,
                data=body,
                headers={
                    "Content-Type": "application/json; charset=utf-8",
                    "Stripe-Signature": self.sign(body),
                },
            )
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - see above
                    return
            except (urllib.error.URLError, OSError) as error:
                logger.warning("stripe.event_not_taken event=%s error=%s", event["id"], error)
            if pause_s is not None:
                gevent.sleep(pause_s)
