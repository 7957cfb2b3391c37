"""What a call to a provider costs us, in USD."""

from collections.abc import Mapping
from decimal import Decimal

from gateway.catalog.check import affordable_partials
from gateway.catalog.types import Route
from gateway.errors import ModelNotFoundError, ProviderUnavailableError
from gateway.models import Attempt, Generation
from gateway.parameters.canonical import from_canonical
from gateway.parameters.types import GenerationRequest
from gateway.services.pricebook.costs import route_at_cost
from gateway.services.routing import Step, route_of

MILLION = Decimal(1_000_000)
# Some letters are several tokens, and some upstreams think before they draw; more is a mistake.
PLAUSIBLE_FACTOR = 10


def full_cost(
    *, request: GenerationRequest, route: Route, images: int, partials: int = 0
) -> Decimal:
    """Return the worst cost of one call for `images` images, shown `partials` times on the way."""
    asked = route.sizing.ask(request.size)
    if asked is None:
        return Decimal(0)
    per_image = route.image_cost.usd(asked.size, route.upstream_quality(request.quality))
    cost = (per_image or Decimal(0)) * images
    if route.token_rates is not None:
        cost += route.token_rates.prompt_usd(len(request.prompt))
    if route.editing is not None:
        cost += route.editing.input_cost * len(request.files)
    return cost + partials * (route.partial_cost or Decimal(0))


def partials_of(
    *, request: GenerationRequest, route: Route, sale_usd: Decimal, is_free: bool
) -> int:
    """Return how many partial images a call asks its upstream for.

    Args:
        request: The whole request.
        route: That is called.
        sale_usd: The list price with markup of the one image.
        is_free: Drawn by the sandbox, which costs nothing.
    """
    if is_free and route.partial_cost is not None:
        return request.partial_images
    return affordable_partials(
        request.model,
        route,
        request.size,
        request.quality,
        asked=request.partial_images,
        sale_usd=sale_usd,
        inputs=len(request.files),
    )


def actual_cost(
    *,
    route: Route,
    full: Decimal,
    usage: Mapping[str, object] | None,
    billable_units: Decimal | None,
) -> Decimal:
    """Price what the provider says it did.

    A report that is missing, or that cannot be true, counts as `full`, the call's full cost.
    """
    reported = _reported_cost(route=route, usage=usage, billable_units=billable_units)
    if reported is None or not 0 <= reported <= PLAUSIBLE_FACTOR * full:
        return full
    return reported


def _reported_cost(
    *, route: Route, usage: Mapping[str, object] | None, billable_units: Decimal | None
) -> Decimal | None:
    if route.token_rates is not None and usage is not None:
        cost = route.token_rates.usage_usd(usage)
        if cost is not None:
            return cost
    if billable_units is None or not billable_units.is_finite():
        return None
    return route.image_cost.usd_of_units(billable_units) if billable_units else Decimal(0)


def presumed_loss(generation: Generation, attempt: Attempt) -> Decimal:
    """Return what a call of unknown outcome is presumed to have cost: its full price.

    Where the catalog has lost the route since, the quote is the best guess; without a rate of its
    currency it is 0.
    """
    if attempt.is_sandboxed:
        return Decimal(0)
    step = Step(
        queue=generation.queue, provider=attempt.provider, upstream_model=attempt.upstream_model
    )
    try:
        request = from_canonical(generation.parameters)
        route = route_at_cost(route_of(model=request.model, step=step))
    except (ModelNotFoundError, ProviderUnavailableError):
        return generation.quoted_list_micros / MILLION
    sale_usd = generation.quoted_list_micros / MILLION
    partials = partials_of(request=request, route=route, sale_usd=sale_usd, is_free=False)
    return full_cost(request=request, route=route, images=len(attempt.indexes), partials=partials)
