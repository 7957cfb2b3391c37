"""The catalog: its models, prices, costs and the choice of routes."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from gateway.catalog.costs import TokenRates
from gateway.catalog.prices import price_of, prices_of
from gateway.catalog.registry import Catalog, CatalogError, catalog, routes_for
from gateway.catalog.sizes import Ask, Grid, ListedSizes, Size, size
from gateway.catalog.types import EndpointInfo, Model, Route, Status

TODAY = date(2026, 11, 21)
OFFICIAL = EndpointInfo(official=True)
COMPATIBLE = EndpointInfo(official=False)


def model(model_id: str) -> Model:
    found = catalog().find(model_id)
    assert found is not None, model_id
    return found


def configured_at_home(model_id: str, provider: str, *, allow_substitution: bool = True):
    routes = routes_for(
        model(model_id),
        today=TODAY,
        endpoints={provider: OFFICIAL},
        allow_substitution=allow_substitution,
    )
    return [route.served_by for route in routes]


def served(model_id: str, **endpoints: EndpointInfo):
    routes = routes_for(
        model(model_id),
        today=TODAY,
        endpoints=endpoints,
        allow_substitution=True,
    )
    return [route.served_by for route in routes]


@pytest.mark.parametrize(
    "model_id",
    [
        "openai/gpt-image-1", "openai/dall-e-3", "google/imagen-4", "xai/grok-2-image",
        "fal/flux-1.1-pro", "fal/flux-1.1-pro-ultra", "fal/recraft-v3", "fal/ideogram-v2",
        "fal/sd-3.5-large", "dall-e-3", "dall-e-2", "flux-1.1-pro", "flux-dev",
        "stable-diffusion-xl", "ideogram-v2", "gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5",
        "gpt-image-2", "gpt-image-2-2026-04-21", "gpt-image-2.5-flare", "gpt-image-2.5-sunburst",
        "openai/gpt-image-2", "imagen-4", "grok-2-image", "recraft-v3", "sd-3.5-large",
        "fal/flux-schnell", "flux-schnell", "ideogram/ideogram-v2-turbo", "ideogram-v2-turbo",
        "fal/ideogram-v3", "ideogram-v3",
    ],
)  # fmt: skip
def test_model_is_found(model_id):
    assert model(model_id).id == model_id


@pytest.mark.parametrize("model_id", ["", "flux", "openai/", "OPENAI/DALL-E-3", "fal/flux-dev "])
def test_unknown_model_is_not_found(model_id):
    assert catalog().find(model_id) is None


@pytest.mark.parametrize(
    ("model_id", "wanted", "quality", "usd"),
    [
        ("openai/gpt-image-1", "1024x1024", "low", "0.19"),
        ("gpt-image-1", "1536x1024", "high", "0.19"),
        ("openai/dall-e-3", "1024x1024", "standard", "0.04"),
        ("dall-e-3", "1792x1024", "standard", "0.08"),
        ("dall-e-3", "1024x1024", "hd", "0.08"),
        ("dall-e-3", "1024x1792", "hd", "0.12"),
        ("google/imagen-4", "1024x1024", None, "0.04"),
        ("xai/grok-2-image", "1024x768", None, "0.07"),
        ("xai/grok-imagine-image", "1280x720", None, "0.02"),
        ("grok-imagine-image-quality", "1024x1024", None, "0.05"),
        ("grok-imagine-image-2.0", "1024x1024", "low", "0.04"),
        ("xai/grok-imagine-image-2.0", "1024x512", "medium", "0.06"),
        ("fal/flux-1.1-pro", "1024x1024", None, "0.04"),
        ("flux-1.1-pro", "1024x768", None, "0.04"),
        ("fal/flux-1.1-pro-ultra", "2048x2048", None, "0.06"),
        ("fal/recraft-v3", "1024x1024", None, "0.04"),
        ("fal/ideogram-v2", "1024x1024", None, "0.08"),
        ("fal/sd-3.5-large", "1024x1024", None, "0.065"),
        ("fal/flux-schnell", "1024x1024", None, "0.003"),
        ("ideogram-v2-turbo", "1280x720", None, "0.05"),
        ("ideogram-v3", "1024x1024", "low", "0.03"),
        ("fal/ideogram-v3", "1536x512", "medium", "0.06"),
        ("ideogram-v3", "1024x768", "high", "0.09"),
        ("dall-e-2", "256x256", "standard", "0.016"),
        ("dall-e-2", "512x512", "standard", "0.018"),
        ("dall-e-2", "1024x1024", "standard", "0.02"),
        ("flux-dev", "1024x768", None, "0.025"),
        ("bfl/flux-2-pro", "1344x768", None, "0.03"),
        ("flux-2-pro", "1536x1024", None, "0.045"),
        ("flux-2-max", "2048x2048", None, "0.16"),
        ("flux-2-klein-9b", "2048x2048", None, "0.021"),
        ("stability/stable-image-core", "1024x1024", None, "0.03"),
        ("stable-image-ultra", "1536x640", None, "0.08"),
        ("stability/sd-3.5-large", "1024x1024", None, "0.065"),
        ("sd-3.5-large-turbo", "1024x1024", None, "0.04"),
        ("sd-3.5-medium", "512x512", None, "0.035"),
        ("gpt-image-1-mini", "1536x1024", "high", "0.052"),
        ("gpt-image-1.5", "1024x1024", "medium", "0.034"),
        ("gpt-image-2", "1024x1024", "low", "0.006"),
        ("gpt-image-2", "1024x1536", "high", "0.165"),
        ("gpt-image-2-2026-04-21", "1536x1024", "medium", "0.041"),
        ("gpt-image-2.5-flare", "1024x1024", "max", "0.21072"),
        # Free sizes: the square's price, and 0.0693 for each million pixels beyond the square.
        ("gpt-image-2", "1024x640", "high", "0.211"),
        ("gpt-image-2", "2048x2048", "high", "0.4289989504"),
        ("gpt-image-2", "3840x2160", "low", "0.020491648"),
    ],
)
def test_price_is_the_published_one(model_id, wanted, quality, usd):
    assert price_of(prices_of(model(model_id).key), size(wanted), quality) == Decimal(usd)


@pytest.mark.parametrize("quality", ["low", "medium", "high"])
def test_no_free_size_costs_more_than_its_price(quality):
    gpt_image_2 = model("gpt-image-2")
    route = gpt_image_2.routes[0]
    rows = prices_of(gpt_image_2.key)
    checked = 0

    for width in range(16, 3841, 112):
        for height in range(16, 3841, 112):
            wanted = Size(width, height)
            if gpt_image_2.sizes.allows(wanted):
                price, cost = (
                    price_of(rows, wanted, quality),
                    route.image_cost.usd(wanted, quality),
                )
                assert (cost or 1) <= (price or 0), wanted
                checked += 1

    assert checked > 300


@pytest.mark.parametrize(
    ("wanted", "quality", "tokens"),
    [
        ("1024x1024", "low", 196), ("1024x1024", "medium", 1756), ("1024x1024", "high", 7024),
        ("1536x1024", "high", 5488), ("2560x1440", "high", 7370), ("2048x2048", "high", 14272),
        ("3840x2160", "high", 13342),
    ],
)  # fmt: skip
def test_output_tokens_equal_the_published_calculator(wanted, quality, tokens):
    route = model("gpt-image-2").routes[0]
    assert route.image_cost.usd(size(wanted), quality) == tokens * Decimal("0.00003")


def test_usage_is_priced_by_token():
    rates = TokenRates(text_in=Decimal(5), image_out=Decimal(30))
    assert rates.usage_usd({"input_tokens": 12, "output_tokens": 1756}) == Decimal("0.05274")
    assert rates.usage_usd({"input_tokens": 12}) is None


@pytest.mark.parametrize(
    ("model_id", "deadline_s"),
    [("dall-e-3", 60), ("openai/gpt-image-1", 135), ("fal/flux-1.1-pro", 75), ("imagen-4", 60)],
)
def test_deadline_is_three_times_p95_within_bounds(model_id, deadline_s):
    assert model(model_id).deadline_s == deadline_s


def test_deadline_has_a_ceiling():
    assert replace(model("dall-e-3"), p95_s=500).deadline_s == 300


def test_retired_upstream_is_called_first_on_another_host():
    assert served("openai/dall-e-3", openai=COMPATIBLE) == [
        "openai/dall-e-3",
        "openai/gpt-image-2.5-flare",
    ]


@pytest.mark.parametrize(
    ("model_id", "provider", "substitute"),
    [
        ("openai/dall-e-3", "openai", "openai/gpt-image-2.5-flare"),
        ("dall-e-2", "openai", "openai/gpt-image-2.5-flare"),
        ("gpt-image-1", "openai", "openai/gpt-image-2.5-flare"),
        ("google/imagen-4", "gemini", "gemini/gemini-2.5-flash-image"),
        ("xai/grok-2-image", "xai", "xai/grok-imagine-image"),
        ("grok-imagine-image-quality", "xai", "xai/grok-imagine-image-pro"),
    ],
)
def test_retired_upstream_is_substituted_on_the_official_host(model_id, provider, substitute):
    assert configured_at_home(model_id, provider) == [substitute]
    assert configured_at_home(model_id, provider, allow_substitution=False) == []
    assert model(model_id).successor_name


def test_routes_are_those_of_configured_providers_in_their_order():
    assert served("fal/flux-1.1-pro", fal=OFFICIAL, bfl=OFFICIAL) == [
        "fal/fal-ai/flux-pro/v1.1",
        "bfl/flux-pro-1.1",
    ]
    assert served("flux-1.1-pro", fal=OFFICIAL, bfl=OFFICIAL)[0] == "bfl/flux-pro-1.1"
    assert served("flux-1.1-pro-ultra", bfl=OFFICIAL) == ["bfl/flux-pro-1.1-ultra"]
    assert served("sd-3.5-large", fal=OFFICIAL, stability=OFFICIAL) == [
        "fal/fal-ai/stable-diffusion-v35-large",
        "stability/sd3.5-large",
    ]
    assert served("stability/sd-3.5-large", fal=OFFICIAL, stability=OFFICIAL)[0] == (
        "stability/sd3.5-large"
    )
    assert served("ideogram-v2", fal=OFFICIAL, ideogram=OFFICIAL)[0] == "ideogram/V_2"
    assert served("fal/ideogram-v2", fal=OFFICIAL, ideogram=OFFICIAL) == [
        "fal/fal-ai/ideogram/v2",
        "ideogram/V_2",
    ]
    assert served("ideogram-v3", fal=OFFICIAL, ideogram=OFFICIAL) == [
        "ideogram/ideogram-v3",
        "fal/fal-ai/ideogram/v3",
    ]
    assert served("stable-diffusion-xl", fal=OFFICIAL) == ["fal/fal-ai/fast-sdxl"]
    assert served("flux-1.1-pro") == []


def test_upstream_retires_on_its_day():
    own = {"openai": OFFICIAL}
    mini = model("gpt-image-1-mini")

    def first(today: date) -> Route:
        return routes_for(mini, today=today, endpoints=own, allow_substitution=True)[0]

    assert not first(date(2026, 11, 30)).substitute
    assert first(date(2026, 12, 1)).substitute
    # Azure serves it on.
    assert mini.status_on(date(2027, 4, 6)) is Status.DEPRECATED
    assert mini.status_on(date(2027, 4, 7)) is Status.RETIRED
    assert model("gpt-image-2").status_on(TODAY) is Status.ACTIVE


@pytest.mark.parametrize(
    ("model_id", "last_day", "routes"),
    [
        ("gpt-image-1", date(2026, 10, 22), ["azure_openai/gpt-image-1"]),
        ("gpt-image-1-mini", date(2027, 4, 6), ["azure_openai/gpt-image-1-mini"]),
        ("openai/gpt-image-1.5", date(2026, 12, 15), ["azure_openai/gpt-image-1.5"]),
        ("gpt-image-2", date(2027, 10, 20), ["azure_openai/gpt-image-2"]),
        ("gpt-image-2.5-flare", date(2027, 9, 8), ["azure_openai/gpt-image-2.5-flare"]),
        ("dall-e-3", date(2026, 5, 11), ["azure_openai/dall-e-3"]),
    ],
)
def test_azure_has_days_of_its_own(model_id, last_day, routes):
    def at_azure(today: date, endpoint: EndpointInfo):
        endpoints = {"azure_openai": endpoint}
        found = routes_for(
            model(model_id), today=today, endpoints=endpoints, allow_substitution=True
        )
        return [route.served_by for route in found]

    assert at_azure(last_day, OFFICIAL) == routes
    assert at_azure(last_day + timedelta(days=1), OFFICIAL) == []
    assert at_azure(last_day + timedelta(days=1), COMPATIBLE) == routes


def test_azure_is_not_asked_for_webp():
    by_provider = {route.provider: route.output_formats for route in model("dall-e-3").routes[:2]}
    gpt_image = {route.provider: route.output_formats for route in model("gpt-image-1").routes[:2]}

    assert gpt_image == {"openai": ("png", "webp", "jpeg"), "azure_openai": ("png", "jpeg")}
    assert by_provider == {"openai": (), "azure_openai": ()}


def test_dollars_that_an_upstream_reports_are_the_cost():
    [route] = model("grok-imagine-image-2.0").routes
    assert route.image_cost.usd(size("1024x1024"), "low") == Decimal("0.04")
    assert route.image_cost.usd_of_units(Decimal("0.1234")) == Decimal("0.1234")


def test_substitutes_name_their_quality():
    by_id = {
        model_id: model(model_id).routes[-1].qualities
        for model_id in ("dall-e-3", "gpt-image-1", "dall-e-2")
    }
    assert by_id == {
        "dall-e-3": {"standard": "medium", "hd": "high"},
        "gpt-image-1": {"low": "low", "medium": "medium", "high": "high"},
        "dall-e-2": {"standard": "low"},
    }


@pytest.mark.parametrize("model_id", ["dall-e-3", "dall-e-2", "imagen-4", "grok-2-image"])
def test_substitute_never_loses(model_id):
    assert not model(model_id).routes[-1].allowed_losses


@pytest.mark.parametrize(
    "broken",
    [
        {"routes": ()},
        {"key": "unpriced"},
        {"sizes": ListedSizes(())},
        {"default_size": Size(1, 1)},
        {"successor": "no-such-model"},
    ],
)
def test_catalog_refuses_a_broken_model(broken):
    with pytest.raises(CatalogError):
        Catalog([replace(model("flux-dev"), **broken)])


def test_catalog_refuses_an_id_twice():
    with pytest.raises(CatalogError, match="flux-dev"):
        Catalog([model("flux-dev"), model("flux-dev")])


def test_grid_rounds_up_and_reaches_the_least_area():
    grid = Grid(
        multiple=16, min_edge=16, max_edge=3840, max_pixels=8_294_400, encode="size",
        min_pixels=655_360, max_ratio=3,
    )  # fmt: skip
    exact, rounded, enlarged = (
        grid.ask(size(text)) for text in ("1536x864", "1000x1000", "256x256")
    )
    assert exact == Ask(size("1536x864"), {"size": "1536x864"})
    assert rounded == Ask(size("1008x1008"), {"size": "1008x1008"})
    assert enlarged == Ask(size("816x816"), {"size": "816x816"})
    assert grid.ask(size("4000x1000")) is None
    assert grid.ask(size("3200x1000")) is None
