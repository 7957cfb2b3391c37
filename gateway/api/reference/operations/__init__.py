"""Every call of the API: by the name of its view, then by method."""

from collections.abc import Mapping
from typing import Final

from gateway.api.reference.operation import Operation
from gateway.api.reference.operations.accounts import ACCOUNT_OPERATIONS
from gateway.api.reference.operations.images import IMAGE_OPERATIONS
from gateway.api.reference.operations.public import PUBLIC_OPERATIONS
from gateway.api.reference.operations.webhooks import WEBHOOK_OPERATIONS

Operations = Mapping[str, Mapping[str, Operation]]

OPERATIONS: Final[Operations] = {
    **IMAGE_OPERATIONS,
    **ACCOUNT_OPERATIONS,
    **WEBHOOK_OPERATIONS,
    **PUBLIC_OPERATIONS,
}
TAGS: Final[Mapping[str, str]] = {
    "Images": "Images, and the generations that make them.",
    "Models": "What there is to choose from.",
    "Billing": "The wallet, prices and what was charged.",
    "Webhooks": "Being told of what happens.",
    "Server": "Stored images, the state of the server, and this reference. No key is needed.",
}
