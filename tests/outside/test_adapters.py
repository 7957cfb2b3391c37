"""Each provider and each form of its protocol, as its documentation tells it, all well."""

import hashlib
import io
from decimal import Decimal

import pytest
from PIL import Image

from tests.outside.cases import (
    PAST_BFL,
    PAST_FAL,
    PAST_IDEOGRAM,
    PAST_OPENAI,
    PAST_STABILITY,
    Case,
    Outcome,
    Subject,
    run_all,
)

pytestmark = [pytest.mark.big, pytest.mark.xdist_group("outside")]

GPT = Subject("openai/gpt-image-2", "openai", "0.053")
AZURE = Subject("openai/gpt-image-2", "azure_openai", "0.053", detour=PAST_OPENAI)
AZURE_DALL_E = Subject("openai/dall-e-3", "azure_openai", "0.04", detour=PAST_OPENAI)
GEMINI = Subject("google/gemini-2.5-flash-image", "gemini", "0.039")
XAI = Subject("xai/grok-imagine-image", "xai", "0.02")
FLUX = Subject("fal/flux-1.1-pro", "fal", "0.04")
ULTRA = Subject("fal/flux-1.1-pro-ultra", "fal", "0.06")
CORE = Subject("stability/stable-image-core", "stability", "0.03")
XL = Subject("stable-diffusion-xl", "stability", "0.009")
IDEOGRAM = Subject("ideogram-v2", "ideogram", "0.08")
IDEOGRAM_3 = Subject("ideogram-v3", "ideogram", "0.06")

CASES = (
    Case(GPT, "default"),
    Case(Subject("gpt-image-1", "openai", "0.19", size="1536x1024"), "wide"),
    Case(GPT, "two-webp", n=2, delivered=2, body={"output_format": "webp", "user": "u"}),
    Case(
        Subject("openai/gpt-image-2.5-flare", "openai", "0.05268", size="1024x1024"),
        "every-field",
        body={
            "quality": "high",
            "background": "transparent",
            "moderation": "low",
            "output_format": "webp",
            "output_compression": 80,
            "user": "someone",
        },
    ),
    Case(
        Subject("openai/dall-e-3", "openai", "0.12", size="1792x1024"), "hd", body={"quality": "hd"}
    ),
    Case(Subject("openai/dall-e-3", "openai", "0.04"), "natural", body={"style": "natural"}),
    Case(Subject("openai/dall-e-2", "openai", "0.016", size="256x256"), "three", n=3, delivered=3),
    Case(AZURE, "default"),
    Case(AZURE, "webp", body={"output_format": "webp", "output_compression": 70}),
    Case(AZURE, "jpeg", n=2, delivered=2, body={"output_format": "jpeg", "quality": "medium"}),
    Case(AZURE_DALL_E, "url"),
    Case(Subject("google/imagen-4", "gemini", "0.04"), "five", n=5, delivered=5),
    Case(Subject("google/imagen-4-fast", "gemini", "0.02", size="1344x768"), "wide"),
    Case(Subject("google/imagen-4-ultra", "gemini", "0.06", size="768x1344"), "tall"),
    Case(Subject("google/imagen-4", "gemini", "0.04"), "jpeg", body={"output_format": "jpeg"}),
    Case(GEMINI, "two", n=2, delivered=2),
    Case(Subject("google/gemini-2.5-flash-image", "gemini", "0.039", size="1536x672"), "widest"),
    Case(Subject("google/gemini-3.1-flash-image", "gemini", "0.0672", size="1264x848"), "photo"),
    Case(Subject("google/gemini-3-pro-image", "gemini", "0.134", size="2048x2048"), "2k"),
    Case(Subject("xai/grok-2-image", "xai", "0.07", size="1024x768"), "fixed"),
    Case(XAI, "four", n=4, delivered=4, body={"user": "someone"}),
    Case(Subject("xai/grok-imagine-image", "xai", "0.02", size="1280x720"), "wide"),
    Case(Subject("xai/grok-imagine-image-2.0", "xai", "0.04"), "low", body={"quality": "low"}),
    Case(FLUX, "six", n=6, delivered=6, body={"seed": 7}),
    Case(
        Subject("fal/flux-1.1-pro", "fal", "0.04", size="1344x768"),
        "png",
        body={"output_format": "png"},
    ),
    Case(ULTRA, "square"),
    Case(Subject("fal/flux-1.1-pro-ultra", "fal", "0.06", size="2560x1440"), "wide"),
    Case(Subject("fal/flux-schnell", "fal", "0.003", size="512x512"), "two", n=2, delivered=2),
    Case(Subject("fal/recraft-v3", "fal", "0.04", size="768x1344"), "tall"),
    Case(Subject("fal/ideogram-v2", "fal", "0.08", size="1280x720"), "wide"),
    Case(Subject("fal/ideogram-v3", "fal", "0.06", size="1152x864"), "photo"),
    Case(Subject("fal/sd-3.5-large", "fal", "0.065"), "square"),
    Case(Subject("flux-dev", "fal", "0.025", size="1024x768", detour=PAST_BFL), "second-route"),
    Case(Subject("stable-diffusion-xl", "fal", "0.009", detour=PAST_STABILITY), "second-route"),
    Case(
        Subject("flux-1.1-pro", "bfl", "0.04", size="1344x768"), "wide", body={"moderation": "low"}
    ),
    Case(Subject("flux-1.1-pro", "bfl", "0.04", size="512x512"), "two", n=2, delivered=2),
    Case(Subject("flux-1.1-pro-ultra", "bfl", "0.06", size="3136x1344"), "widest"),
    Case(Subject("flux-1.1-pro-ultra", "bfl", "0.06"), "square", body={"output_format": "png"}),
    Case(Subject("flux-dev", "bfl", "0.025"), "seed", body={"seed": 11}),
    Case(Subject("flux-2-pro", "bfl", "0.075", size="2048x2048"), "large"),
    Case(Subject("flux-2-klein-4b", "bfl", "0.014"), "default"),
    Case(CORE, "webp", body={"output_format": "webp", "user": "me & you"}),
    Case(Subject("stability/stable-image-core", "stability", "0.03", size="1536x640"), "widest"),
    Case(Subject("stability/stable-image-ultra", "stability", "0.08", size="896x1088"), "tall"),
    Case(Subject("stability/sd-3.5-large", "stability", "0.065", size="1216x832"), "photo"),
    Case(
        Subject("sd-3.5-large-turbo", "stability", "0.04"), "webp", body={"output_format": "webp"}
    ),
    Case(Subject("sd-3.5-medium", "stability", "0.035", size="1344x768"), "seed", body={"seed": 3}),
    Case(XL, "three", n=3, delivered=3, body={"seed": 5}),
    Case(Subject("stable-diffusion-xl", "stability", "0.009", size="1152x896"), "photo"),
    Case(IDEOGRAM, "three", n=3, delivered=3, body={"seed": 9}),
    Case(Subject("ideogram-v2", "ideogram", "0.08", size="1248x832"), "photo"),
    Case(Subject("ideogram-v2-turbo", "ideogram", "0.05", size="576x1024"), "tall"),
    Case(IDEOGRAM_3, "two", n=2, delivered=2, body={"seed": 4}),
    Case(
        Subject("ideogram-v3", "ideogram", "0.09", size="1536x512"),
        "high",
        body={"quality": "high"},
    ),
    Case(
        Subject("ideogram-v3", "ideogram", "0.03", size="800x1280"), "low", body={"quality": "low"}
    ),
    Case(
        Subject("ideogram-v3", "fal", "0.06", size="1024x768", detour=PAST_IDEOGRAM), "second-route"
    ),
    Case(Subject("flux-1.1-pro-ultra", "fal", "0.06", detour=PAST_BFL), "second-route"),
    Case(Subject("fal/sd-3.5-large", "stability", "0.065", detour=PAST_FAL), "second-route"),
)


