"""Fitting a checked request to a route."""

import pytest

from gateway.catalog.fit import can_serve, fit
from gateway.catalog.registry import catalog
from gateway.errors import InvalidRequestError, UnsupportedValueError
from gateway.parameters.generation import parse_generation

CELLS = [
    (model.id, str(size), quality)
    for model in catalog().models()
    for size in model.sizes.listed
    for quality in model.qualities or (None,)
]


def request_for(model_id: str, **fields: object):
    return parse_generation({"model": model_id, "prompt": "a cat", **fields}, default_model=None)


def route_of(model_id: str, provider: str, *, substitute: bool = False):
    model = catalog().find(model_id)
    assert model is not None
    return next(
        route
        for route in model.routes
        if route.provider == provider and route.substitute == substitute
    )


@pytest.mark.parametrize(("model_id", "size", "quality"), CELLS)
def test_every_cell_fits_every_route_that_reaches_it(model_id, size, quality):
    request = request_for(model_id, size=size, quality=quality)
    routes = [route for route in request.model.routes if can_serve(request, route)]

    assert routes
    for route in routes:
        fitted = fit(request, route, 1)
        asked = fitted.image_request
        assert f"{fitted.target_width}x{fitted.target_height}" == size
        assert (asked.width, asked.height) >= (0, 0)
        assert asked.width >= fitted.target_width
        assert asked.height >= fitted.target_height
        assert fitted.adjust == ((asked.width, asked.height) != (request.width, request.height))
        assert (asked.quality is None) == (not route.qualities)
        assert asked.n == 1
        assert fitted.dropped == ()


@pytest.mark.parametrize(
    ("model_id", "fields", "provider", "expected"),
    [
        ("openai/gpt-image-1", {}, "openai", ({"size": "1024x1024"}, "medium")),
        ("openai/dall-e-3", {"quality": "hd"}, "openai", ({"size": "1024x1024"}, "hd")),
        ("dall-e-3", {"size": "1792x1024"}, "openai", ({"size": "1792x1024"}, "standard")),
    ],
)
def test_openai_routes_name_size_and_quality(model_id, fields, provider, expected):
    asked = fit(request_for(model_id, **fields), route_of(model_id, provider), 1).image_request
    assert (asked.size_param, asked.quality) == expected


@pytest.mark.parametrize(
    ("provider", "quality", "speed"),
    [
        ("ideogram", "low", "TURBO"),
        ("ideogram", "auto", "DEFAULT"),
        ("ideogram", "hd", "QUALITY"),
        ("fal", "standard", "BALANCED"),
    ],
)
def test_quality_of_ideogram_3_is_its_speed(provider, quality, speed):
    request = request_for("ideogram-v3", quality=quality)
    assert fit(request, route_of("ideogram-v3", provider), 1).image_request.quality == speed


def test_substitute_gets_its_own_words_and_drops_style():
    request = request_for("dall-e-3", quality="hd", style="natural", size="1024x1792")
    fitted = fit(request, route_of("dall-e-3", "openai", substitute=True), 1)
    assert fitted.image_request.upstream_model == "gpt-image-2.5-flare"
    assert fitted.image_request.quality == "high"
    assert fitted.image_request.size_param == {"size": "1024x1792"}
    assert fitted.dropped == ("style",)


def test_small_dall_e_2_image_is_scaled_down_by_its_substitute():
    fitted = fit(
        request_for("dall-e-2", size="256x256"),
        route_of("dall-e-2", "openai", substitute=True),
        1,
    )
    assert fitted.image_request.size_param == {"size": "1024x1024"}
    assert (fitted.target_width, fitted.adjust) == (256, True)


