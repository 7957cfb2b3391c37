"""A model as `GET /v1/models` shows it."""

from datetime import datetime

from billing.errors import FxRateStaleError, ModelNotPricedError
from billing.money import format_amount
from billing.services.quotes import quote_unit
from gateway.catalog.sizes import Size
from gateway.catalog.types import Model
from gateway.services.routing import is_available
from orgs.services.api_keys import Caller

# When the catalog's first models were published; OpenAI's clients require `created`.
CREATED = 1_700_000_000


def model_resource(model: Model, caller: Caller, now: datetime) -> dict[str, object]:
    """Return OpenAI's model object with capabilities, lifecycle and the caller's prices."""
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
        "prices": _prices(model, caller, now),
    }


def _prices(model: Model, caller: Caller, now: datetime) -> list[dict[str, object]]:
    prices = []
    for size in model.sizes.listed:
        for quality in model.qualities or ("",):
            price = _price(model, size, quality, caller, now)
            if price is not None:
                prices.append({"size": str(size), "quality": quality or None, **price})
    return prices


def _price(
    model: Model, size: Size, quality: str, caller: Caller, now: datetime
) -> dict[str, object] | None:
    try:
        quote = quote_unit(
            organization_id=caller.organization_id,
            currency=caller.currency,
            model_key=model.key,
            size=str(size),
            quality=quality,
            pixels=size.pixels,
            now=now,
        )
    except (ModelNotPricedError, FxRateStaleError):
        return None
    return {
        "amount": format_amount(quote.unit_micros, quote.currency),
        "currency": quote.currency,
    }
