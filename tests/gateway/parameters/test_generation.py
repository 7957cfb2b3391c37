"""From a JSON body to a checked request."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import AppError
from gateway.catalog.registry import catalog
from gateway.parameters.canonical import from_canonical, to_canonical
from gateway.parameters.generation import KNOWN_FIELDS, parse_generation


def parse(model: str | None = "fal/flux-1.1-pro", *, org_default=None, **fields: object):
    body = {"prompt": "a cat", **({} if model is None else {"model": model}), **fields}
    return parse_generation(body, default_model=org_default)


GPT, DALL_E_3, DALL_E_2, FLUX = "gpt-image-1", "dall-e-3", "dall-e-2", "fal/flux-1.1-pro"

COMPRESSION = ("output_compression", "invalid_value")

REFUSED = [
    (FLUX, {"model": 5}, "model", "invalid_value"),
    (FLUX, {"model": "no-such"}, "model", "model_not_found"),
    (FLUX, {"model": ""}, "model", "model_not_found"),
    (FLUX, {"prompt": None}, "prompt", "missing_required_parameter"),
    (FLUX, {"prompt": " \n\t"}, "prompt", "missing_required_parameter"),
    (FLUX, {"prompt": ["a"]}, "prompt", "invalid_value"),
    (FLUX, {"prompt": "a\0b"}, "prompt", "invalid_value"),
    (FLUX, {"prompt": "a\ud800b"}, "prompt", "invalid_value"),
    (FLUX, {"prompt": "x" * 4001}, "prompt", "invalid_value"),
    (DALL_E_3, {"prompt": "x" * 4001}, "prompt", "invalid_value"),
    (DALL_E_2, {"prompt": "x" * 1001}, "prompt", "invalid_value"),
    (GPT, {"prompt": "x" * 32001}, "prompt", "invalid_value"),
    (FLUX, {"n": 0}, "n", "invalid_value"),
    (FLUX, {"n": -1}, "n", "invalid_value"),
    (FLUX, {"n": 9}, "n", "invalid_value"),
    (FLUX, {"n": 10**18}, "n", "invalid_value"),
    (FLUX, {"n": True}, "n", "invalid_value"),
    (FLUX, {"n": 1.0}, "n", "invalid_value"),
    (FLUX, {"n": "1"}, "n", "invalid_value"),
    (GPT, {"n": 11}, "n", "invalid_value"),
    (DALL_E_2, {"n": 11}, "n", "invalid_value"),
    (DALL_E_3, {"n": 2}, "n", "invalid_value"),
    (FLUX, {"size": "1x1"}, "size", "invalid_value"),
    (FLUX, {"size": "1792x1024"}, "size", "invalid_value"),
    (FLUX, {"size": 1024}, "size", "invalid_value"),
    (FLUX, {"size": "1024X1024"}, "size", "invalid_value"),
    (FLUX, {"size": "1024x1024\n"}, "size", "invalid_value"),
    (FLUX, {"size": ""}, "size", "invalid_value"),
    (DALL_E_3, {"size": "512x512"}, "size", "invalid_value"),
    (DALL_E_2, {"size": "1792x1024"}, "size", "invalid_value"),
    (GPT, {"size": "1792x1024"}, "size", "invalid_value"),
    ("flux-dev", {"size": "768x1024"}, "size", "invalid_value"),
    ("gpt-image-2", {"size": "1000x1000"}, "size", "invalid_value"),
    ("gpt-image-2", {"size": "3856x1600"}, "size", "invalid_value"),
    ("gpt-image-2", {"size": "3840x2176"}, "size", "invalid_value"),
    ("gpt-image-2", {"size": "1040x624"}, "size", "invalid_value"),
    ("gpt-image-2", {"size": "1552x512"}, "size", "invalid_value"),
    (GPT, {"quality": "best"}, "quality", "invalid_value"),
    (GPT, {"quality": "max"}, "quality", "invalid_value"),
    (DALL_E_3, {"quality": "max"}, "quality", "invalid_value"),
    (FLUX, {"quality": 3}, "quality", "invalid_value"),
    (DALL_E_3, {"style": "grim"}, "style", "invalid_value"),
    (FLUX, {"style": 3}, "style", "invalid_value"),
    (FLUX, {"response_format": "png"}, "response_format", "invalid_value"),
    (FLUX, {"response_format": 1}, "response_format", "invalid_value"),
    (FLUX, {"output_format": "gif"}, "output_format", "invalid_value"),
    (FLUX, {"output_compression": 101}, "output_compression", "invalid_value"),
    (FLUX, {"output_compression": -1}, "output_compression", "invalid_value"),
    (FLUX, {"output_compression": False}, "output_compression", "invalid_value"),
    (GPT, {"output_compression": 99}, "output_compression", "invalid_value"),
    (DALL_E_3, {"output_compression": 9}, "output_compression", "invalid_value"),
    (FLUX, {"output_compression": 9, "output_format": "png"}, *COMPRESSION),
    (GPT, {"background": "blue"}, "background", "invalid_value"),
    (FLUX, {"background": "blue"}, "background", "invalid_value"),
    (FLUX, {"background": "transparent"}, "background", "unsupported_value"),
    (DALL_E_3, {"background": "transparent"}, "background", "unsupported_value"),
    (GPT, {"background": "transparent", "output_format": "jpeg"}, "background", "invalid_value"),
    (GPT, {"moderation": "none"}, "moderation", "invalid_value"),
    (GPT, {"stream": True, "n": 2}, "n", "invalid_value"),
    (FLUX, {"stream": True, "n": 2}, "n", "invalid_value"),
    (FLUX, {"stream": 1}, "stream", "invalid_value"),
    (FLUX, {"stream": "true"}, "stream", "invalid_value"),
    (GPT, {"stream": True, "partial_images": 4}, "partial_images", "invalid_value"),
    (FLUX, {"partial_images": True}, "partial_images", "invalid_value"),
    (FLUX, {"seed": -1}, "seed", "invalid_value"),
    (FLUX, {"seed": 2**31}, "seed", "invalid_value"),
    (FLUX, {"seed": True}, "seed", "invalid_value"),
    (FLUX, {"seed": 1e300}, "seed", "invalid_value"),
    (FLUX, {"user": 7}, "user", "invalid_value"),
    (FLUX, {"user": "u\0"}, "user", "invalid_value"),
    (FLUX, {"user": "u" * 513}, "user", "invalid_value"),
    (FLUX, {"max_cost": 1}, "max_cost", "invalid_value"),
    (FLUX, {"max_cost": "1e3"}, "max_cost", "invalid_value"),
    (FLUX, {"max_cost": "-1"}, "max_cost", "invalid_value"),
    (FLUX, {"max_cost": "NaN"}, "max_cost", "invalid_value"),
    (FLUX, {"max_cost": "0.1234567"}, "max_cost", "invalid_value"),
    (FLUX, {"max_cost": ""}, "max_cost", "invalid_value"),
    (FLUX, {"quote_id": 1}, "quote_id", "invalid_value"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "n"), [(GPT, 10), (DALL_E_2, 10), (DALL_E_3, 1), (FLUX, 8)])
def test_as_many_images_as_the_model_allows_are_taken(model, n):
    assert parse(model, n=n).n == n


@pytest.mark.parametrize(("model", "fields", "param", "code"), REFUSED)
def test_wrong_value_is_refused(model, fields, param, code):
    with pytest.raises(AppError) as refused:
        parse_generation({"model": model, "prompt": "a cat", **fields}, default_model=None)
    assert (refused.value.param, refused.value.code) == (param, code)
    refused.value.message.encode()


@pytest.mark.parametrize("body", [None, [], "x", 5, True])
def test_body_that_is_no_object_is_refused(body):
    with pytest.raises(AppError) as refused:
        parse_generation(body, default_model=None)
    assert refused.value.code == "invalid_json"


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        (FLUX, 4000), (DALL_E_3, 4000), (DALL_E_2, 1000), ("openai/dall-e-2", 1000),
        (GPT, 32000), ("openai/gpt-image-1", 32000), ("gpt-image-2", 32000), ("imagen-4", 4000),
    ],
)  # fmt: skip
def test_prompt_limit_counts_code_points(model, limit):
    assert parse(model, prompt="🐈" * limit).prompt == "🐈" * limit
    with pytest.raises(AppError):
        parse(model, prompt="x" * (limit + 1))


@pytest.mark.parametrize("model", [model.id for model in catalog().models()])
def test_absent_means_the_defaults(model):
    request = parse(model)
    entry = request.model
    assert request.requested_model == entry.id == model
    assert (request.n, request.size) == (1, entry.default_size)
    assert request.quality == entry.default_quality
    assert (request.output_compression, request.dropped) == (100, ())
    bare_gpt = model.startswith("gpt-image")
    assert request.response_format == ("both" if bare_gpt else "url")
    assert request.output_format == ("png" if "gpt-image" in model or "dall-e" in model else None)


@pytest.mark.parametrize("model", [model.id for model in catalog().models()])
def test_defaults_sent_explicitly_are_valid_and_not_dropped(model):
    explicit = {
        "n": 1, "size": "auto", "quality": "auto", "style": "vivid", "background": "auto",
        "moderation": "auto", "output_compression": 100, "stream": False, "partial_images": 0,
        "response_format": "url",
    }  # fmt: skip
    assert parse(model, **explicit).dropped == ()


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({}, DALL_E_2),
        ({"n": None, "size": "512x512"}, DALL_E_2),
        ({"background": "auto", "moderation": "auto", "stream": False}, DALL_E_2),
        ({"output_format": "png", "output_compression": 100, "partial_images": 0}, DALL_E_2),
        ({"quality": "standard"}, DALL_E_2),
        ({"background": "opaque"}, GPT),
        ({"moderation": "low"}, GPT),
        ({"output_format": "webp"}, GPT),
        ({"output_format": "jpeg", "output_compression": 50}, GPT),
        ({"partial_images": 2}, GPT),
        ({"stream": True}, GPT),
        ({"quality": "low"}, GPT),
        ({"quality": "medium"}, GPT),
        ({"quality": "high"}, GPT),
        ({"size": "1536x1024"}, GPT),
        ({"size": "1024x1536"}, GPT),
    ],
)
def test_model_is_chosen_by_the_parameters(fields, model):
    request = parse(None, **fields)
    assert request.requested_model == model
    assert request.response_format == ("both" if model == GPT else "url")


def test_organization_default_comes_before_the_rule():
    assert parse(None, org_default="fal/recraft-v3", quality="high").model.key == "recraft-v3"
    assert parse("flux-dev", org_default="fal/recraft-v3").model.key == "flux-dev"


@pytest.mark.parametrize(
    ("model", "sent", "resolved"),
    [
        (GPT, "hd", "high"), (GPT, "standard", "medium"), (GPT, "auto", "medium"),
        ("openai/gpt-image-1", "hd", "high"), ("gpt-image-2.5-flare", "max", "max"),
        (DALL_E_3, "high", "hd"), (DALL_E_3, "medium", "standard"), (DALL_E_3, "low", "standard"),
        (DALL_E_3, "auto", "standard"), (DALL_E_2, "standard", "standard"),
    ],
)  # fmt: skip
def test_quality_alias_is_resolved(model, sent, resolved):
    request = parse(model, quality=sent)
    assert (request.quality, request.dropped) == (resolved, ())


@pytest.mark.parametrize(
    ("model", "fields", "dropped"),
    [
        (FLUX, {"quality": "hd"}, ("quality",)),
        (FLUX, {"quality": "anything"}, ("quality",)),
        (DALL_E_2, {"quality": "hd"}, ("quality",)),
        (FLUX, {"style": "natural"}, ("style",)),
        (FLUX, {"moderation": "low"}, ()),
        ("recraft-v3", {"moderation": "low"}, ("moderation",)),
        (FLUX, {"background": "opaque"}, ("background",)),
        (GPT, {"seed": 4}, ("seed",)),
        (GPT, {"partial_images": 2}, ("partial_images",)),
        (GPT, {"partial_images": 2, "stream": True}, ()),
        (FLUX, {"partial_images": 2, "stream": True}, ("partial_images",)),
        (FLUX, {"stream": True}, ()),
        ("xai/grok-2-image", {"size": "1024x1024"}, ("size",)),
        ("xai/grok-2-image", {"size": "1024x768"}, ()),
        (FLUX, {"negative_prompt": "dogs", "steps": 4}, ("negative_prompt", "steps")),
        (FLUX, {"negative_prompt": None}, ()),
        (FLUX, {"bad name": 1, "tab\t": 1, "é": 1, "": 1, "x" * 65: 1, "ok": 1}, ("ok",)),
        (FLUX, {"x" * 64: 1}, ("x" * 64,)),
    ],
)
def test_unknown_parameter_is_dropped_and_named(model, fields, dropped):
    assert parse(model, **fields).dropped == dropped


def test_at_most_twenty_dropped_names():
    names = [f"p{index}" for index in range(30)]
    body = {"model": FLUX, "prompt": "a cat", **dict.fromkeys(names, 1)}
    assert parse_generation(body, default_model=None).dropped == tuple(names[:20])


@pytest.mark.parametrize("size", ["1536x864", "3840x2160", "1024x640", "1536x512", "2560x1440"])
@pytest.mark.parametrize("model", ["gpt-image-2", "gpt-image-2-2026-04-21"])
def test_free_size_is_kept(model, size):
    assert str(parse(model, size=size).size) == size


def test_formats_and_backgrounds_are_resolved():
    transparent = parse(GPT, background="transparent", output_format="webp")
    assert (transparent.background, transparent.output_format) == ("transparent", "webp")
    assert parse(GPT, background="auto").background == "opaque"
    assert parse(GPT, response_format="url").response_format == "url"
    assert parse(FLUX, response_format="b64_json").response_format == "b64_json"
    implied = parse(FLUX, output_compression=60)
    assert (implied.output_format, implied.output_compression) == ("jpeg", 60)
    assert parse(FLUX, max_cost="0.84").max_cost == Decimal("0.84")
    assert parse(FLUX, user="").user is None


@pytest.mark.parametrize("model", [model.id for model in catalog().models()])
def test_canonical_form_survives_json(model):
    request = parse(
        model, seed=3, user="u", max_cost="1.50", style="natural", other=1,
        stream=True, partial_images=3,
    )  # fmt: skip
    assert from_canonical(json.loads(json.dumps(to_canonical(request)))) == request


def test_row_of_before_streams_is_read():
    stored = to_canonical(parse(GPT))
    del stored["stream"], stored["partial_images"]
    assert from_canonical(stored) == parse(GPT)


_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(KNOWN_FIELDS)) | st.text(), _values),
    st.sampled_from([model.id for model in catalog().models()]),
)
def test_any_body_is_parsed_or_refused_by_name(body, model):
    try:
        request = parse_generation({"model": model, "prompt": "a cat", **body}, default_model=None)
    except AppError as refused:
        named = refused.param
    else:
        json.dumps(to_canonical(request))
        named = "prompt"
    assert named in KNOWN_FIELDS
