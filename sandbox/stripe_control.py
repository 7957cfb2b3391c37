"""What Stripe does not offer, for tests and demonstrations of the emulator.

| call | does |
|---|---|
| `POST /_control/disputes` `{payment_intent, amount?, status?}` | the holder of the card disputes |
| `POST /_control/disputes/<id>` `{status}` | the bank decides: `won` or `lost` |
| `POST /_control/refunds/<id>` `{status}` | a refund fails after all |
| `POST /_control/objects/<id>` `{...}` | changes fields of any object |
| `POST /_control/courier` `{is_open, failures, lost_answers}` | loses webhooks or answers |
| `POST /_control/events` `{type, object}` | makes an event of an object |
| `GET /_control/events?object=<id>` | events of an object, signed now, oldest first |
"""

from typing import Any, Final

import orjson

from sandbox.server import Request, Response, json_response
from sandbox.stripe_events import Courier
from sandbox.stripe_state import Refused, State, new_id, unix_now

_DISPUTED: Final = "needs_response"


def control(state: State, courier: Courier, request: Request, rest: list[str]) -> Response:  # noqa: PLR0911 - one case for each call
    """Carry out a call below `/_control`.

    Raises:
        Refused: There is no such call or object.
    """
    body: dict[str, Any] = orjson.loads(request.body or b"{}")
    match request.method, rest:
        case "POST", ["disputes"]:
            return json_response(_dispute(state, courier, body))
        case "POST", ["disputes", dispute_id]:
            dispute = state.found(dispute_id)
            dispute["status"] = body["status"]
            courier.emit(state, "charge.dispute.closed", dispute)
            return json_response(dispute)
        case "POST", ["refunds", refund_id]:
            refund = state.found(refund_id)
            refund["status"] = body["status"]
            courier.emit(state, "refund.failed", refund)
            return json_response(refund)
        case "POST", ["objects", object_id]:
            changed = state.found(object_id)
            changed |= body
            return json_response(changed)
        case "POST", ["courier"]:
            courier.is_open = bool(body.get("is_open", courier.is_open))
            state.failures = int(body.get("failures", 0))
            state.lost_answers = int(body.get("lost_answers", 0))
            return json_response({})
        case "POST", ["events"]:
            return json_response(courier.emit(state, body["type"], state.found(body["object"])))
        case "GET", ["events"]:
            return json_response(_events(state, courier, request.query.get("object", "")))
        case _:
            raise Refused(404, "invalid_request_error", None, "Unrecognized request URL.")


def _dispute(state: State, courier: Courier, body: dict[str, Any]) -> dict[str, Any]:
    charge = state.charge_of(body["payment_intent"])
    dispute = {
        "id": new_id("dp"),
        "object": "dispute",
        "created": unix_now(),
        "livemode": False,
        "amount": int(body.get("amount", charge["amount"])),
        "currency": charge["currency"],
        "charge": charge["id"],
        "payment_intent": charge["payment_intent"],
        "reason": body.get("reason", "fraudulent"),
        "status": body.get("status", _DISPUTED),
    }
    state.add(dispute)
    courier.emit(state, "charge.dispute.created", dispute)
    return dispute


def _events(state: State, courier: Courier, object_id: str) -> list[dict[str, str]]:
    """Return bodies as text with their signatures."""
    found = []
    for event in [one for one in state.objects.values() if one["object"] == "event"]:
        thing = event["data"]["object"]
        if object_id in {"", thing["id"], thing.get("payment_intent")}:
            body = orjson.dumps(event)
            found.append(
                {
                    "id": event["id"],
                    "type": event["type"],
                    "body": body.decode(),
                    "signature": courier.sign(body),
                }
            )
    return found