@pytest.fixture(scope="module")
def outcomes(outside, upstream) -> dict[Case, Outcome]:
    return run_all(CASES, outside, upstream)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_model_is_drawn_as_asked(case: Case, outcomes: dict[Case, Outcome]) -> None:
    outcome = outcomes[case]

    assert outcome.findings() == []
    assert {call["provider"] for call in outcome.calls if call["paid"]} == {case.subject.provider}
    assert sum(call["paid"] for call in outcome.calls) == case.n
    wanted = case.body.get("output_format")
    formats = {str(Image.open(io.BytesIO(data)).format).lower() for data in outcome.images}
    assert formats == {wanted} if wanted else len(formats) == 1
    assert "X-Dropped-Params" not in outcome.answer.headers or "user" in case.body
    if formats == {"png"} and "X-Image-Adjusted" not in outcome.answer.headers:
        sent = {digest for call in outcome.calls for digest in call["sha256"]}
        assert {hashlib.sha256(data).hexdigest() for data in outcome.images} <= sent


def test_costs_are_what_the_providers_charge(outcomes: dict[Case, Outcome]) -> None:
    """Tokens, ticks, credits and units as reported, else the price per image."""
    wanted = {
        "openai-openai.gpt-image-2-default": "0.05288",
        "azure_openai-openai.gpt-image-2-default": "0.05288",
        "openai-openai.dall-e-2-three": "0.048",
        "gemini-google.imagen-4-five": "0.2",
        "gemini-google.gemini-2.5-flash-image-two": "0.0774018",
        "xai-xai.grok-imagine-image-four": "0.08",
        "fal-fal.flux-1.1-pro-six": "0.24",
        "bfl-flux-1.1-pro-two": "0.08",
        "stability-stability.stable-image-core-webp": "0.03",
        "ideogram-ideogram-v2-three": "0.24",
        "ideogram-ideogram-v3-high": "0.09",
    }

    costs = {}
    for case, outcome in outcomes.items():
        if str(case) in wanted:
            micros = sum(attempt.cost_micros for attempt in outcome.attempts)
            costs[str(case)] = Decimal(micros) / 1_000_000

    assert costs == {
        name: Decimal(usd).quantize(Decimal("0.000001")) for name, usd in wanted.items()
    }
