"""The adapter against the sandbox, which is written apart from it, after the same protocol."""

import io

import pytest
from PIL import Image

from gateway.catalog.registry import catalog
from gateway.catalog.types import Model, Route
from gateway.providers import errors
from gateway.providers.stability import StabilityAdapter
from tests.gateway.providers.conftest import MakeCall

SDXL = "stable-diffusion-xl-1024-v1-0"
# Each route once.
ROUTES: dict[str, tuple[Model, Route]] = {
    route.upstream_model: (model, route)
    for model in catalog().models()
    for route in model.routes
    if route.provider == "stability"
}


def run(make_call: MakeCall, sandbox_url: str, prompt: str = "a cat", **fields):
    fields = {"upstream_model": "core", "seconds": 20.0, **fields}
    call = make_call(f"{sandbox_url}/stability", prompt=prompt, **fields)
    return StabilityAdapter().generate(call)


@pytest.mark.parametrize("upstream_model", ROUTES)
def test_every_route_gets_pixels_that_cover_each_size(
    make_call: MakeCall, sandbox_url: str, upstream_model: str
):
    model, route = ROUTES[upstream_model]
    for wanted in model.sizes.listed:
        asked = route.sizing.ask(wanted)
        if asked is None:
            assert wanted in route.leaves
            continue
        result = run(
            make_call, sandbox_url, upstream_model=upstream_model, size_param=asked.fields, seed=7
        )
        (image,) = result.images
        opened = Image.open(io.BytesIO(image.data))
        assert opened.width >= asked.size.width >= wanted.width
        assert opened.height >= asked.size.height >= wanted.height
        assert image.seed == 7
        assert result.upstream_request_id


@pytest.mark.parametrize("wanted", ["png", "jpeg", "webp"])
def test_format_is_asked_for(make_call: MakeCall, sandbox_url: str, wanted: str):
    fields = {"output_format": wanted, "user": "Zoë", "upstream_model": "ultra"}

    (image,) = run(make_call, sandbox_url, **fields).images

    assert Image.open(io.BytesIO(image.data)).format == wanted.upper()


def test_several_images_come_of_one_call(make_call: MakeCall, sandbox_url: str):
    fields = {"upstream_model": SDXL, "size_param": {"width": 1024, "height": 1024}}

    result = run(make_call, sandbox_url, "a cat [[nsfw=first]]", n=3, **fields)

    assert len({image.data for image in result.images}) == 2
    assert result.refused == 1


@pytest.mark.parametrize("model", ["core", "sd3.5-medium", SDXL])
@pytest.mark.parametrize(
    ("directive", "expected", "processed"),
    [
        ("[[refuse]]", errors.ContentRefused, False),
        ("[[nsfw]]", errors.ContentRefused, True),
        ("[[unfunded]]", errors.OutOfFunds, False),
        ("[[status=429;retry_after=3]]", errors.RateLimited, False),
        ("[[status=401]]", errors.BadCredentials, False),
        ("[[status=404]]", errors.ModelRetired, False),
        ("[[status=413]]", errors.ProviderRejected, False),
        ("[[status=500]]", errors.ProviderUnavailable, True),
        ("[[empty]]", errors.BadResponse, True),
    ],
)
def test_failure_of_the_sandbox_is_classified(
    make_call: MakeCall,
    sandbox_url: str,
    model: str,
    directive: str,
    expected: type[errors.ProviderError],
    processed: bool,
):
    with pytest.raises(errors.ProviderError) as raised:
        run(make_call, sandbox_url, f"a cat {directive}", upstream_model=model)

    assert (type(raised.value), raised.value.processed) == (expected, processed)


def test_bad_value_names_its_parameter(make_call: MakeCall, sandbox_url: str):
    with pytest.raises(errors.ProviderRejected) as raised:
        run(make_call, sandbox_url, size_param={"aspect_ratio": "4:3"})

    assert raised.value.param == "aspect_ratio"


@pytest.mark.parametrize("directive", ["[[hang]]", "[[drip]]"])
def test_slowness_of_the_sandbox_ends_at_the_deadline(
    make_call: MakeCall, sandbox_url: str, directive: str
):
    with pytest.raises(errors.ProviderTimedOut) as raised:
        run(make_call, sandbox_url, f"a cat {directive}", seconds=1.0)

    assert raised.value.processed is True
