"""What each model can do, for a form that follows the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.services.quotes import Cell, quote_cells
from gateway.catalog.registry import catalog
from gateway.catalog.sizes import Size, nearest_shape, size
from gateway.catalog.types import Model
from gateway.parameters.generation import (
    BACKGROUNDS,
    FIDELITIES,
    MODERATIONS,
    OUTPUT_FORMATS,
    STYLES,
)
from gateway.services.routing import is_available
from orgs.services.api_keys import Caller


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one image at a size and a quality, in micros; None where there is none.

    Attributes:
        unit_micros: With the images that are sent along to make it of.
        inputs_micros: What of it is for those.
    """

    size: str
    width: int
    height: int
    quality: str
    unit_micros: int | None
    inputs_micros: int = 0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One model as the form shows it. Its parameters are those it knows, with their words.

    Attributes:
        available: Whether a request would find a route now.
        sizes: Those with a name; `free_sizes` says that others may be typed in.
        words: The values of each parameter that takes one of few words.
        parameters: Every optional parameter the model knows, `seed` for instance.
        max_inputs: The most images that it edits at once; 0 if it cannot edit.
        takes_mask: Whether it edits within a mask.
    """

    id: str
    name: str
    owned_by: str
    notes: str
    features: tuple[str, ...]
    status: str
    available: bool
    sizes: tuple[str, ...]
    default_size: str
    free_sizes: bool
    qualities: tuple[str, ...]
    default_quality: str | None
    words: Mapping[str, tuple[str, ...]]
    parameters: tuple[str, ...]
    max_n: int
    max_prompt_length: int
    has_partial_images: bool
    max_inputs: int
    takes_mask: bool
    currency: str
    prices: tuple[Price, ...]

    def usual_size(self, shape: str) -> str:
        """Return the size of an image that none is asked for: of an edit that of a shape."""
        wanted = Size.parse(shape)
        if wanted is None:
            return self.default_size
        return str(nearest_shape(map(size, self.sizes), wanted, size(self.default_size)))


def model_capabilities(*, caller: Caller, now: datetime, inputs: int = 0) -> list[Capabilities]:
    """Return every model once, under its namespaced id where it has one. One query.

    Args:
        caller: Who asks.
        now: When.
        inputs: So many images are sent along, a mask included: only models that edit are returned.
    """
    models = [model for model in _distinct_models() if model.max_inputs or not inputs]
    cells = [cell for model in models for cell in _cells(model)]
    cells += [cell._replace(inputs=inputs) for cell in cells] if inputs else []
    quotes = quote_cells(
        organization_id=caller.organization_id, currency=caller.currency, cells=cells, now=now
    )
    units = {
        cell: None if quote is None else quote.unit_micros
        for cell, quote in zip(cells, quotes, strict=True)
    }
    return [_capabilities(model, caller, units, inputs, now) for model in models]


def _distinct_models() -> list[Model]:
    by_key: dict[str, Model] = {}
    for model in catalog().models():
        if model.key not in by_key or model.namespaced:
            by_key[model.key] = model
    return list(by_key.values())


def _capabilities(
    model: Model, caller: Caller, units: Mapping[Cell, int | None], inputs: int, now: datetime
) -> Capabilities:
    today = now.date()
    takes = set(model.takes) | ({"partial_images"} if model.has_partial_images else set())
    words = {
        "style": STYLES,
        "background": BACKGROUNDS
        if model.transparent
        else tuple(word for word in BACKGROUNDS if word != "transparent"),
        "moderation": MODERATIONS,
        "input_fidelity": FIDELITIES,
    }
    if inputs and model.edits_with("input_fidelity"):
        takes.add("input_fidelity")
    return Capabilities(
        id=model.id,
        name=model.name,
        owned_by=model.owned_by,
        notes=model.notes,
        features=tuple(model.features),
        status=model.status_on(today).value,
        available=is_available(
            model=model, is_demo=caller.is_demo, livemode=caller.livemode, today=today
        ),
        sizes=tuple(map(str, model.sizes.listed)),
        default_size=str(model.default_size),
        free_sizes=not model.sizes.closed,
        qualities=tuple(model.qualities),
        default_quality=model.default_quality,
        words={
            "output_format": OUTPUT_FORMATS,
            **{name: values for name, values in words.items() if name in takes},
        },
        parameters=tuple(sorted(takes)),
        max_n=model.max_n,
        max_prompt_length=model.prompt_limit,
        has_partial_images=model.has_partial_images,
        max_inputs=model.max_inputs,
        takes_mask=model.edits_with("mask"),
        currency=caller.currency,
        prices=tuple(_price(cell, units, inputs) for cell in _cells(model)),
    )


def _price(cell: Cell, units: Mapping[Cell, int | None], inputs: int) -> Price:
    wanted = size(cell.size)
    alone, unit = units[cell], units[cell._replace(inputs=inputs)]
    return Price(
        size=cell.size,
        width=wanted.width,
        height=wanted.height,
        quality=cell.quality,
        unit_micros=unit,
        inputs_micros=0 if alone is None or unit is None else unit - alone,
    )


def _cells(model: Model) -> list[Cell]:
    return [
        Cell(model.key, str(wanted), quality, wanted.pixels)
        for wanted in model.sizes.listed
        for quality in model.qualities or ("",)
    ]
