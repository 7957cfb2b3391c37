"""Models of the catalog."""

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
    number,
    record,
    ref,
    text,
    words,
)
from gateway.catalog.types import Status

_SECONDS: Final = nullable(number("Seconds; null without calls."))

MODEL_SCHEMAS: Final[dict[str, Schema]] = {
    "Model": record(
        "OpenAI's model object, with what the model can do and what it costs you.",
        {
            "id": text(examples=["fal/flux-1.1-pro"]),
            "object": constant("model"),
            "created": instant("When it was published."),
            "owned_by": text("Its maker."),
            "name": text(),
            "provider": text("Its maker."),
            "notes": text(),
            "features": array(text()),
            "status": words([status.value for status in Status]),
            "retires_on": nullable(text(format="date")),
            "successor": nullable(text("The model to move to.")),
            "available": boolean("Whether one of its routes is."),
            "routes": array(ref("ModelRoute"), "Ways to serve it, best first."),
            "sizes": array(text(examples=["1024x1024"])),
            "free_sizes": boolean("Whether it takes other sizes, too."),
            "default_size": text(examples=["1024x1024"]),
            "qualities": array(text()),
            "default_quality": nullable(text()),
            "parameters": array(text(), "Optional fields of a request that it knows."),
            "edits": nullable(ref("ModelEdits")),
            "max_n": integer(),
            "max_prompt_length": integer(),
            "expected_latency": record(
                "How long a generation takes.",
                {"p50_s": number("Median."), "p95_s": number("19 of 20 take less.")},
            ),
            "deadline_s": integer("Seconds after which a generation fails, free of charge."),
            "prices": array(ref("ModelPrice")),
        },
    ),
    "ModelRoute": record(
        "A provider's model that can serve this one. Numbers are everybody's of the last 24 hours.",
        {
            "provider": text(examples=["fal"]),
            "upstream_model": text(examples=["fal-ai/flux-pro/v1.1"]),
            "state": words(("available", "unavailable"), "To you, now."),
            "success_rate": nullable(number("0 to 1; null without calls.")),
            "p50_s": _SECONDS,
            "p95_s": _SECONDS,
        },
    ),
    "ModelEdits": record(
        "What it takes to edit images; null for a model that cannot.",
        {
            "max_images": integer("Most images of one request, a mask apart."),
            "mask": boolean("Whether it takes a mask."),
            "input_fidelity": boolean("Whether it knows the parameter."),
            "input_amount": nullable(
                amount("What each image sent along, a mask too, adds to the price of an image.")
            ),
        },
    ),
    "ModelPrice": record(
        "What an image costs your organization.",
        {
            "size": text(examples=["1024x1024"]),
            "quality": nullable(text()),
            "amount": amount("The price."),
            "currency": currency(),
        },
    ),
    "ModelList": record("Every model.", {"object": constant("list"), "data": array(ref("Model"))}),
}
