"""The body of a request for images. Its limits are those of the catalog and of its parser."""

from collections.abc import Iterable

from gateway.api.reference.shapes import (
    NULL,
    Schema,
    boolean,
    integer,
    known_words,
    nullable,
    record,
    text,
    words,
)
from gateway.catalog.registry import catalog
from gateway.catalog.types import Model
from gateway.parameters.files import MAX_INPUT_BYTES, MAX_INPUTS, MAX_MASK_BYTES
from gateway.parameters.generation import (
    AUTO,
    BACKGROUNDS,
    FIDELITIES,
    FULL_QUALITY,
    MAX_PARTIAL_IMAGES,
    MAX_SEED,
    MAX_USER_LENGTH,
    MODERATIONS,
    OUTPUT_FORMATS,
    STYLES,
)


def create_image_request() -> Schema:
    """Return the schema."""
    models = catalog().models()
    properties: dict[str, Schema] = {
        "prompt": text(
            "What to draw. Each model has a limit of its own (`max_prompt_length`).",
            minLength=1,
            maxLength=max(model.prompt_limit for model in models),
            examples=["a lighthouse at dusk"],
        ),
        "model": known_words(
            [model.id for model in models],
            "A model of `GET /v1/models`. Without it the organization's default, else `gpt-image-1`"
            " if a parameter of the GPT image models is used, else `dall-e-2`.",
            examples=["fal/flux-1.1-pro"],
        ),
        "n": integer(
            "How many images; each model has a limit of its own (`max_n`). With `stream` 1.",
            minimum=1,
            maximum=max(model.max_n for model in models),
            default=1,
        ),
        "size": known_words(
            (AUTO, *_each(str(size) for model in models for size in model.sizes.listed)),
            "`WIDTHxHEIGHT`, one of the model's `sizes`, or any where it has `free_sizes`.",
            default=AUTO,
        ),
        "quality": known_words(
            (AUTO, *_each(word for model in models for word in _qualities(model))),
            "One of the model's `qualities`; ignored where it has one or none.",
            default=AUTO,
        ),
        **_choices(),
        "stream": boolean("Answer with events; `n` must be 1.", default=False),
        "partial_images": integer(
            "How many partial images to stream, where the model has them.",
            minimum=0,
            maximum=MAX_PARTIAL_IMAGES,
            default=0,
        ),
        "seed": integer("Where the model takes one.", minimum=0, maximum=MAX_SEED),
        "user": text("Your own mark for the end user.", maxLength=MAX_USER_LENGTH),
        "max_cost": text(
            "Most the request may cost, in your currency, else 400 `max_cost_exceeded`.",
            pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?$",
            examples=["0.84"],
        ),
        "quote_id": text("A quote whose price is to be charged.", examples=["quote_6f3a…"]),
    }
    optional = [name for name in properties if name != "prompt"]
    shown = {name: nullable(properties[name]) for name in optional}
    return record(
        "OpenAI's request, with additions. Nulls count as absent; fields that the model does not"
        " know are ignored and named in `X-Dropped-Params`.",
        {"prompt": properties["prompt"], **shown},
        optional=optional,
        additionalProperties=True,
    )


def create_quote_request() -> Schema:
    """Return the schema."""
    schema = create_image_request()
    properties = schema["properties"]
    assert isinstance(properties, dict)  # noqa: S101 - an object's schema has them
    inputs = integer(
        "For an edit: how many images, a mask included, will be sent along.",
        minimum=0,
        maximum=MAX_INPUTS + 1,
        default=0,
    )
    return {**schema, "properties": {**properties, "input_images": nullable(inputs)}}


def create_edit_request() -> Schema:
    """Return the schema of an edit's form."""
    properties = {name: _plain(schema) for name, schema in _properties().items()}
    return record(
        "OpenAI's form, with additions. Fields that the model does not know are ignored and named"
        " in `X-Dropped-Params`.",
        {
            "image": _file(
                f"What to edit: PNG, JPEG or WebP of at most {MAX_INPUT_BYTES:,} bytes. Several are"
                f" sent as fields of the same name or as `image[]`, {MAX_INPUTS} at most."
            ),
            "mask": _file(
                "A PNG of the first image's size, transparent where that is to be edited, of at"
                f" most {MAX_MASK_BYTES:,} bytes. Where the model takes one."
            ),
            "input_fidelity": words(FIDELITIES, "How closely to keep to the images."),
            **properties,
        },
        optional=[name for name in properties if name != "prompt"] + ["mask", "input_fidelity"],
    )


def create_variation_request() -> Schema:
    """Return the schema of a variation's form."""
    kept = ("model", "n", "size", "response_format", "user", "max_cost", "quote_id")
    properties = {name: _plain(_properties()[name]) for name in kept}
    return record(
        "OpenAI's form, with additions.",
        {"image": _file("What to vary: PNG, JPEG or WebP."), **properties},
        optional=properties,
    )


def _properties() -> dict[str, Schema]:
    properties = create_image_request()["properties"]
    assert isinstance(properties, dict)  # noqa: S101 - an object's schema has them
    return properties


def _plain(schema: Schema) -> Schema:
    """Return a schema without null, which a form cannot say."""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return {**schema, "type": kinds[0]}
    options = schema.get("anyOf")
    if isinstance(options, list):
        options = [option for option in options if option != NULL]
        # What was wrapped to have null beside it is unwrapped.
        return (
            {**schema, "anyOf": options}
            if len(options) > 1
            else {
                **{name: value for name, value in schema.items() if name != "anyOf"},
                **options[0],
            }
        )
    return schema


def _file(description: str) -> Schema:
    return text(description, format="binary")


def _choices() -> dict[str, Schema]:
    return {
        "style": words(STYLES, "dall-e-3.", default=STYLES[0]),
        "response_format": words(
            ("url", "b64_json"),
            "Without it a bare GPT image id gets both, every other id `url`.",
        ),
        "output_format": words(OUTPUT_FORMATS, "On every model."),
        "output_compression": integer(
            "For jpeg and webp.", minimum=0, maximum=FULL_QUALITY, default=FULL_QUALITY
        ),
        "background": words(BACKGROUNDS, "GPT image models.", default=AUTO),
        "moderation": words(MODERATIONS, "Where the model takes it.", default=AUTO),
    }


def _qualities(model: Model) -> Iterable[str]:
    return (*model.qualities, *model.quality_aliases)


def _each(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found))
