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


def _events(prefix: str, kind: str) -> dict[str, Schema]:
    """Return the schemas of one kind of stream."""
    return {
        f"{prefix}StreamEvent": {
            "description": "The `data` of one event. A stream has comments as heartbeats, the"
            " partial images, and at its end the completed event or, without an event name, an"
            " error.",
            "anyOf": [
                ref(f"{prefix}PartialImageEvent"),
                ref(f"{prefix}CompletedEvent"),
                ref("GatewayError"),
            ],
        },
        f"{prefix}PartialImageEvent": _event(
            f"{kind}.partial_image",
            "The image as far as it is drawn.",
            partial_image_index=integer("Counts from 0."),
        ),
        f"{prefix}CompletedEvent": _event(
            f"{kind}.completed",
            "The image, stored and paid for.",
            usage=ref("ImageGenUsage"),
            url=text("Where it is.", format="uri"),
            cost=record(
                "What was charged.",
                {"amount": amount("What was charged."), "currency": currency()},
            ),
        ),
    }


EVENT_SCHEMAS: Final[dict[str, Schema]] = {
    **_events("ImageGen", "image_generation"),
    **_events("ImageEdit", "image_edit"),
    "ImageStreamEvent": {
        "description": "An event of whichever the generation is.",
        "anyOf": [ref("ImageGenStreamEvent"), ref("ImageEditStreamEvent")],
    },
}
