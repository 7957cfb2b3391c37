"""Webhooks as a resource, and the messages that are sent to them."""

from typing import Final

from gateway.api.reference.shapes import (
    Schema,
    amount,
    array,
    boolean,
    constant,
    currency,
    instant,
    integer,
    nullable,
    record,
    ref,
    text,
    words,
)
from orgs.services.outbox import TEST_EVENT, EventType
from orgs.services.targets import URL_MAX_LENGTH

WEBHOOK_ID: Final = "^wh_[0-9a-f]{32}$"
_EVENTS: Final = array(words(EventType, "What to be told of."), minItems=1)
_URL: Final = text(
    "An `https` URL at a public address.",
    maxLength=URL_MAX_LENGTH,
    examples=["https://example.com/lienzo"],
)
_WEBHOOK: Final[dict[str, Schema]] = {
    "id": text(pattern=WEBHOOK_ID),
    "object": constant("webhook"),
    "url": text("Where it is sent."),
    "events": array(words(EventType)),
    "enabled": boolean(),
    "disabled_reason": nullable(words(("request", "gone"), "Why it is off.")),
    "created": instant("When it was created."),
    "previous_secret_expires": nullable(instant("Until when the secret before signs, too.")),
}

# What a message's `data` is, by type.
DATA_SCHEMAS: Final[dict[str, Schema]] = {
    EventType.GENERATION_SUCCEEDED.value: ref("Generation"),
    EventType.GENERATION_FAILED.value: ref("Generation"),
    EventType.GENERATION_CANCELED.value: ref("Generation"),
    EventType.TOPUP_SUCCEEDED.value: record(
        "Money was added to the wallet.",
        {
            "object": constant("topup"),
            "id": text(format="uuid"),
            "amount": amount("How much, net of tax."),
            "tax": amount("The tax on it."),
            "total": amount("What was paid."),
            "currency": currency(),
            "reference": text(),
            "created": instant("When."),
        },
    ),
    EventType.TOPUP_FAILED.value: record(
        "An automatic top-up failed; there are no more until its terms are saved again.",
        {
            "object": constant("topup"),
            "id": text(format="uuid"),
            "amount": amount("How much it was to be, with tax."),
            "currency": currency(),
            "reason": text("Why, in the payment provider's words.", examples=["card_declined"]),
            "created": instant("When."),
        },
    ),
    EventType.CREDIT_NOTE_ISSUED.value: record(
        "Images were refunded: a credit note was issued.",
        {
            "object": constant("credit_note"),
            "number": integer("The credit note's."),
            "generation_id": text(examples=["req_4d3f0a0f5d8e4a4c9a3c0a8a7f1f4c55"]),
            "images": integer("How many were refunded."),
            "amount": amount("How much the wallet was credited."),
            "currency": currency(),
            "reason": text(),
            "created": instant("When."),
        },
    ),
    EventType.API_KEY_REVOKED.value: record(
        "A key was revoked.",
        {
            "object": constant("api_key"),
            "id": text(format="uuid"),
            "name": text(),
            "livemode": boolean(),
            "revoked": instant("When."),
        },
    ),
    EventType.BALANCE_LOW.value: record(
        "What is available has fallen below the organization's line.",
        {
            "object": constant("balance"),
            "available": amount("What is left."),
            "below": amount("The line."),
            "currency": currency(),
        },
    ),
    EventType.BUDGET_REACHED.value: record(
        "So much of a month's budget is spent; told once for each month and share.",
        {
            "object": constant("budget"),
            "api_key_id": nullable(
                text("Whose budget; null is the organization's.", format="uuid")
            ),
            "month": text("In the organization's time zone.", pattern="^[0-9]{4}-[0-9]{2}$"),
            "percent": {"type": "integer", "enum": [50, 80, 100]},
            "limit": amount("The most that may be spent."),
            "spent": amount("What was charged."),
            "currency": currency(),
        },
    ),
    TEST_EVENT: record(
        "You asked for it.", {"object": constant("webhook"), "id": text(pattern=WEBHOOK_ID)}
    ),
}


def message(kind: str) -> Schema:
    """Return the schema of a message of one type."""
    return record(
        "A message, signed as Standard Webhooks has it.",
        {
            "type": constant(kind),
            "timestamp": text("When it happened.", format="date-time"),
            "data": DATA_SCHEMAS[kind],
        },
    )


WEBHOOK_SCHEMAS: Final[dict[str, Schema]] = {
    "CreateWebhookRequest": record("A new webhook.", {"url": _URL, "events": _EVENTS}),
    "ChangeWebhookRequest": record(
        "What to change; what is absent stays as it is.",
        {"url": nullable(_URL), "events": nullable(_EVENTS), "enabled": nullable(boolean())},
        optional=("url", "events", "enabled"),
    ),
    "Webhook": record("A webhook, without its secret.", _WEBHOOK),
    "WebhookWithSecret": record(
        "A webhook with its secret, which is shown this once.",
        {**_WEBHOOK, "secret": text("Signs its messages.", pattern="^whsec_")},
    ),
    "WebhookList": record(
        "All webhooks, newest first.",
        {
            "object": constant("list"),
            "data": array(ref("Webhook")),
            "has_more": boolean(),
            "last_id": nullable(text(pattern=WEBHOOK_ID)),
        },
    ),
    "DeletedWebhook": record(
        "A webhook is no more.",
        {
            "id": text(pattern=WEBHOOK_ID),
            "object": constant("webhook.deleted"),
            "deleted": {"type": "boolean", "const": True},
        },
    ),
    "WebhookDelivery": record(
        "One event on its way to one webhook.",
        {
            "id": text(pattern="^whd_[0-9a-f]{32}$"),
            "object": constant("webhook.delivery"),
            "webhook_id": text("The message's id.", pattern="^evt_[0-9a-f]{32}$"),
            "event": words([*EventType, TEST_EVENT]),
            "status": words(("pending", "delivered", "failed")),
            "created": instant("When it was queued."),
            "next_try": nullable(instant("When it is tried next.")),
            "tries": array(ref("WebhookTry"), "Oldest first."),
        },
    ),
    "WebhookTry": record(
        "One call of your URL.",
        {
            "at": text(format="date-time"),
            "status": nullable(integer("What it answered.")),
            "error": nullable(text("Why there is no answer.")),
            "duration_ms": integer(),
        },
    ),
    "WebhookDeliveryList": record(
        "A page of deliveries, newest first.",
        {
            "object": constant("list"),
            "data": array(ref("WebhookDelivery")),
            "has_more": boolean(),
            "last_id": nullable(text("`after` for the next page.", pattern="^whd_[0-9a-f]{32}$")),
        },
    ),
}
