"""What xAI's image models accept to edit images: JSON with the images in it.

Source: xAI's documentation, read 2026-11-21; limits and texts are as reported, or worded alike.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import gevent

from sandbox.data_uris import decode_image
from sandbox.retouching import facts_of
from sandbox.xai_rules import Params, XAIError, invalid, read_params, undecodable

_MAX_IMAGES: Final = 3
# A fifth of a cent for each image sent along.
_INPUT_TICKS: Final = 20_000_000
_FORMATS: Final = frozenset({"png", "jpeg"})


def read_edit(body: object, *, retired: bool) -> Params:
    """Validate an edit.

    Raises:
        XAIError: with the body that the real API answers.
    """
    values = dict(body) if isinstance(body, dict) else {}
    items = _items(values.pop("image", None), values.pop("images", None))
    params = read_params(values, retired=retired)
    if params.model_id.startswith("grok-2"):
        raise XAIError(400, "400", "Argument not supported: image")
    inputs = tuple(map(_image, items))
    return replace(params, inputs=inputs, input_ticks=len(inputs) * _INPUT_TICKS)


def _items(image: object, images: object) -> list[Any]:
    if image is not None and images is not None:
        raise invalid("Only one of image and images can be given.")
    items = images if isinstance(images, list) else [image]
    if items == [None] or not items:
        raise undecodable("missing field `image`")
    if len(items) > _MAX_IMAGES:
        raise invalid(f"At most {_MAX_IMAGES} images can be given.")
    return items


def _image(item: Any) -> bytes:  # noqa: ANN401 - parsed JSON has no narrower type
    if not isinstance(item, Mapping) or not isinstance(item.get("url"), str):
        raise undecodable("image: missing field `url`")
    if item.get("type", "image_url") != "image_url":
        raise undecodable("image: unknown variant, expected `image_url`")
    if not item["url"].startswith("data:"):
        raise invalid("Failed to download the image.")
    data = decode_image(item["url"])
    facts = gevent.get_hub().threadpool.apply(facts_of, (data,)) if data else None
    if data is None or facts is None or facts.format not in _FORMATS:
        raise invalid("The image is not a valid PNG or JPEG.")
    return data