@pytest.mark.parametrize(
    ("model_id", "size", "provider", "size_param"),
    [
        ("fal/flux-1.1-pro", "1024x768", "fal", {"image_size": {"width": 1024, "height": 768}}),
        ("flux-1.1-pro", "1024x768", "bfl", {"width": 1024, "height": 768}),
        ("flux-1.1-pro-ultra", "2560x1440", "bfl", {"aspect_ratio": "16:9"}),
        ("flux-2-pro", "1216x832", "bfl", {"width": 1216, "height": 832}),
        ("stable-image-core", "1024x768", "stability", {"aspect_ratio": "3:2"}),
        ("sd-3.5-large", "512x512", "stability", {"aspect_ratio": "1:1"}),
        ("fal/flux-1.1-pro-ultra", "2560x1440", "fal", {"aspect_ratio": "16:9"}),
        ("fal/ideogram-v2", "1024x768", "fal", {"aspect_ratio": "4:3"}),
        ("ideogram-v2", "1024x768", "ideogram", {"resolution": "RESOLUTION_1024_768"}),
        ("ideogram-v2-turbo", "1280x720", "ideogram", {"resolution": "RESOLUTION_1280_720"}),
        ("ideogram-v3", "1312x736", "ideogram", {"resolution": "1312x736"}),
        ("ideogram-v3", "1024x768", "ideogram", {"resolution": "1152x864"}),
        ("fal/ideogram-v3", "512x1536", "fal", {"image_size": {"width": 512, "height": 1536}}),
        ("google/imagen-4", "1344x768", "gemini", {"aspectRatio": "16:9"}),
        ("xai/grok-2-image", "auto", "xai", None),
    ],
)
def test_size_is_asked_in_the_words_of_the_provider(model_id, size, provider, size_param):
    request = request_for(model_id, size=size)
    assert fit(request, route_of(model_id, provider), 1).image_request.size_param == size_param


@pytest.mark.parametrize(
    ("model_id", "provider", "wanted", "asked"),
    [
        ("fal/flux-1.1-pro", "fal", None, None),
        ("fal/flux-1.1-pro", "fal", "jpeg", "jpeg"),
        ("fal/flux-1.1-pro", "fal", "webp", "png"),
        ("fal/recraft-v3", "fal", "png", None),
        ("gpt-image-1", "openai", "webp", "webp"),
        ("gpt-image-1", "azure_openai", "webp", "png"),
        ("dall-e-3", "openai", "webp", None),
    ],
)
def test_upstream_is_asked_for_its_best_format(model_id, provider, wanted, asked):
    request = request_for(model_id, output_format=wanted)
    fitted = fit(request, route_of(model_id, provider), 1)
    assert fitted.image_request.output_format == asked
    assert fitted.target_format == request.output_format


@pytest.mark.parametrize(
    ("model_id", "provider", "sent", "reencode"),
    [("gpt-image-1", "openai", 40, False), ("fal/flux-1.1-pro", "fal", None, True)],
)
def test_compression_is_left_to_upstreams_that_know_it(model_id, provider, sent, reencode):
    request = request_for(model_id, output_format="jpeg", output_compression=40)
    fitted = fit(request, route_of(model_id, provider), 1)
    assert fitted.image_request.output_compression == sent
    assert (fitted.compression, fitted.reencode) == (40, reencode)


def test_user_is_dropped_and_named_where_the_route_lacks_it():
    request = request_for("fal/flux-1.1-pro", user="u1", seed=7)
    fitted = fit(request, route_of("fal/flux-1.1-pro", "fal"), 1)
    assert (fitted.image_request.user, fitted.image_request.seed) == (None, 7)
    assert fitted.dropped == ("user",)


def test_one_call_asks_for_no_more_than_the_route_gives():
    request = request_for("fal/flux-1.1-pro")
    assert fit(request, route_of("fal/flux-1.1-pro", "fal"), 8).image_request.n == 4


def test_prompt_beyond_the_upstream_is_refused():
    route = route_of("fal/recraft-v3", "fal")
    fit(request_for("fal/recraft-v3", prompt="x" * 1000), route, 1)
    with pytest.raises(InvalidRequestError) as refused:
        fit(request_for("fal/recraft-v3", prompt="x" * 1001), route, 1)
    assert refused.value.param == "prompt"


def test_route_without_transparency_is_refused():
    request = request_for("gpt-image-1", background="transparent")
    opaque = route_of("fal/flux-1.1-pro", "fal")
    assert can_serve(request, route_of("gpt-image-1", "openai"))
    assert not can_serve(request, opaque)
    with pytest.raises(UnsupportedValueError) as refused:
        fit(request, opaque, 1)
    assert refused.value.param == "background"
