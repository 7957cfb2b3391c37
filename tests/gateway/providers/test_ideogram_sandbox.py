"""The adapter against the sandbox, which is written apart from it."""

import io

import pytest
from PIL import Image

from gateway.providers import errors
from gateway.providers.ideogram import IdeogramAdapter
from tests.gateway.providers.conftest import MakeCall

CALLS: dict[str, dict[str, object]] = {
    "V_2": {"size_param": {"resolution": "RESOLUTION_1152_864"}, "width": 1152, "height": 864},
    "V_2_TURBO": {"size_param": {"aspect_ratio": "ASPECT_4_3"}, "width": 1152, "height": 864},
    "ideogram-v3": {
        "size_param": {"resolution": "1152x864"},
        "width": 1152,
        "height": 864,
        "quality": "TURBO",
    },
}


def run(make_call: MakeCall, sandbox_url: str, model: str, **fields):
    fields = {"upstream_model": model, "seconds": 20.0, **CALLS[model], **fields}
    return IdeogramAdapter().generate(make_call(f"{sandbox_url}/ideogram", **fields))


@pytest.mark.parametrize("model", CALLS)
def test_every_model_draws_what_was_asked_for(make_call: MakeCall, sandbox_url: str, model: str):
    result = run(make_call, sandbox_url, model, n=3, seed=7, style="REALISTIC")

    opened = [Image.open(io.BytesIO(image.data)) for image in result.images]
    assert [image.size for image in opened] == [(1152, 864)] * 3
    assert [image.seed for image in result.images] == [7, 8, 9]
    assert len({image.data for image in result.images}) == 3
    assert result.refused == 0


def test_some_unsafe_images_are_counted(make_call: MakeCall, sandbox_url: str):
    result = run(make_call, sandbox_url, "ideogram-v3", n=3, prompt="a cat [[nsfw=first]]")

    assert (len(result.images), result.refused) == (2, 1)


@pytest.mark.parametrize("model", ["V_2", "ideogram-v3"])
@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("[[refuse]]", errors.ContentRefused),
        ("[[nsfw]]", errors.ContentRefused),
        ("[[unfunded]]", errors.OutOfFunds),
        ("[[status=400]]", errors.ProviderRejected),
        ("[[status=401]]", errors.BadCredentials),
        ("[[status=403]]", errors.BadCredentials),
        ("[[status=404]]", errors.ModelRetired),
        ("[[status=429;retry_after=3]]", errors.RateLimited),
        ("[[status=500]]", errors.ProviderUnavailable),
        ("[[status=503]]", errors.ProviderUnavailable),
        ("[[empty]]", errors.BadResponse),
        ("[[file_status=403]]", errors.BadResponse),
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


@pytest.mark.parametrize("directive", ["[[hang]]", "[[drip]]", "[[drip=result]]"])
def test_slowness_of_the_sandbox_ends_at_the_deadline(
    make_call: MakeCall, sandbox_url: str, directive: str
):
    with pytest.raises(errors.ProviderTimedOut) as raised:
        run(make_call, sandbox_url, "V_2", prompt=f"a cat {directive}", seconds=1.0)

    assert raised.value.processed is True


def test_wrong_key_is_bad_credentials(make_call: MakeCall, sandbox_url: str):
    call = make_call(f"{sandbox_url}/ideogram", upstream_model="V_2")
    object.__setattr__(call.endpoint, "api_key", "bad")

    with pytest.raises(errors.BadCredentials):
        IdeogramAdapter().generate(call)
