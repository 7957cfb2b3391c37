"""The adapter against the sandbox, which is written apart from it."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from gateway.catalog.google import models
from gateway.providers import errors
from gateway.providers.gemini import GeminiAdapter
from tests.gateway.providers.conftest import MakeCall

IMAGEN = "imagen-4.0-generate-001"
FLASH = "gemini-2.5-flash-image"
MODELS = [IMAGEN, FLASH]
EXPRESS = {"vertex": "1"}
PROJECT = {"vertex": "1", "vertex_project": "proj", "vertex_location": "global"}
EVERY_SIZE = [
    (route, size) for model in models() if model.namespaced for route in model.routes
    for size in model.sizes.listed
]  # fmt: skip


def run(
    make_call: MakeCall,
    sandbox_url: str,
    model: str,
    options: dict[str, str] | None = None,
    **fields,
):
    fields = {"upstream_model": model, "seconds": 20.0, **fields}
    call = make_call(f"{sandbox_url}/gemini", **fields)
    endpoint = replace(call.endpoint, options=options or {})
    return GeminiAdapter().generate(replace(call, endpoint=endpoint))


@pytest.mark.parametrize("options", [{}, EXPRESS, PROJECT])
@pytest.mark.parametrize(("model", "n"), [(IMAGEN, 3), (FLASH, 1)])
def test_every_surface_draws_real_images(
    make_call: MakeCall, sandbox_url: str, model: str, n: int, options: dict[str, str]
):
    fields = {"n": n, "size_param": {"aspectRatio": "16:9"}, "output_format": "jpeg"}

    result = run(make_call, sandbox_url, model, options, **fields)

    opened = [Image.open(io.BytesIO(image.data)) for image in result.images]
    expected = ((1408, 768), "JPEG") if model == IMAGEN else ((1344, 768), "PNG")
    assert [(image.size, image.format) for image in opened] == [expected] * n
    assert len({image.data for image in result.images}) == n
    assert result.refused == 0
    assert bool(result.images[0].revised_prompt) is (model == IMAGEN and bool(options))


def test_every_route_draws_the_pixels_that_it_promises(make_call: MakeCall, sandbox_url: str):
    asked = {
        (route.upstream_model, ask.size, tuple(ask.fields.items()))
        for route, size in EVERY_SIZE
        if (ask := route.sizing.ask(size)) is not None
    }

    assert len(asked) > 40
    for model, size, fields in sorted(asked, key=str):
        result = run(make_call, sandbox_url, model, size_param=dict(fields))
        image = Image.open(io.BytesIO(result.images[0].data))
        assert image.size == (size.width, size.height), (model, fields)


def test_usage_gives_the_cost(make_call: MakeCall, sandbox_url: str):
    costs = {}
    for model in models():
        route = model.routes[0]
        if model.namespaced and route.token_rates is not None:
            ask = route.sizing.ask(model.default_size)
            assert ask is not None
            result = run(make_call, sandbox_url, route.upstream_model, size_param=ask.fields)
            assert result.usage is not None
            costs[route.upstream_model] = str(route.token_rates.usage_usd(result.usage))

    # 1 token in and 1,290 or 1,120 out, with 150 of thoughts for the third generation.
    assert costs == {
        "gemini-2.5-flash-image": "0.0387003",
        "gemini-3-pro-image": "0.136202",
        "gemini-3.1-flash-image": "0.0676505",
    }


def test_filtered_images_are_counted(make_call: MakeCall, sandbox_url: str):
    result = run(make_call, sandbox_url, IMAGEN, n=3, prompt="a cat [[nsfw=first]]")

    assert (len(result.images), result.refused) == (2, 1)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("[[refuse]]", errors.ContentRefused),
        ("[[refuse=output]]", errors.ContentRefused),
        ("[[nsfw]]", errors.ContentRefused),
        ("[[unfunded]]", errors.OutOfFunds),
        ("[[status=400]]", errors.ProviderRejected),
        ("[[status=401]]", errors.BadCredentials),
        ("[[status=403]]", errors.ModelForbidden),
        ("[[status=404]]", errors.ModelRetired),
        ("[[status=429;retry_after=3]]", errors.RateLimited),
        ("[[status=499]]", errors.ProviderUnavailable),
        ("[[status=500]]", errors.ProviderUnavailable),
        ("[[status=502]]", errors.ProviderUnavailable),
        ("[[status=503]]", errors.ProviderUnavailable),
    ],
)
def test_failure_of_the_sandbox_is_classified(
    make_call: MakeCall,
    sandbox_url: str,
    model: str,
    directive: str,
    expected: type[errors.ProviderError],
):
    with pytest.raises(errors.ProviderError) as raised:
        run(make_call, sandbox_url, model, prompt=f"a cat {directive}")

    assert type(raised.value) is expected
    if isinstance(raised.value, errors.RateLimited):
        assert raised.value.retry_after_s == 3.0


@pytest.mark.parametrize(
    ("model", "expected"), [(IMAGEN, errors.ContentRefused), (FLASH, errors.BadResponse)]
)
def test_empty_answer_is_classified(
    make_call: MakeCall, sandbox_url: str, model: str, expected: type[errors.ProviderError]
):
    with pytest.raises(expected):
        run(make_call, sandbox_url, model, prompt="a cat [[empty]]")


@pytest.mark.parametrize("directive", ["[[hang]]", "[[drip]]"])
@pytest.mark.parametrize("model", MODELS)
def test_slowness_of_the_sandbox_ends_at_the_deadline(
    make_call: MakeCall, sandbox_url: str, model: str, directive: str
):
    with pytest.raises(errors.ProviderTimedOut) as raised:
        run(make_call, sandbox_url, model, prompt=f"a cat {directive}", seconds=1.0)

    assert raised.value.processed is True
