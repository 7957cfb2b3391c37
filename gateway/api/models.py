"""Models as `GET /v1/models` shows them."""

from collections.abc import Sequence
from datetime import datetime

from billing.money import format_amount
from billing.services.quotes import Cell, quote_cells
from billing.types import UnitQuote
from gateway.catalog.types import Model
from gateway.services.routing import is_available
from orgs.services.api_keys import Caller

# When the catalog's first models were published; OpenAI's clients require `created`.
CREATED = 1_700_000_000


def model_resources(
    models: Sequence[Model], caller: Caller, now: datetime
) -> list[dict[str, object]]:
    """Return OpenAI's model objects with capabilities, lifecycle and the caller's prices.

    One query, however many models.
    """
    cells = [cell for model in models for cell in _cells(model)]
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
    return [_resource(model, caller, quotes, now) for model in models]


def _resource(
    model: Model, caller: Caller, quotes: dict[Cell, UnitQuote | None], now: datetime
) -> dict[str, object]:
    retires_on = model.retires_on
    return {
        "id": model.id,
        "object": "model",
        "created": CREATED,
        "owned_by": model.owned_by,
        "name": model.name,
        "provider": model.owned_by,
        "notes": model.notes,
        "features": list(model.features),
        "status": model.status_on(now.date()).value,
        "retires_on": retires_on.isoformat() if retires_on else None,
        "successor": model.successor,
        "available": is_available(
            model=model, is_demo=caller.is_demo, livemode=caller.livemode, today=now.date()
        ),
        "sizes": [str(size) for size in model.sizes.listed],
        "free_sizes": not model.sizes.closed,
        "default_size": str(model.default_size),
        "qualities": list(model.qualities),
        "default_quality": model.default_quality,
        "parameters": sorted(model.takes),
        "max_n": model.max_n,
        "max_prompt_length": model.prompt_limit,
        "expected_latency": {"p50_s": model.p50_s, "p95_s": model.p95_s},
        "deadline_s": model.deadline_s,
        "prices": [
            {
                "size": cell.size,
                "quality": cell.quality or None,
                "amount": format_amount(quote.unit_micros, quote.currency),
                "currency": quote.currency,
            }
            for cell in _cells(model)
            if (quote := quotes[cell]) is not None
        ],
    }


def _cells(model: Model) -> list[Cell]:
    return [
        Cell(model.key, str(size), quality, size.pixels)
        for size in model.sizes.listed
        for quality in model.qualities or ("",)
    ]
