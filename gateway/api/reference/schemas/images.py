"""Answers of images, and generations as a resource."""

from typing import Final

from gateway.api.reference.shapes import (
    NULL,
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
from gateway.parameters.generation import BACKGROUNDS, OUTPUT_FORMATS
from gateway.selectors.listing import STATUSES

REQUEST_ID: Final = "^req_[0-9a-f]{32}$"
# As rows keep it.
ATTEMPT_STATUSES: Final = ("started", "succeeded", "failed", "refused", "late", "unknown")

_DELETED_BY: Final = ("request", "retention")
_TOKENS: Final = record(
    "Of what kind the tokens are.",
    {"text_tokens": integer(), "image_tokens": integer()},
    optional=("text_tokens", "image_tokens"),
    additionalProperties=True,
)

IMAGE_SCHEMAS: Final[dict[str, Schema]] = {
    "ImagesResponse": record(
        "OpenAI's answer, with the images that came.",
        {
            "id": text("The generation.", pattern=REQUEST_ID),
            "object": constant("list"),
            "created": instant("When it ended."),
            "model": text("The model as it was asked for."),
            "data": array(ref("Image")),
            "usage": ref("ImageGenUsage"),
            "background": words(BACKGROUNDS, "GPT image models."),
            "output_format": words(OUTPUT_FORMATS, "GPT image models."),
            "size": text("GPT image models.", examples=["1024x1024"]),
            "quality": text("GPT image models."),
            "outcomes": array(ref("ImageOutcome"), "Where an image did not come."),
            "deleted_at": instant("Since when the images are deleted."),
            "deleted_by": words(_DELETED_BY, "What deleted them."),
        },
        optional=(
            "usage",
            "background",
            "output_format",
            "size",
            "quality",
            "outcomes",
            "deleted_at",
            "deleted_by",
        ),
    ),
    "Image": record(
        "One image.",
        {
            "url": text("Where it is.", format="uri"),
            "b64_json": text("Its bytes in base64.", contentEncoding="base64"),
            "revised_prompt": text("The prompt as the upstream rewrote it."),
        },
        optional=("url", "b64_json", "revised_prompt"),
    ),
    "ImageGenUsage": record(
        "Tokens, where the model counts them; zeros at the end of other models' streams.",
        {
            "input_tokens": integer(),
            "output_tokens": integer(),
            "total_tokens": integer(),
            "input_tokens_details": _TOKENS,
            "output_tokens_details": _TOKENS,
        },
        optional=(
            "input_tokens",
            "output_tokens",
            "total_tokens",
            "input_tokens_details",
            "output_tokens_details",
        ),
        additionalProperties=True,
    ),
    "ImageOutcome": record(
        "What became of one of the images that were asked for.",
        {
            "index": integer("Counts from 0."),
            "outcome": words(("delivered", "moderated", "failed")),
            "code": nullable(text("Why it is not there; one of the errors' codes.")),
        },
    ),
    "Cost": record(
        "What a generation was charged.",
        {
            "amount": amount("What was charged."),
            "quoted": amount("What was set aside for it."),
            "currency": currency(),
        },
    ),
    "Attempt": record(
        "One call to a provider.",
        {
            "number": integer("Counts from 1."),
            "provider": text(examples=["fal"]),
            "upstream_model": text(examples=["fal-ai/flux-pro/v1.1"]),
            "status": words(ATTEMPT_STATUSES),
            "error_code": nullable(text()),
            "started": instant("When it began."),
            "finished": nullable(instant("When it ended.")),
        },
    ),
    "Generation": record(
        "A generation and what became of it.",
        {
            "object": constant("generation"),
            "id": text(pattern=REQUEST_ID),
            "status": words(STATUSES),
            "model": text("The model as it was asked for."),
            "created": instant("When it was accepted."),
            "finished": nullable(instant("When it ended.")),
            "queue_position": nullable(
                integer("1 is next; null once it runs. Before its end, where it is looked up.")
            ),
            "estimated_seconds": integer("How long it will still take. As `queue_position`."),
            "prompt": nullable(text("Null once it is past the organization's retention.")),
            "size": text(examples=["1024x1024"]),
            "data": array(ref("Image")),
            "outcomes": array(ref("ImageOutcome")),
            "error": {"anyOf": [ref("ErrorObject"), NULL]},
            "cost": ref("Cost"),
            "attempts": array(ref("Attempt")),
            "livemode": boolean("False if a test key made it."),
            "deleted_at": nullable(instant("Since when its images are deleted.")),
            "deleted_by": nullable(words(_DELETED_BY, "What deleted them.")),
        },
        optional=("queue_position", "estimated_seconds"),
    ),
    "GenerationList": record(
        "A page of generations, newest first.",
        {
            "object": constant("list"),
            "data": array(ref("Generation")),
            "has_more": boolean(),
            "first_id": nullable(text(pattern=REQUEST_ID)),
            "last_id": nullable(text("`after` for the next page.", pattern=REQUEST_ID)),
        },
    ),
    "Quote": record(
        "A price that holds for ten minutes, for one generation.",
        {
            "object": constant("quote"),
            "id": text("Send it as `quote_id`.", pattern="^quote_[0-9a-f]{32}$"),
            "amount": amount("What the request will cost."),
            "unit_amount": amount("What each image will cost."),
            "images": integer("How many images it is for."),
            "input_images": integer("How many images may be sent along."),
            "currency": currency(),
            "expires_at": instant("Until when it holds."),
            "model": text(),
            "size": text(examples=["1024x1024"]),
            "quality": nullable(text()),
            "livemode": boolean("Whether it is for live keys."),
        },
    ),
}
