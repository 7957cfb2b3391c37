"""The adapters against the sandbox, which is written apart from them, after the same protocols."""

import io
from decimal import Decimal

import pytest
from PIL import Image

from gateway.providers import errors, registry
from tests.gateway.providers.conftest import MakeCall

ROUTES: dict[str, tuple[str, str, dict[str, object]]] = {
    "openai": ("/openai/v1", "gpt-image-2", {"size_param": {"size": "1024x1024"}}),
    "azure_openai": ("/azure_openai", "gpt-image-1", {"size_param": {"size": "1536x1024"}}),
    "xai": (
        "/xai/v1",
        "grok-imagine-image",
        {"size_param": {"aspect_ratio": "16:9", "resolution": "1k"}},
    ),
    "fal": (
        "/fal",
        "fal-ai/flux/schnell",
        {"size_param": {"image_size": {"width": 512, "height": 256}}},
    ),
}

EVERY = tuple(ROUTES)


def run(make_call: MakeCall, sandbox_url: str, provider: str, **fields):
    prefix, model, size = ROUTES[provider]
    fields = {"upstream_model": model, "seconds": 20.0, **size, **fields}
    return registry.adapter_for(provider).generate(make_call(sandbox_url + prefix, **fields))


@pytest.mark.parametrize(
    ("provider", "size"),
    [
        ("openai", (1024, 1024)),
        ("azure_openai", (1536, 1024)),
        ("xai", (1408, 768)),
        ("fal", (512, 256)),
    ],
)
def test_adapter_gets_real_images(
    make_call: MakeCall, sandbox_url: str, provider: str, size: tuple[int, int]
):
    result = run(make_call, sandbox_url, provider, n=2)

    opened = [Image.open(io.BytesIO(image.data)) for image in result.images]
    assert [image.size for image in opened] == [size, size]
    assert result.upstream_request_id
    assert result.images[0].data != result.images[1].data


def test_dall_e_and_fal_job_are_served(make_call: MakeCall, sandbox_url: str, saved: list[str]):
    fields = {"upstream_model": "dall-e-3", "quality": "hd", "style": "natural"}
    drawn = run(make_call, sandbox_url, "openai", **fields)
    run(make_call, sandbox_url, "fal")
    call = make_call(f"{sandbox_url}/fal", upstream_model="fal-ai/flux/schnell")

    resumed = registry.adapter_for("fal").resume(call, saved[0])

    assert drawn.images[0].revised_prompt
    assert resumed.images[0].data


@pytest.mark.parametrize(
    ("directive", "expected", "providers"),
    [
        ("[[refuse]]", errors.ContentRefused, EVERY),
        ("[[unfunded]]", errors.OutOfFunds, ("openai", "xai", "fal")),
        ("[[status=429;retry_after=3]]", errors.RateLimited, EVERY),
        ("[[status=401]]", errors.BadCredentials, EVERY),
        ("[[status=500]]", errors.ProviderUnavailable, EVERY),
        ("[[status=503]]", errors.ProviderUnavailable, EVERY),
        ("[[empty]]", errors.BadResponse, ("openai", "azure_openai", "fal")),
        ("[[empty]]", errors.ContentRefused, ("xai",)),
        ("[[refuse=output]]", errors.ContentRefused, ("azure_openai", "xai")),
        ("[[refuse=filter]]", errors.ContentRefused, ("azure_openai",)),
        ("[[status=403]]", errors.ModelForbidden, ("azure_openai", "xai")),
        ("[[nsfw]]", errors.ContentRefused, ("azure_openai", "xai", "fal")),
        ("[[status=404]]", errors.ModelRetired, ("azure_openai", "xai", "fal")),
        ("[[status=503;at=submit]]", errors.ProviderUnavailable, ("fal",)),
        ("[[file_status=404]]", errors.BadResponse, ("fal",)),
    ],
)
def test_failure_of_the_sandbox_is_classified(
    make_call: MakeCall,
    sandbox_url: str,
    directive: str,
    expected: type[errors.ProviderError],
    providers: tuple[str, ...],
):
    for provider in providers:
        with pytest.raises(errors.ProviderError) as raised:
            run(make_call, sandbox_url, provider, prompt=f"a cat {directive}")
        assert type(raised.value) is expected, provider


def test_partly_withheld_answer_gives_the_rest(make_call: MakeCall, sandbox_url: str):
    for provider in ("azure_openai", "xai"):
        result = run(make_call, sandbox_url, provider, prompt="a cat [[nsfw=first]]", n=3)

        assert (len(result.images), result.refused) == (2, 1), provider


def test_cost_and_revised_prompt_of_xai_arrive(make_call: MakeCall, sandbox_url: str):
    imagined = run(make_call, sandbox_url, "xai", n=2)
    rewritten = run(make_call, sandbox_url, "xai", upstream_model="grok-2-image", size_param=None)

    assert imagined.billable_units == Decimal("0.04")
    assert imagined.images[0].revised_prompt is None
    assert "a cat" in (rewritten.images[0].revised_prompt or "")


def test_passing_trouble_of_a_job_is_waited_out(make_call: MakeCall, sandbox_url: str):
    prompt = "a cat [[status=503;at=status;times=2]] [[status=502;at=result;times=1]]"

    assert run(make_call, sandbox_url, "fal", prompt=prompt).images


@pytest.mark.parametrize("directive", ["[[hang]]", "[[drip]]"])
@pytest.mark.parametrize("provider", EVERY)
def test_slowness_of_the_sandbox_ends_at_the_deadline(
    make_call: MakeCall, sandbox_url: str, provider: str, directive: str
):
    with pytest.raises(errors.ProviderTimedOut) as raised:
        run(make_call, sandbox_url, provider, prompt=f"a cat {directive}", seconds=1.0)

    assert raised.value.processed is True
