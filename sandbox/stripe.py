"""Stripe: customers, checkout sessions, payment intents, refunds, disputes and events.

The shapes are those of Stripe's API (docs.stripe.com/api, read 2026-11), as far as a top-up needs
them. No money moves, and what it knows is forgotten when it stops: an unknown customer or saved
card is then taken for granted, so that a demonstration outlives a restart.

Beside the protocol, for tests and demonstrations: `/pay/<session>` is the page on which a person
pays, and `/_control/...` lets one dispute, change and look at things (`sandbox.stripe_control`).
"""

import html
import secrets
from typing import Any, Final

from sandbox.server import Request, Response, json_response
from sandbox.stripe_control import control
from sandbox.stripe_events import Courier
from sandbox.stripe_forms import parse_form
from sandbox.stripe_state import (
    DECLINED,
    Refused,
    State,
    new_id,
    pay_intent,
    saved_card_id,
    unix_now,
)

_PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Sandbox payment</title>
<link rel="icon" href="data:,">
<style>body{{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f6fa;color:#182433}}
main{{max-width:26rem;margin:8vh auto;padding:1.5rem;background:#fff;border:1px solid #d9dee6;
border-radius:8px}}h1{{font-size:1.25rem;margin:0 0 .25rem}}strong{{font-size:1.75rem}}
p{{margin:.5rem 0}}.note{{background:#fff4d6;color:#5c4400;padding:.5rem .75rem;border-radius:4px}}
label{{display:block;margin:1rem 0 .25rem}}select,button,a{{font:inherit;padding:.6rem .75rem;
border-radius:4px;border:1px solid #8a94a6;width:100%;box-sizing:border-box;background:#fff;
color:inherit;display:block;text-align:center;text-decoration:none;margin-top:.5rem}}
button.pay{{background:#0b5ed7;border-color:#0b5ed7;color:#fff}}</style></head><body><main>
<h1>{name}</h1><strong>{amount} {currency}</strong>{lines}
<p class="note">Sandbox: no real money. Stripe's own page looks different.</p>{body}</main></body>
</html>"""
_FORM: Final = """<form method="post"><label for="card">Test card</label>
<select id="card" name="card"><option value="ok">4242 · pays, now and later</option>
<option value="declined">0341 · pays now, is declined later</option>
<option value="authentication">3184 · pays now, must be confirmed later</option></select>
<button class="pay" name="action" value="pay">Pay</button>
<button name="action" value="decline">Decline</button></form><a href="{cancel}">Back</a>"""
_ZERO_DECIMALS: Final = frozenset({"clp", "jpy", "krw"})


class Stripe:
    """The emulated API; `courier` sends its events."""

    name = "stripe"

    def __init__(self, courier: Courier | None = None) -> None:
        self.state = State()
        self.courier = courier or Courier.from_environ()

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        request.entry.operation = "payment"
        parts = request.path.strip("/").split("/")
        try:
            match parts:
                case ["pay", session_id]:
                    return self._pay_page(request, session_id)
                case ["_control", *rest]:
                    return control(self.state, self.courier, request, rest)
                case ["v1", *rest]:
                    return self._api(request, rest)
        except Refused as error:
            return json_response({"error": error.body()}, status=error.status)
        return json_response({"error": _unknown_url().body()}, status=404)

    def _api(self, request: Request, rest: list[str]) -> Response:
        if not request.headers.get("authorization", "").startswith("Bearer sk_test_"):
            raise Refused(401, "invalid_request_error", None, "Invalid API Key provided.")
        self._fail_on_order()
        params = parse_form(request.body.decode())
        key = request.headers.get("idempotency-key", "")
        if request.method == "POST" and key:
            return self._once(key, request, rest, params)
        return json_response(self._route(request, rest, params))

    def _once(
        self, key: str, request: Request, rest: list[str], params: dict[str, Any]
    ) -> Response:
        """Answer as before where the key was seen before, refusals of cards included."""
        asked = (request.path, request.body)
        known = self.state.answers.get(key)
        if known is None:
            try:
                answer = json_response(self._route(request, rest, params))
            except Refused as error:
                if error.kind != "card_error":
                    raise
                answer = json_response({"error": error.body()}, status=error.status)
            self.state.keep(self.state.answers, key, (asked, answer))
            if self.state.lost_answers:
                self.state.lost_answers -= 1
                raise Refused(500, "api_error", None, "The answer was lost on the way.")
            return answer
        if known[0] != asked:
            message = "Keys for idempotent requests can only be used with the same parameters."
            raise Refused(400, "idempotency_error", None, message)
        return Response(known[1].status, known[1].body, headers={"Idempotent-Replayed": "true"})

    def _fail_on_order(self) -> None:
        if self.state.failures:
            self.state.failures -= 1
            raise Refused(500, "api_error", None, "An unknown error occurred.")

    def _route(self, request: Request, rest: list[str], params: dict[str, Any]) -> dict[str, Any]:
        if request.method == "POST":
            return self._posted(request, rest, params)
        match rest:
            case ["payment_methods", method_id]:
                return self.state.method(method_id)
            case ["refunds" | "disputes" as kind]:
                intent_id = request.query.get("payment_intent", "")
                found = self.state.about(intent_id, kind.removesuffix("s"))
                return {"object": "list", "data": found, "has_more": False, "url": f"/v1/{kind}"}
            case ["checkout", "sessions", session_id]:
                return self.state.session(session_id)
            case ["payment_intents", intent_id]:
                return self.state.expanded(intent_id)
            case ["customers" | "refunds" | "disputes" | "events", object_id]:
                return self.state.found(object_id)
        raise _unknown_url()

    def _posted(self, request: Request, rest: list[str], params: dict[str, Any]) -> dict[str, Any]:
        match rest:
            case ["customers"]:
                return self._add("customer", {"object": "customer", **params})
            case ["checkout", "sessions"]:
                return self._create_session(request, params)
            case ["payment_intents"]:
                return self._create_intent(params)
            case ["refunds"]:
                return self._refund(params)
            case ["payment_methods", method_id, "detach"]:
                return self.state.method(method_id) | {"customer": None}
        raise _unknown_url()

    def _add(self, prefix: str, fields: dict[str, Any]) -> dict[str, Any]:
        made = {"id": new_id(prefix), "created": unix_now(), "livemode": False, **fields}
        self.state.add(made)
        return made

    def _create_session(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        lines = params["line_items"]
        line = lines[0]
        total = sum(int(one["price_data"]["unit_amount"]) * int(one["quantity"]) for one in lines)
        session_id = f"cs_test_{secrets.token_hex(24)}"
        return self._add(
            "cs",
            {
                "id": session_id,
                "object": "checkout.session",
                "mode": "payment",
                "status": "open",
                "payment_status": "unpaid",
                "payment_intent": None,
                "url": f"{request.root}/pay/{session_id}",
                "amount_total": total,
                "currency": line["price_data"]["currency"],
                "lines": [
                    (
                        one["price_data"]["product_data"]["name"],
                        int(one["price_data"]["unit_amount"]),
                    )
                    for one in lines
                ],
                "customer": params.get("customer"),
                "client_reference_id": params.get("client_reference_id"),
                "metadata": params.get("metadata", {}),
                "success_url": params["success_url"],
                "cancel_url": params.get("cancel_url"),
                "expires_at": int(params.get("expires_at") or unix_now() + 86_400),
                "payment_intent_data": params.get("payment_intent_data", {}),
            },
        )

    def _create_intent(self, params: dict[str, Any]) -> dict[str, Any]:
        intent = self.state.new_intent(
            amount=int(params["amount"]),
            currency=params["currency"],
            customer=params.get("customer"),
            metadata=params.get("metadata", {}),
        )
        if params.get("confirm") == "true":
            intent["payment_method"] = params["payment_method"]
            away = params.get("off_session") == "true"
            try:
                pay_intent(self.state, intent, is_away=away)
            except Refused:
                self.courier.emit(self.state, "payment_intent.payment_failed", intent)
                raise
            self.courier.emit(self.state, "payment_intent.succeeded", intent)
        return self.state.expanded(intent["id"])

    def _refund(self, params: dict[str, Any]) -> dict[str, Any]:
        refund = self.state.new_refund(params["payment_intent"], params.get("amount"))
        charge = self.state.charge_of(params["payment_intent"])
        self.courier.emit(self.state, "charge.refunded", charge)
        return refund

    def _pay_page(self, request: Request, session_id: str) -> Response:
        session = self.state.session(session_id)
        if session["status"] != "open":
            return _page(session, f'<a href="{html.escape(session["success_url"])}">Go on</a>')
        if request.method != "POST":
            return _page(session, _FORM.format(cancel=html.escape(session["cancel_url"] or "")))
        form = parse_form(request.body.decode())
        if form.get("action") == "decline":
            note = '<p class="note" role="alert">The card was declined. Try another one.</p>'
            self.decline(session)
            return _page(
                session, note + _FORM.format(cancel=html.escape(session["cancel_url"] or ""))
            )
        self.pay(session, str(form.get("card") or "ok"))
        return Response(303, headers={"Location": session["success_url"]})

    def pay(self, session: dict[str, Any], behavior: str) -> dict[str, Any]:
        """Pay a session as a person would on its page; return the intent."""
        intent = self._intent_of(session)
        intent["payment_method"] = saved_card_id(behavior)
        pay_intent(self.state, intent, is_away=False)
        session |= {"status": "complete", "payment_status": "paid", "url": None}
        self.courier.emit(self.state, "payment_intent.succeeded", intent)
        self.courier.emit(self.state, "checkout.session.completed", session)
        return intent

    def decline(self, session: dict[str, Any]) -> None:
        """Try to pay a session by a card that is declined; the session stays open."""
        intent = self._intent_of(session)
        intent["payment_method"] = saved_card_id(DECLINED)
        try:
            pay_intent(self.state, intent, is_away=True)
        except Refused:
            self.courier.emit(self.state, "payment_intent.payment_failed", intent)

    def _intent_of(self, session: dict[str, Any]) -> dict[str, Any]:
        if session["payment_intent"] is None:
            intent = self.state.new_intent(
                amount=session["amount_total"],
                currency=session["currency"],
                customer=session["customer"],
                metadata=session["payment_intent_data"].get("metadata", {}),
            )
            session["payment_intent"] = intent["id"]
        return self.state.found(session["payment_intent"])


def _unknown_url() -> Refused:
    return Refused(404, "invalid_request_error", None, "Unrecognized request URL.")


def _page(session: dict[str, Any], body: str) -> Response:
    currency, lines = session["currency"], session["lines"]
    page = _PAGE.format(
        name=html.escape(lines[0][0]),
        amount=_written(session["amount_total"], currency),
        currency=currency.upper(),
        lines="".join(
            f"<p>{html.escape(name)}: {_written(amount, currency)}</p>"
            for name, amount in (lines if len(lines) > 1 else [])
        ),
        body=body,
    )
    return Response(200, page.encode(), "text/html; charset=utf-8")


def _written(amount: int, currency: str) -> str:
    digits = 0 if currency in _ZERO_DECIMALS else 2
    whole, rest = divmod(amount, 10**digits)
    return f"{whole}.{rest:0{digits}d}" if digits else str(whole)
