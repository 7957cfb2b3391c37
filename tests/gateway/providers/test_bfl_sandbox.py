"""The adapter against the sandbox, which is written apart from it, after the same protocol."""

import io
from decimal import Decimal

import pytest
from PIL import Image

from gateway.catalog.registry import catalog
from gateway.catalog.types import Model, Route
from gateway.providers import errors
from gateway.providers.bfl import BflAdapter
from tests.gateway.providers.conftest import MakeCall

# Each route once, at its largest size.
ROUTES: dict[str, tuple[Model, Route]] = {
    route.upstream_model: (model, route)
    for model in catalog().models()
    for route in model.routes
    if route.provider == "bfl"
}


def run(make_call: MakeCall, sandbox_url: str, prompt: str = "a cat", **fields):
    size = {"width": 512, "height": 256}
    fields = {"upstream_model": "flux-pro-1.1", "size_param": size, "seconds": 20.0, **fields}
    return BflAdapter().generate(make_call(f"{sandbox_url}/bfl", prompt=prompt, **fields))


@pytest.mark.parametrize("upstream_model", ROUTES)
def test_every_route_gets_the_pixels_it_asks_for(
    make_call: MakeCall, sandbox_url: str, upstream_model: str
):
    model, route = ROUTES[upstream_model]
    wanted = max(model.sizes.listed, key=lambda size: size.pixels)
    asked = route.sizing.ask(wanted)
    assert asked is not None

    result = run(
        make_call,
        sandbox_url,
        upstream_model=upstream_model,
        size_param=asked.fields,
        output_format="png",
        moderation="low",
        seed=7,
    )

    (image,) = result.images
    opened = Image.open(io.BytesIO(image.data))
    assert (opened.size, opened.format) == ((asked.size.width, asked.size.height), "PNG")
    assert image.seed == 7
    assert result.billable_units is not None
    reported = route.image_cost.usd_of_units(result.billable_units)
    assert reported == route.image_cost.usd(asked.size, None)


def test_task_is_resumed_by_its_saved_id(make_call: MakeCall, sandbox_url: str, saved: list[str]):
    first = run(make_call, sandbox_url)
    call = make_call(f"{sandbox_url}/bfl", upstream_model="flux-pro-1.1")

    again = BflAdapter().resume(call, saved[0])

    assert again.images[0].data == first.images[0].data
    assert first.upstream_request_id == again.upstream_request_id == saved[0]
    assert first.billable_units == Decimal(4)


@pytest.mark.parametrize(
    ("directive", "expected", "processed"),
    [
        ("[[refuse]]", errors.ContentRefused, False),
        ("[[refuse=output]]", errors.ContentRefused, False),
        ("[[nsfw]]", errors.ContentRefused, False),
        ("[[unfunded]]", errors.OutOfFunds, False),
        ("[[status=429;retry_after=3]]", errors.RateLimited, False),
        ("[[status=403]]", errors.BadCredentials, False),
        ("[[status=404]]", errors.ModelRetired, False),
        ("[[status=422]]", errors.ProviderRejected, False),
        ("[[status=500]]", errors.ProviderUnavailable, False),
        ("[[status=503;at=submit]]", errors.ProviderUnavailable, True),
        ("[[empty]]", errors.BadResponse, True),
        ("[[expired]]", errors.BadResponse, True),
        ("[[file_status=404]]", errors.BadResponse, True),
        ("[[file_status=500]]", errors.ProviderUnavailable, True),
    ],
)
def test_failure_of_the_sandbox_is_classified(
    make_call: MakeCall,
    sandbox_url: str,
    directive: str,
    expected: type[errors.ProviderError],
    processed: bool,
):
    with pytest.raises(errors.ProviderError) as raised:
        run(make_call, sandbox_url, f"a cat {directive}")

    assert (type(raised.value), raised.value.processed) == (expected, processed)


def test_bad_value_names_its_parameter(make_call: MakeCall, sandbox_url: str):
    with pytest.raises(errors.ProviderRejected) as raised:
        run(make_call, sandbox_url, size_param={"width": 1000, "height": 512})

    assert raised.value.param == "width"


@pytest.mark.parametrize(
    "directive",
    [
        "[[status=503;at=status;times=2]]",
        "[[expired;times=1]]",
        "[[queue=0.3]] [[delay=0.5]]",
    ],
)
def test_passing_trouble_of_a_task_is_waited_out(
    make_call: MakeCall, sandbox_url: str, directive: str
):
    assert run(make_call, sandbox_url, f"a cat {directive}").images


@pytest.mark.parametrize(
    "directive", ["[[hang]]", "[[hang=submit]]", "[[hang=status]]", "[[hang=file]]", "[[drip]]"]
)
def test_slowness_of_the_sandbox_ends_at_the_deadline(
    make_call: MakeCall, sandbox_url: str, directive: str
):
    with pytest.raises(errors.ProviderTimedOut) as raised:
        run(make_call, sandbox_url, f"a cat {directive}", seconds=1.0)

    assert raised.value.processed is True
