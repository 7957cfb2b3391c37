"""Every schema of the document, by name."""

from collections.abc import Mapping
from functools import cache

from gateway.api.reference.failures import FAILURE_SCHEMAS
from gateway.api.reference.schemas.accounts import ACCOUNT_SCHEMAS
from gateway.api.reference.schemas.events import EVENT_SCHEMAS
from gateway.api.reference.schemas.images import IMAGE_SCHEMAS
from gateway.api.reference.schemas.models import MODEL_SCHEMAS
from gateway.api.reference.schemas.requests import (
    create_edit_request,
    create_image_request,
    create_quote_request,
    create_variation_request,
)
from gateway.api.reference.schemas.webhooks import WEBHOOK_SCHEMAS
from gateway.api.reference.shapes import Schema


@cache
def schemas() -> Mapping[str, Schema]:
    """Return the schemas."""
    return {
        "CreateImageRequest": create_image_request(),
        "CreateImageEditRequest": create_edit_request(),
        "CreateImageVariationRequest": create_variation_request(),
        "CreateQuoteRequest": create_quote_request(),
        **IMAGE_SCHEMAS,
        **EVENT_SCHEMAS,
        **MODEL_SCHEMAS,
        **ACCOUNT_SCHEMAS,
        **WEBHOOK_SCHEMAS,
        **FAILURE_SCHEMAS,
    }
