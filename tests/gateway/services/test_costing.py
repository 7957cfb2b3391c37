"""What a call costs us: by the provider's report, else in full."""

from decimal import Decimal

import pytest

from gateway.catalog.registry import catalog
from gateway.catalog.types import Route
from gateway.parameters.generation import parse_generation
from gateway.parameters.types import GenerationRequest
from gateway.services.costing import PLAUSIBLE_FACTOR, actual_cost, full_cost, partials_of


def asked(model: str, **fields: object) -> GenerationRequest:
    return parse_generation({"model": model, "prompt": "a cat", **fields}, default_model=None)


def route_of(model_id: str, provider: str, upstream: str | None = None) -> Route:
    model = catalog().find(model_id)
    assert model is not None
    return next(
        route
        for route in model.routes
        if route.provider == provider and upstream in {None, route.upstream_model}
    )


def cost(
    route: Route,
    full: str,
    *,
    usage: dict[str, object] | None = None,
    units: str | None = None,
) -> Decimal:
    return actual_cost(
        route=route,
        full=Decimal(full),
        usage=usage,
        billable_units=None if units is None else Decimal(units),
    )


@pytest.mark.parametrize(
    ("model", "fields", "provider", "images", "usd"),
    [
        # 5 letters at one token each and 5 USD a million, and the image's own price.
        ("gpt-image-1", {"quality": "high"}, "openai", 1, "0.167025"),
        ("gpt-image-1", {"quality": "high", "size": "1536x1024"}, "azure_openai", 2, "0.500025"),
        ("gpt-image-2", {"quality": "medium"}, "openai", 1, "0.052705"),
        ("gpt-image-1-mini", {"quality": "low"}, "openai", 10, "0.05001"),
        ("dall-e-3", {"quality": "hd", "size": "1792x1024"}, "openai", 1, "0.12"),
        ("dall-e-2", {"size": "256x256"}, "openai", 4, "0.064"),
        ("fal/flux-1.1-pro", {"size": "512x512"}, "fal", 4, "0.16"),
        ("flux-dev", {"size": "1024x768"}, "fal", 2, "0.0375"),
        ("fal/flux-schnell", {"size": "512x512"}, "fal", 4, "0.012"),
        ("fal/sd-3.5-large", {"size": "512x512"}, "fal", 1, "0.065"),
        ("stable-diffusion-xl", {}, "fal", 2, "0.005"),
        ("ideogram-v2", {}, "ideogram", 8, "0.64"),
        ("ideogram-v2-turbo", {}, "ideogram", 8, "0.4"),
        ("ideogram-v3", {"quality": "low"}, "ideogram", 3, "0.09"),
        ("ideogram-v3", {}, "ideogram", 3, "0.18"),
        ("ideogram-v3", {"quality": "high"}, "fal", 3, "0.27"),
    ],
)
def test_full_cost_is_that_of_size_quality_and_prompt(model, fields, provider, images, usd):
    route = route_of(model, provider)
    assert full_cost(request=asked(model, **fields), route=route, images=images) == Decimal(usd)


def test_long_prompt_costs_by_its_letters():
    request = asked("gpt-image-2", prompt="狐" * 32_000, quality="low")
    route = route_of("gpt-image-2", "openai")
    assert full_cost(request=request, route=route, images=1) == Decimal("0.16588")


@pytest.mark.parametrize(
    ("model", "provider", "details", "usd"),
    [
        # 100 texts, 400 images, 1000 images out.
        ("gpt-image-2", "openai", {"text_tokens": 100, "image_tokens": 400}, "0.0337"),
        ("gpt-image-1", "openai", {"text_tokens": 100, "image_tokens": 400}, "0.0445"),
        ("gpt-image-1", "azure_openai", {"text_tokens": 100, "image_tokens": 400}, "0.0445"),
        ("gpt-image-1.5", "openai", {"text_tokens": 100, "image_tokens": 400}, "0.0357"),
        ("gpt-image-1-mini", "openai", {"text_tokens": 100, "image_tokens": 400}, "0.0092"),
    ],
)
def test_tokens_are_priced_by_kind(model, provider, details, usd):
    usage = {"input_tokens": 500, "input_tokens_details": details, "output_tokens": 1000}
    assert cost(route_of(model, provider), "0.05", usage=usage) == Decimal(usd)


