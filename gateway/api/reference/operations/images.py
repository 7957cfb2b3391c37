"""Calls of images and generations."""

from dataclasses import replace
from typing import Final

from billing.errors import (
    BudgetExceededError,
    FxRateStaleError,
    InsufficientBalanceError,
    ModelNotPricedError,
)
from gateway.api.answers import RESPOND_ASYNC
from gateway.api.generations import DEFAULT_LIMIT, MAX_LENGTHS, MAX_LIMIT
from gateway.api.reference import headers
from gateway.api.reference.operation import Operation, answer, query
from gateway.api.reference.shapes import integer, ref, text, words
from gateway.api.streaming import EVENTS
from gateway.errors import (
    ConcurrencyExceededError,
    ContentRefusedError,
    GenerationCanceledError,
    GenerationRunningError,
    GenerationTimeoutError,
    IdempotencyKeyReusedError,
    InvalidJSONError,
    InvalidRequestError,
    MaxCostExceededError,
    MissingParameterError,
    ModelNotAllowedError,
    ModelNotFoundError,
    ModelRetiredError,
    NotFoundError,
    ProviderUnavailableError,
    QuoteExpiredError,
    QuoteMismatchError,
    RateLimitExceededError,
    RequestTooLargeError,
    TestKeysDisabledError,
    UnsupportedValueError,
)
from gateway.parameters.queries import LAST_INSTANT_S
from gateway.selectors.listing import STATUSES
from orgs.errors import OrganizationSuspendedError

_READING: Final = (
    InvalidRequestError,
    InvalidJSONError,
    MissingParameterError,
    UnsupportedValueError,
    RequestTooLargeError,
    ModelNotFoundError,
    ModelNotAllowedError,
    OrganizationSuspendedError,
    ModelNotPricedError,
    FxRateStaleError,
)
_GENERATING: Final = (
    *_READING,
    MaxCostExceededError,
    QuoteMismatchError,
    QuoteExpiredError,
    GenerationCanceledError,
    ContentRefusedError,
    InsufficientBalanceError,
    BudgetExceededError,
    TestKeysDisabledError,
    ModelRetiredError,
    IdempotencyKeyReusedError,
    RateLimitExceededError,
    ConcurrencyExceededError,
    ProviderUnavailableError,
    GenerationTimeoutError,
)
_INSTANT: Final = integer(minimum=0, maximum=LAST_INSTANT_S)
_EXAMPLES: Final = {
    "image": {"model": "fal/flux-1.1-pro", "prompt": "a lighthouse at dusk", "size": "1344x768"},
    "several": {"model": "gpt-image-1", "prompt": "a lighthouse at dusk", "n": 3},
    "stream": {
        "model": "gpt-image-1",
        "prompt": "a lighthouse at dusk",
        "stream": True,
        "partial_images": 2,
    },
}

_CREATE: Final = Operation(
    id="createImage",
    tag="Images",
    summary="Generate images",
    description="Answers when the images are stored and paid for, or when they have failed; at the"
    " latest at the model's deadline (`deadline_s`). A generation goes on when its connection is"
    " cut, and the same request sent again then gets it without paying twice. Failures cost"
    " nothing.\n\nWith `stream` the answer is events; with `Prefer: respond-async` it is a 202.",
    scope="images:write",
    parameters=(headers.IDEMPOTENCY_KEY, headers.CLIENT_REQUEST_ID, headers.PREFER),
    body="CreateImageRequest",
    examples=_EXAMPLES,
    answers={
        200: answer(
            "The images, or events as they come.",
            ref("ImagesResponse"),
            headers=(*headers.OF_AN_ANSWER, "Cache-Control"),
            more={EVENTS: ref("ImageGenStreamEvent")},
        ),
        202: answer(
            f"Accepted, with `Prefer: {RESPOND_ASYNC}`. Ask for it at `Location`.",
            ref("Generation"),
            headers=(
                *headers.OF_AN_ANSWER,
                "Location",
                "Preference-Applied",
                "Retry-After",
            ),
        ),
    },
    errors=_GENERATING,
    error_headers=headers.OF_AN_ANSWER,
)

_FORM: Final = "multipart/form-data"


