"""Fitting a checked request to one route: what to ask of the upstream, and what is left to do.

The caller gets exactly the pixels and the format asked for. Where the upstream cannot give them,
it is asked for the nearest that covers, and the worker crops, scales down and converts.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.catalog.sizes import Ask, Size
from gateway.catalog.types import Editing, Route
from gateway.errors import InvalidRequestError, UnsupportedValueError
from gateway.parameters.types import GenerationRequest, InputFile
from gateway.providers.base import ImageRequest
from gateway.types import Operation

FULL_QUALITY = 100
ONE_MEGAPIXEL = 1024 * 1024
SHAPE_STEP = 64
DEFAULT_STYLE = "vivid"
# What converting loses least from comes first.
_BEST_FORMATS = ("png", "webp", "jpeg")

# For upstreams that edit, and have no variations.
VARIATION_PROMPT = (
    "Make a new variation of this image: keep its subject, style, colors and mood,"
    " and change composition and details."
)

Simple = Literal["style", "moderation", "seed", "user"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """One upstream call, and what the worker has to make of its images.

    Attributes:
        image_request: For the adapter.
        target_width: Pixels to deliver.
        target_height: Pixels to deliver.
        adjust: Whether the upstream is asked for other pixels, so that a center crop to the
            target's shape and scaling down (never up) follow. The image that arrives decides.
        target_format: `png`, `jpeg` or `webp` to deliver; None delivers what arrives.
        compression: 0 to 100, for whenever the worker encodes.
        reencode: Whether to encode even an image of the right size and format, because the
            upstream could not be asked for this compression.
        dropped: Parameters the caller sent and the route lacks.
    """

    image_request: ImageRequest
    target_width: int
    target_height: int
    adjust: bool
    target_format: str | None
    compression: int
    reencode: bool
    dropped: tuple[str, ...]


def can_serve(request: GenerationRequest, route: Route) -> bool:
    """Return whether a route does what is asked, at its size, with its background and files."""
    return (
        route.sizing.ask(request.size) is not None
        and (request.background != "transparent" or route.transparent)
        and _refusal(request, route) is None
    )


def fit(request: GenerationRequest, route: Route, n: int) -> Fitted:
    """Fit a request to a route.

    Args:
        request: The whole request.
        route: One of its model's routes.
        n: Images still wanted; one call asks for at most `route.max_n_per_call`.

    Raises:
        InvalidRequestError: The prompt is longer than the upstream accepts.
        UnsupportedValueError: The route cannot reach the size, draw the background, or edit what
            was sent.
    """
    asked = _require_able(request, route)
    editing = route.editing if request.inputs else None
    asked_format = _asked_format(request, route)
    compressed = request.output_compression < FULL_QUALITY
    upstream_compresses = (
        compressed and "output_compression" in route.takes and asked_format == request.output_format
    )
    return Fitted(
        image_request=ImageRequest(
            upstream_model=route.upstream_model,
            prompt=request.prompt or VARIATION_PROMPT,
            n=min(n, route.max_n_per_call),
            width=asked.size.width,
            height=asked.size.height,
            size_param=asked.fields or None,
            quality=route.upstream_quality(request.quality),
            style=request.style if "style" in route.takes else None,
            background=request.background if "background" in route.takes else None,
            moderation=_unless_default(request.moderation, "auto", route, "moderation"),
            output_format=asked_format,
            output_compression=request.output_compression if upstream_compresses else None,
            seed=request.seed if "seed" in route.takes else None,
            user=request.user if "user" in route.takes else None,
            extra=route.extra,
            operation=_asked_operation(request, editing),
            input_fidelity=(
                request.input_fidelity if editing and "input_fidelity" in editing.takes else None
            ),
        ),
        target_width=request.width,
        target_height=request.height,
        adjust=asked.size != request.size,
        target_format=request.output_format,
        compression=request.output_compression,
        reencode=compressed and not upstream_compresses,
        dropped=_dropped(request, route),
    )


def _require_able(request: GenerationRequest, route: Route) -> Ask:
    """Return what to ask of the upstream for the size, if it can do all the rest.

    Raises:
        InvalidRequestError, UnsupportedValueError: As `fit`.
    """
    if route.prompt_limit is not None and len(request.prompt) > route.prompt_limit:
        raise InvalidRequestError(
            f"The prompt has {len(request.prompt)} characters; "
            f"the provider of {request.model.id} accepts {route.prompt_limit}.",
            param="prompt",
        )
    asked = route.sizing.ask(request.size)
    if asked is None:
        raise UnsupportedValueError(
            f"No provider of {request.model.id} can draw {request.size}.", param="size"
        )
    if request.background == "transparent" and not route.transparent:
        raise UnsupportedValueError(
            f"No provider of {request.model.id} can draw a transparent background.",
            param="background",
        )
    refused = _refusal(request, route)
    if refused is not None:
        raise refused
    return asked


def _refusal(request: GenerationRequest, route: Route) -> UnsupportedValueError | None:
    """Return what this route cannot do of what is asked with the images sent along."""
    for what, param in _faults(request, route):
        return UnsupportedValueError(f"No provider of {request.model.id} {what}.", param=param)
    return None


def _faults(request: GenerationRequest, route: Route) -> Iterator[tuple[str, str]]:
    editing = route.editing
    if request.operation is Operation.GENERATION:
        if not route.draws:
            yield "draws images of a prompt alone", "model"
        return
    if editing is None:
        yield "can edit images", "model"
        return
    if len(request.inputs) > editing.max_inputs:
        yield f"takes more than {editing.max_inputs} images at once", "image"
    if request.mask is not None and "mask" not in editing.takes:
        yield "takes a mask", "mask"
    for file in request.inputs:
        yield from _faults_of_file(file, editing)
    if editing.keeps_shape:
        for sent in [Size(file.width, file.height) for file in request.inputs[:1]]:
            if not _same_shape(sent).covers(request.size):
                yield f"makes {request.size} of an image of {sent}: edits keep its shape", "size"


def _faults_of_file(file: InputFile, editing: Editing) -> Iterator[tuple[str, str]]:
    if file.content_type.removeprefix("image/") not in editing.formats:
        yield f"takes {file.content_type}: send {' or '.join(editing.formats)}", "image"
    if file.size_bytes > editing.max_bytes:
        yield f"takes an image of more than {editing.max_bytes} bytes", "image"
    if editing.square and file.width != file.height:
        yield "takes an image that is not square", "image"
    if editing.max_pixels is not None and file.width * file.height > editing.max_pixels:
        yield f"takes an image of more than {editing.max_pixels} pixels", "image"


def _same_shape(sent: Size) -> Size:
    """Return what is made of an image whose shape is kept: a megapixel or less, in steps of 64."""
    pixels = min(sent.pixels, ONE_MEGAPIXEL)
    edges = (
        math.isqrt(pixels * sent.width // sent.height),
        math.isqrt(pixels * sent.height // sent.width),
    )
    return Size(*(edge // SHAPE_STEP * SHAPE_STEP for edge in edges))


def _asked_operation(request: GenerationRequest, editing: Editing | None) -> Operation:
    """Ask for a variation as an edit where the upstream has no such thing."""
    if request.operation is Operation.VARIATION and not (editing and editing.variation):
        return Operation.EDIT
    return request.operation


def _asked_format(request: GenerationRequest, route: Route) -> str | None:
    """Choose the format to ask for; None leaves it to the upstream."""
    wanted = request.output_format
    if wanted is None or not route.output_formats:
        return None
    if wanted in route.output_formats:
        return wanted
    return next(name for name in _BEST_FORMATS if name in route.output_formats)


def _unless_default(value: str | None, default: str, route: Route, name: Simple) -> str | None:
    return value if name in route.takes and value != default else None


def _dropped(request: GenerationRequest, route: Route) -> tuple[str, ...]:
    """Name what the caller set, away from its default, and this route has no word for."""
    sent: Mapping[Simple, bool] = {
        "style": request.style not in {None, DEFAULT_STYLE},
        "moderation": request.moderation not in {None, "auto"},
        "seed": request.seed is not None,
        "user": request.user is not None,
    }
    dropped: list[str] = [
        name for name, is_set in sent.items() if is_set and name not in route.takes
    ]
    takes = route.editing.takes if route.editing else frozenset()
    if request.input_fidelity is not None and "input_fidelity" not in takes:
        dropped.append("input_fidelity")
    return tuple(dropped)