@pytest.mark.parametrize(
    ("model", "provider", "full", "units", "usd"),
    [
        ("fal/flux-1.1-pro", "fal", "0.16", "3", "0.12"),
        ("flux-dev", "fal", "0.025", "0.75", "0.01875"),
        ("fal/flux-schnell", "fal", "0.003", "1", "0.003"),
        # Seconds of computing, and a unit that is not an image of each speed: the full price.
        ("stable-diffusion-xl", "fal", "0.0025", "2.25", "0.0025"),
        ("fal/recraft-v3", "fal", "0.04", "1", "0.04"),
        ("fal/ideogram-v2", "fal", "0.08", "1", "0.08"),
        ("fal/ideogram-v3", "fal", "0.09", "3", "0.09"),
        ("fal/ideogram-v3", "fal", "0.09", "0", "0"),
        ("fal/flux-1.1-pro", "fal", "0.16", "0", "0"),
    ],
)
def test_billed_units_are_priced(model, provider, full, units, usd):
    assert cost(route_of(model, provider), full, units=units) == Decimal(usd)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"input_tokens": 5},
        {"input_tokens": 5, "output_tokens": -1756},
        {"input_tokens": -5, "output_tokens": 1756},
        {"input_tokens": "5", "output_tokens": "1756"},
        {"input_tokens": True, "output_tokens": True},
        {"input_tokens": 0, "output_tokens": 0},
        {"input_tokens": 5, "output_tokens": 1_000_000},
        {"input_tokens": 5, "output_tokens": 10**15},
        {"input_tokens": 5, "output_tokens": 1756, "input_tokens_details": {"text_tokens": 9}},
    ],
)
def test_missing_or_absurd_usage_costs_the_full_price(usage):
    route = route_of("gpt-image-2", "openai")
    assert cost(route, "0.052705", usage=usage) == Decimal("0.052705")


@pytest.mark.parametrize("units", [None, "-1", "NaN", "Infinity", "41", "1e30"])
def test_missing_or_absurd_units_cost_the_full_price(units):
    assert cost(route_of("fal/flux-1.1-pro", "fal"), "0.16", units=units) == Decimal("0.16")


def test_costs_beyond_the_full_price_are_believed_within_reason():
    route = route_of("fal/flux-1.1-pro", "fal")
    assert cost(route, "0.04", units=str(PLAUSIBLE_FACTOR)) == Decimal("0.4")


@pytest.mark.parametrize(
    ("model", "provider", "fields", "sale", "partials"),
    [
        # 0.042 and 0.004 for each, sold for 0.1995.
        ("gpt-image-1", "openai", {}, "0.1995", 3),
        ("gpt-image-1", "azure_openai", {"quality": "high"}, "0.1995", 3),
        # At the accepted loss already.
        ("gpt-image-1", "openai", {"quality": "high", "size": "1536x1024"}, "0.1995", 0),
        # 0.05268 of 0.05565, and 0.003 for each; what the prompt may cost is another matter.
        ("gpt-image-2", "openai", {}, "0.05565", 0),
        ("gpt-image-2", "openai", {}, "0.05568", 1),
        ("gpt-image-2", "openai", {}, "0.0597", 2),
        ("gpt-image-2", "openai", {"quality": "high"}, "0.22155", 3),
        # What stands in for it can be seen at work.
        ("dall-e-3", "openai", {}, "0.042", 0),
    ],
)
def test_partials_stay_within_the_price(model, provider, fields, sale, partials):
    request = asked(model, stream=True, partial_images=3, **fields)
    route = route_of(model, provider)

    found = partials_of(request=request, route=route, sale_usd=Decimal(sale), is_free=False)

    assert found == partials
    plain = full_cost(request=request, route=route, images=1)
    whole = full_cost(request=request, route=route, images=1, partials=found)
    assert whole == plain + found * (route.partial_cost or 0)


def test_partials_of_a_stand_in_and_of_the_sandbox():
    dall_e = asked("dall-e-3", stream=True, partial_images=2)
    flare = route_of("dall-e-3", "openai", "gpt-image-2.5-flare")
    gpt = asked("gpt-image-2", stream=True, partial_images=2)

    sold = partials_of(request=dall_e, route=flare, sale_usd=Decimal("0.042"), is_free=False)
    drawn = partials_of(
        request=gpt, route=route_of("gpt-image-2", "openai"), sale_usd=Decimal(0), is_free=True
    )

    assert (sold, drawn) == (2, 2)