def _of_a_form(operation: str, summary: str, description: str, *, body: str) -> Operation:
    """Return a call that is sent images, and answers as one for images of a prompt does."""
    return replace(
        _CREATE,
        id=operation,
        summary=summary,
        description=description,
        body=body,
        media=_FORM,
        examples={},
        answers={
            **_CREATE.answers,
            200: answer(
                "The images, or events as they come.",
                ref("ImagesResponse"),
                headers=(*headers.OF_AN_ANSWER, "Cache-Control"),
                more={EVENTS: ref("ImageEditStreamEvent")},
            ),
        },
    )


IMAGE_OPERATIONS: Final = {
    "EditsView": {
        "post": _of_a_form(
            "createImageEdit",
            "Edit images",
            "Makes an image of a prompt and of images that are sent along: PNG, JPEG or WebP, of"
            " which the model has a greatest number (`edits.max_images`). Each of them, and a mask,"
            " adds `edits.input_amount` to the price of each image made. They are deleted when the"
            " generation has ended.",
            body="CreateImageEditRequest",
        )
    },
    "VariationsView": {
        "post": _of_a_form(
            "createImageVariation",
            "Vary an image",
            "Makes variations of one image. Where the model's provider has no variations any more,"
            " they are made by an edit.",
            body="CreateImageVariationRequest",
        )
    },
    "GenerationsView": {
        "post": _CREATE,
        "get": Operation(
            id="listGenerations",
            tag="Images",
            summary="List generations",
            description="All of the organization, newest first. Several filters must all hold.",
            scope="images:read",
            parameters=(
                query(
                    "limit",
                    "Most to return.",
                    integer(minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT),
                ),
                query("after", "The `last_id` of the page before.", text(minLength=1)),
                query("status", "Exactly this one.", words(STATUSES)),
                *(
                    query(name, described, text(minLength=1, maxLength=MAX_LENGTHS[name]))
                    for name, described in (
                        ("model", "By the id it was asked for."),
                        ("user", "The request's `user`."),
                        ("client_request_id", "The request's `X-Client-Request-Id`."),
                        ("idempotency_key", "The one that answers this key, for 24 hours."),
                    )
                ),
                query("created_after", "Unix seconds: from then on.", _INSTANT),
                query("created_before", "Unix seconds: before then.", _INSTANT),
            ),
            answers={200: answer("A page.", ref("GenerationList"), headers=("X-Dropped-Params",))},
            errors=(InvalidRequestError,),
        ),
    },
    "GenerationView": {
        "get": Operation(
            id="getGeneration",
            tag="Images",
            summary="Look up a generation",
            description="200 for a failed one, too. Before the end `Retry-After` says when to look"
            " again. With `stream` the answer is its events from now on: the newest partial image,"
            " those that follow, the end.",
            scope="images:read",
            parameters=(
                query("stream", "Answer with events.", words(("true", "false"), default="false")),
            ),
            answers={
                200: answer(
                    "The generation, or its events.",
                    ref("Generation"),
                    headers=(*headers.OF_A_GENERATION, "Retry-After", "Cache-Control"),
                    more={EVENTS: ref("ImageStreamEvent")},
                )
            },
            errors=(NotFoundError, InvalidRequestError),
        ),
        "delete": Operation(
            id="deleteGeneration",
            tag="Images",
            summary="Cancel or delete a generation",
            description="A queued one is canceled and costs nothing. Of one that has ended the"
            " images are deleted; what was paid stays paid. Repeating it changes nothing.",
            scope="images:write",
            answers={
                200: answer(
                    "The generation as it is now.",
                    ref("Generation"),
                    headers=headers.OF_A_GENERATION,
                )
            },
            errors=(NotFoundError, GenerationRunningError),
        ),
    },
    "QuotesView": {
        "post": Operation(
            id="createQuote",
            tag="Billing",
            summary="Quote a generation",
            description="The body is that of a generation; for an edit, `input_images` counts the"
            " images that will be sent along. For ten minutes that request with `quote_id` costs"
            " this much, once.",
            scope="images:write",
            body="CreateQuoteRequest",
            answers={200: answer("The price.", ref("Quote"), headers=("X-Dropped-Params",))},
            errors=_READING,
        )
    },
}
