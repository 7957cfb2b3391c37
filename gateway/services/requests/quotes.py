"""Prices that are promised for ten minutes, and used once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from billing.services.quotes import Cell, quote_unit
from billing.types import UnitQuote
from core.ids import parse_quote_id
from gateway.catalog.registry import catalog
from gateway.catalog.types import Model
from gateway.errors import ModelNotAllowedError, QuoteExpiredError, QuoteMismatchError
from gateway.models import Quote
from gateway.parameters.types import GenerationRequest
from orgs.services.api_keys import Caller

QUOTE_TTL: Final = timedelta(minutes=10)
_SENT_AS: Final = {
    "model_key": "model",
    "count": "n",
    "inputs": "number of images sent along",
    "livemode": "kind of key",
}


@dataclass(frozen=True, slots=True)
class QuoteView:
    """A quote as the API shows it. Amounts are micros of `currency`."""

    id: UUID
    livemode: bool
    model: str
    size: str
    quality: str | None
    images: int
    inputs: int
    unit_micros: int
    currency: str
    expires_at: datetime

    @property
    def amount_micros(self) -> int:
        """Return the price of all images."""
        return self.unit_micros * self.images


def create_quote(
    *, caller: Caller, request: GenerationRequest, now: datetime, inputs: int = 0
) -> QuoteView:
    """Promise the present price of a request for ten minutes. One row is written.

    `inputs` counts the images, a mask included, that an edit will be sent along with.

    Raises:
        ModelNotAllowedError: The key may not use the model.
        ModelNotPricedError, FxRateStaleError: There is no price.
    """
    require_model_allowed(caller=caller, request=request)
    terms = current_terms(caller=caller, request=request, now=now, inputs=inputs)
    row = Quote.objects.create(
        organization_id=caller.organization_id,
        livemode=caller.livemode,
        **_price_inputs(request, inputs),
        currency=terms.currency,
        unit_micros=terms.unit_micros,
        list_unit_micros=terms.list_unit_micros,
        price_version_id=terms.price_version_id,
        pixels=terms.pixels,
        list_amount=terms.list_amount,
        list_currency=terms.list_currency,
        markup=terms.markup,
        markup_version_id=terms.markup_id,
        rate=terms.rate,
        fx_rate_id=terms.fx_rate_id,
        spread=terms.spread,
        spread_version_id=terms.spread_id,
        created_at=now,
        expires_at=now + QUOTE_TTL,
    )
    return QuoteView(
        id=row.id,
        livemode=row.livemode,
        model=request.requested_model,
        size=str(request.size),
        quality=request.quality,
        images=request.n,
        inputs=inputs,
        unit_micros=terms.unit_micros,
        currency=terms.currency,
        expires_at=row.expires_at,
    )


def require_model_allowed(*, caller: Caller, request: GenerationRequest) -> None:
    """Refuse a model that key or organization may not use; one id stands for all of a model.

    Raises:
        ModelNotAllowedError: It may not.
    """
    restrictions = (
        ("This API key", caller.models_allowed),
        ("This organization", caller.organization_models_allowed),
    )
    for who, allowed in restrictions:
        if not _is_among(request.model, allowed):
            raise ModelNotAllowedError(
                f"{who} may not use the model {request.requested_model}.", param="model"
            )


def may_use_model(*, caller: Caller, model: Model) -> bool:
    """Return whether `require_model_allowed` lets requests for a model pass."""
    restrictions = (caller.models_allowed, caller.organization_models_allowed)
    return all(_is_among(model, allowed) for allowed in restrictions)


def _is_among(model: Model, allowed: Collection[str]) -> bool:
    found = [catalog().find(model_id) for model_id in allowed]
    return not found or model.key in {one.key for one in found if one}


def current_terms(
    *, caller: Caller, request: GenerationRequest, now: datetime, inputs: int | None = None
) -> UnitQuote:
    """Price one image of a request as of now, with what it, or who asks, says is sent along.

    Raises:
        ModelNotPricedError, FxRateStaleError: There is no price.
    """
    return quote_unit(
        organization_id=caller.organization_id,
        currency=caller.currency,
        cell=Cell(
            request.model.key,
            str(request.size),
            request.quality or "",
            request.size.pixels,
            len(request.files) if inputs is None else inputs,
        ),
        now=now,
    )


def quoted_terms(*, caller: Caller, request: GenerationRequest, now: datetime) -> UnitQuote:
    """Return the price that a request's `quote_id` promises. Uses nothing up.

    Raises:
        QuoteMismatchError: There is no such quote of the organization, or it is for other images.
        QuoteExpiredError: It has been used, or is too old.
    """
    row = _find(caller, request)
    wanted = {
        **_price_inputs(request, len(request.files)),
        "currency": caller.currency,
        "livemode": caller.livemode,
    }
    differing = [name for name, value in wanted.items() if getattr(row, name) != value]
    if differing:
        named = ", ".join(_SENT_AS.get(name, name) for name in differing)
        raise QuoteMismatchError(f"The quote is for another {named}.", param="quote_id")
    if row.used_at is not None or row.expires_at <= now:
        raise _expired()
    return UnitQuote(
        unit_micros=row.unit_micros,
        currency=row.currency,
        list_unit_micros=row.list_unit_micros,
        price_version_id=row.price_version_id,
        price_book=row.price_version.price_book,
        price_unit=row.price_version.unit,
        pixels=row.pixels,
        list_amount=row.list_amount,
        list_currency=row.list_currency,
        markup=row.markup,
        markup_id=row.markup_version_id,
        rate=row.rate,
        fx_rate_id=row.fx_rate_id,
        spread=row.spread,
        spread_id=row.spread_version_id,
        inputs=row.inputs,
    )


def use_quote(*, quote_id: UUID, generation_id: UUID, now: datetime) -> None:
    """Use a quote up for a generation, in the transaction that creates it.

    Compare-and-set: of several requests at once one gets it; a transaction that is rolled back
    leaves it unused.

    Raises:
        QuoteExpiredError: Another request has used it, or its time is over.
    """
    unused = Quote.objects.filter(id=quote_id, used_at__isnull=True, expires_at__gt=now)
    used = unused.update(used_at=now, generation_id=generation_id)
    if not used:
        raise _expired()


def _find(caller: Caller, request: GenerationRequest) -> Quote:
    uuid = parse_quote_id(request.quote_id or "")
    row = None
    if uuid is not None:
        quotes = Quote.objects.select_related("price_version")
        row = quotes.filter(id=uuid, organization_id=caller.organization_id).first()
    if row is None:
        raise QuoteMismatchError("There is no quote with this id.", param="quote_id")
    return row


def _price_inputs(request: GenerationRequest, inputs: int) -> dict[str, str | int]:
    """Return what a price depends on, and a quote is bound to."""
    return {
        "model_key": request.model.key,
        "size": str(request.size),
        "quality": request.quality or "",
        "count": request.n,
        "inputs": inputs,
    }


def _expired() -> QuoteExpiredError:
    return QuoteExpiredError(
        "The quote has been used, or is older than ten minutes. Ask for a new one.",
        param="quote_id",
    )
