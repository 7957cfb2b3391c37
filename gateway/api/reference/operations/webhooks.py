"""Calls of webhooks."""

from typing import Final

from gateway.api.reference.operation import Operation, answer, query
from gateway.api.reference.shapes import integer, ref, text
from gateway.api.webhooks import PAGE_SIZE, PAGE_SIZE_MAX, SCOPE
from gateway.errors import (
    InvalidJSONError,
    InvalidRequestError,
    MissingParameterError,
    RequestTooLargeError,
)
from orgs.errors import WebhookNotFoundError

_TAG: Final = "Webhooks"
_BODY: Final = (InvalidRequestError, InvalidJSONError, RequestTooLargeError)
_OWN: Final = (WebhookNotFoundError,)

WEBHOOK_OPERATIONS: Final = {
    "WebhooksView": {
        "post": Operation(
            id="createWebhook",
            tag=_TAG,
            summary="Create a webhook",
            description="Its secret is in this answer alone.",
            scope=SCOPE,
            body="CreateWebhookRequest",
            answers={201: answer("The webhook.", ref("WebhookWithSecret"))},
            errors=(*_BODY, MissingParameterError),
        ),
        "get": Operation(
            id="listWebhooks",
            tag=_TAG,
            summary="List webhooks",
            scope=SCOPE,
            answers={200: answer("All webhooks.", ref("WebhookList"))},
        ),
    },
    "WebhookView": {
        "get": Operation(
            id="getWebhook",
            tag=_TAG,
            summary="Look up a webhook",
            scope=SCOPE,
            answers={200: answer("The webhook.", ref("Webhook"))},
            errors=_OWN,
        ),
        "patch": Operation(
            id="changeWebhook",
            tag=_TAG,
            summary="Change a webhook",
            description="Its URL or events; or switch it off or on.",
            scope=SCOPE,
            body="ChangeWebhookRequest",
            answers={200: answer("The webhook as it is now.", ref("Webhook"))},
            errors=(*_BODY, *_OWN),
        ),
        "delete": Operation(
            id="deleteWebhook",
            tag=_TAG,
            summary="Delete a webhook",
            description="Nothing more is sent to it.",
            scope=SCOPE,
            answers={200: answer("It is gone.", ref("DeletedWebhook"))},
            errors=_OWN,
        ),
    },
    "WebhookTestView": {
        "post": Operation(
            id="testWebhook",
            tag=_TAG,
            summary="Send a test",
            description="A `webhook.test` to this webhook alone.",
            scope=SCOPE,
            answers={202: answer("Its delivery, under way.", ref("WebhookDelivery"))},
            errors=(InvalidRequestError, *_OWN),
        )
    },
    "WebhookSecretView": {
        "post": Operation(
            id="rotateWebhookSecret",
            tag=_TAG,
            summary="Rotate the secret",
            description="For 24 hours messages are signed with the old one, too.",
            scope=SCOPE,
            answers={200: answer("The webhook, new secret.", ref("WebhookWithSecret"))},
            errors=_OWN,
        )
    },
    "WebhookDeliveriesView": {
        "get": Operation(
            id="listWebhookDeliveries",
            tag=_TAG,
            summary="List deliveries",
            description="One row per event, newest first, for 30 days.",
            scope=SCOPE,
            parameters=(
                query(
                    "limit",
                    "Most to return.",
                    integer(minimum=1, maximum=PAGE_SIZE_MAX, default=PAGE_SIZE),
                ),
                query("after", "The `last_id` of the page before.", text(minLength=1)),
            ),
            answers={200: answer("A page.", ref("WebhookDeliveryList"))},
            errors=(InvalidRequestError, *_OWN),
        )
    },
    "RedeliveryView": {
        "post": Operation(
            id="redeliverWebhook",
            tag=_TAG,
            summary="Send an event again",
            description="Whatever became of it, under the same `webhook-id`.",
            scope=SCOPE,
            answers={202: answer("Its delivery, under way.", ref("WebhookDelivery"))},
            errors=(InvalidRequestError, *_OWN),
        )
    },
}
