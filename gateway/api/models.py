"""Models as `GET /v1/models` shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.money import format_amount
from billing.services.quotes import Cell, quote_cells
from billing.types import UnitQuote
from gateway.catalog.types import Model
from gateway.health import Measured, recent
from gateway.services.breakers import Opening, board
from gateway.services.routing import is_available, real_routes
from orgs.services.api_keys import Caller

# When the catalog's first models were published; OpenAI's clients require `created`.
CREATED = 1_700_000_000


@dataclass(frozen=True, slots=True)
class _View:
    """What resources are made of, read once for all of them."""

    caller: Caller
    now: datetime
    quotes: Mapping[Cell, UnitQuote | None]
    measured: Measured
    openings: Mapping[str, Opening]


def model_resources(
    models: Sequence[Model], caller: Caller, now: datetime
) -> list[dict[str, object]]:
    """Return OpenAI's model objects: capabilities, lifecycle, routes, and the caller's prices.

    One query, however many models; at times two more, for the state of breakers and of routes.
    """
    cells = [cell for model in models for cell in (*_cells(model), *_input_cells(model))]
    quotes = dict(
        zip(
            cells,
            quote_cells(
                organization_id=caller.organization_id,
                currency=caller.currency,
                cells=cells,
                now=now,
            ),
            strict=True,
        )
    )
    view = _View(caller, now, quotes, recent().measured(now), board().openings())
    return [_resource(model, view) for model in models]


def _resource(model: Model, view: _View) -> dict[str, object]:
    retires_on = model.retires_on
    routes = _routes(model, view)
    p50_s, p95_s = view.measured.latency_of(model)
    return {
        "id": model.id,
        "object": "model",
        "created": CREATED,
        "owned_by": model.owned_by,
        "name": model.name,
        "provider": model.owned_by,
        "notes": model.notes,
        "features": list(model.features),
        "status": model.status_on(view.now.date()).value,
        "retires_on": retires_on.isoformat() if retires_on else None,
        "successor": model.successor,
        "available": any(route["state"] == "available" for route in routes),
        "routes": routes,
        "sizes": [str(size) for size in model.sizes.listed],
        "free_sizes": not model.sizes.closed,
        "default_size": str(model.default_size),
        "qualities": list(model.qualities),
        "default_quality": model.default_quality,
        "parameters": sorted(
            {*model.takes, "partial_images"} if model.has_partial_images else model.takes
        ),
        "edits": _edits(model, view),
        "max_n": model.max_n,
        "max_prompt_length": model.prompt_limit,
        "expected_latency": {"p50_s": p50_s, "p95_s": p95_s},
        "deadline_s": model.deadline_s,
        "prices": [
            {
                "size": cell.size,
                "quality": cell.quality or None,
                "amount": format_amount(quote.unit_micros, quote.currency),
                "currency": quote.currency,
            }
            for cell in _cells(model)
            if (quote := view.quotes[cell]) is not None
        ],
    }


def _edits(model: Model, view: _View) -> dict[str, object] | None:
    """Return what the model takes to edit, and the price of each image sent along."""
    if not model.max_inputs:
        return None
    priced = [view.quotes[cell] for cell in _input_cells(model)]
    prices = [quote.unit_micros for quote in priced if quote is not None]
    return {
        "max_images": model.max_inputs,
        "mask": model.edits_with("mask"),
        "input_fidelity": model.edits_with("input_fidelity"),
        "input_amount": (
            format_amount(prices[1] - prices[0], view.caller.currency)
            if len(prices) == len(priced)
            else None
        ),
    }


def _routes(model: Model, view: _View) -> list[dict[str, object]]:
    """Return each route with whether a request of this caller may take it now.

    An open breaker is no obstacle once its pause is over: the next request is its probe. Where the
    sandbox serves the caller, it does so by every route. Numbers are always of real calls.
    """
    today = view.now.date()
    caller = view.caller
    real = real_routes(model=model, today=today) if caller.livemode else []
    in_sandbox = not real and is_available(
        model=model, is_demo=caller.is_demo, livemode=caller.livemode, today=today
    )
    resources: list[dict[str, object]] = []
    for route in model.routes:
        opening = view.openings.get(route.provider)
        is_up = route in real and (opening is None or opening.retry_at <= view.now)
        found = view.measured.of_route(model, route.provider, route.upstream_model)
        resources.append(
            {
                "provider": route.provider,
                "upstream_model": route.upstream_model,
                "state": "available" if is_up or in_sandbox else "unavailable",
                "success_rate": found.success_rate,
                "p50_s": found.p50_s,
                "p95_s": found.p95_s,
            }
        )
    return resources


def _cells(model: Model) -> list[Cell]:
    return [
        Cell(model.key, str(size), quality, size.pixels)
        for size in model.sizes.listed
        for quality in model.qualities or ("",)
    ]


def _input_cells(model: Model) -> list[Cell]:
    """Return the default image without and with one image sent along; none if it cannot edit."""
    if not model.max_inputs:
        return []
    size = model.default_size
    plain = Cell(model.key, str(size), model.default_quality or "", size.pixels)
    return [plain, plain._replace(inputs=1)]
