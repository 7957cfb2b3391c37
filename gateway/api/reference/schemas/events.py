"""Events of a stream, in OpenAI's shapes."""

from typing import Final

from gateway.api.reference.shapes import (
    Schema,
    amount,
    constant,
    currency,
    instant,
    integer,
    record,
    ref,
    text,
    words,
)
from gateway.parameters.generation import BACKGROUNDS, OUTPUT_FORMATS

PARTIAL: Final = "image_generation.partial_image"
COMPLETED: Final = "image_generation.completed"


def _event(kind: str, description: str, **more: Schema) -> Schema:
    return record(
        description,
        {
            "type": constant(kind),
            "b64_json": text("The image in base64.", contentEncoding="base64"),
            "created_at": instant("When it was made."),
            "size": text(examples=["1024x1024"]),
            "quality": text(),
            "background": words(BACKGROUNDS),
            "output_format": words(OUTPUT_FORMATS),
            **more,
        },
    )


EVENT_SCHEMAS: Final[dict[str, Schema]] = {
    "ImageGenStreamEvent": {
        "description": "The `data` of one event. A stream has comments as heartbeats, the partial"
        " images, and at its end the completed event or, without an event name, an error.",
        "anyOf": [
            ref("ImageGenPartialImageEvent"),
            ref("ImageGenCompletedEvent"),
            ref("GatewayError"),
        ],
    },
    "ImageGenPartialImageEvent": _event(
        PARTIAL, "The image as far as it is drawn.", partial_image_index=integer("Counts from 0.")
    ),
    "ImageGenCompletedEvent": _event(
        COMPLETED,
        "The image, stored and paid for.",
        usage=ref("ImageGenUsage"),
        url=text("Where it is.", format="uri"),
        cost=record(
            "What was charged.", {"amount": amount("What was charged."), "currency": currency()}
        ),
    ),
}
