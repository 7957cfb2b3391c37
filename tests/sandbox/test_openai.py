import base64
import hashlib
import json
import time
from typing import Any

import openai
import pytest
import requests

IMAGES = "images/generations"


@pytest.fixture
def client(sandbox):
    return openai.OpenAI(
        api_key="sk-test", base_url=f"{sandbox.url}/openai/v1", max_retries=0, timeout=10
    )


def decoded(item: Any) -> bytes:
    return base64.b64decode(item.b64_json)


def test_dall_e_2_answers_urls_of_distinct_pictures(client, opened):
    answer = client.images.generate(model="dall-e-2", prompt="a fox", n=3, size="256x256")

    files = [requests.get(item.url) for item in answer.data]
    assert [opened(file.content).size for file in files] == [(256, 256)] * 3
    assert {file.headers["Content-Type"] for file in files} == {"image/png"}
    assert len({hashlib.sha256(file.content).digest() for file in files}) == 3
    assert requests.get(answer.data[0].url).content == files[0].content
    assert answer.usage is None


def test_dall_e_3_answers_base64_and_a_revised_prompt(client, opened):
    answer = client.images.generate(
        model="dall-e-3", prompt="a fox", size="1792x1024", response_format="b64_json"
    )

    assert opened(decoded(answer.data[0])).size == (1792, 1024)
    assert "a fox" in answer.data[0].revised_prompt
    assert answer.data[0].url is None


def test_gpt_image_1_echoes_resolved_values_and_usage(client, opened):
    raw = client.images.with_raw_response.generate(
        model="gpt-image-1", prompt="a fox in snow", n=2, size="1536x1024", quality="high"
    )

    answer = raw.parse()
    assert [opened(decoded(item)).size for item in answer.data] == [(1536, 1024)] * 2
    assert (answer.size, answer.quality) == ("1536x1024", "high")
    assert (answer.background, answer.output_format) == ("opaque", "png")
    assert answer.usage.output_tokens == 2 * 6208
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["openai-version"] == "2020-10-01"
    assert int(raw.headers["x-ratelimit-remaining-requests"]) < 10_000
    assert int(raw.headers["openai-processing-ms"]) < 5000


def test_gpt_image_25_flare_draws_transparent_webp(client, opened):
    answer = client.images.generate(
        model="gpt-image-2.5-flare",
        prompt="a fox",
        background="transparent",
        output_format="webp",
        size="1024x768",
    )

    image = opened(decoded(answer.data[0]))
    assert (image.format, image.mode, image.size) == ("WEBP", "RGBA", (1024, 768))
    assert image.getpixel((0, 0))[3] == 0
    assert answer.background == "transparent"


def test_jpeg_is_delivered_as_jpeg(client, opened):
    answer = client.images.generate(model="gpt-image-1", prompt="a fox", output_format="jpeg")

    assert opened(decoded(answer.data[0])).format == "JPEG"


@pytest.mark.parametrize(
    ("model", "quality", "size", "tokens"),
    [
        ("gpt-image-2", "high", "1024x1024", 7024),
        ("gpt-image-2", "high", "1536x1024", 5488),
        ("gpt-image-2", "high", "2560x1440", 7370),
        ("gpt-image-2", "low", "1024x1024", 196),
        ("gpt-image-2", "medium", "1024x1024", 1756),
        ("gpt-image-2.5-flare", "xhigh", "1024x1024", 3122),
        ("gpt-image-2.5-flare", "medium", "1024x1536", 343),
        ("gpt-image-1-mini", "auto", "auto", 1056),
    ],
)
def test_usage_follows_the_published_token_rules(sandbox, model, quality, size, tokens):
    answer = sandbox.openai(model=model, prompt="x", quality=quality, size=size)

    assert answer.json()["usage"]["output_tokens"] == tokens


@pytest.mark.parametrize(
    ("body", "param", "code", "message"),
    [
        (
            {"model": "gpt-image-1", "size": "123x456"},
            "size",
            "invalid_value",
            (
                "Invalid size '123x456'. Supported sizes are 1024x1024, 1024x1536, 1536x1024, and"
                " auto."
            ),
        ),
        (
            {"model": "dall-e-2", "size": "1536x1024"},
            "size",
            "invalid_value",
            (
                "Invalid value: '1536x1024'. Supported values are: '256x256', '512x512', and"
                " '1024x1024'."
            ),
        ),
        (
            {"model": "gpt-image-2", "size": "1792x936"},
            "size",
            "invalid_value",
            "Invalid size '1792x936'. Width and height must both be divisible by 16.",
        ),
        (
            {"model": "gpt-image-1", "response_format": "url"},
            "response_format",
            "unknown_parameter",
            "Unknown parameter: 'response_format'.",
        ),
        ({"model": "dall-e-2", "style": "vivid"}, "style", "unknown_parameter", None),
        ({"model": "dall-e-3", "n": 2}, None, None, "You must provide n=1 for this model."),
        ({"model": "dall-e-2", "n": 11}, "n", "integer_above_max_value", None),
        ({"model": "dall-e-2", "n": "2"}, "n", "invalid_type", None),
        ({"model": "dall-e-2", "prompt": "x" * 1001}, "prompt", "string_above_max_length", None),
        ({"model": "dall-e-2", "prompt": None}, "prompt", "missing_required_parameter", None),
        ({"model": "gpt-image-1", "quality": "xhigh"}, "quality", "invalid_value", None),
        (
            {"model": "gpt-image-1", "background": "transparent", "output_format": "jpeg"},
            "background",
            "invalid_value",
            None,
        ),
        (
            {"model": "gpt-image-2", "background": "transparent"},
            "background",
            "invalid_value",
            "Transparent background is not supported for this model.",
        ),
        (
            {"model": "gpt-image-1", "output_compression": 50},
            "output_compression",
            "invalid_value",
            None,
        ),
    ],
)
def test_bad_parameters_get_the_real_error(sandbox, body, param, code, message):
    answer = sandbox.openai(**{"prompt": "a fox", **body})

    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["param"], error["code"]) == (param, code)
    assert message is None or error["message"] == message


def test_invalid_json_is_a_400(sandbox):
    answer = requests.post(
        f"{sandbox.url}/openai/v1/{IMAGES}", data=b"{", headers={"Authorization": "Bearer k"}
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_keys_are_checked(sandbox):
    bad = sandbox.openai(key="sk-bad", prompt="a fox")
    none = requests.post(f"{sandbox.url}/openai/v1/{IMAGES}", json={"prompt": "a fox"})

    assert (bad.status_code, bad.json()["error"]["code"]) == (401, "invalid_api_key")
    assert (none.status_code, none.json()["error"]["code"]) == (401, None)


def test_models_are_listed_and_unknown_ones_are_not_found(client):
    assert "gpt-image-2.5-flare" in [model.id for model in client.models.list()]
    assert client.models.retrieve("dall-e-3").id == "dall-e-3"
    with pytest.raises(openai.NotFoundError) as caught:
        client.images.generate(model="dall-e-9", prompt="a fox")
    assert caught.value.code == "model_not_found"


def test_retired_mode_answers_as_the_live_api(sandbox, client):
    sandbox.configure(openai={"retired": True})

    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="dall-e-3", prompt="a fox")
    assert "The model 'dall-e-3' does not exist." in caught.value.message
    assert caught.value.code == "invalid_value"
    assert "gpt-image-1" not in [model.id for model in client.models.list()]
    assert client.images.generate(model="gpt-image-2", prompt="a fox").data


@pytest.mark.parametrize(
    ("directive", "error", "code"),
    [
        ("status=400", openai.BadRequestError, None),
        ("status=401", openai.AuthenticationError, "invalid_api_key"),
        ("status=403", openai.PermissionDeniedError, None),
        ("status=404", openai.NotFoundError, "model_not_found"),
        ("status=429", openai.RateLimitError, "rate_limit_exceeded"),
        ("unfunded", openai.RateLimitError, "insufficient_quota"),
        ("status=500", openai.InternalServerError, None),
        ("status=502", openai.InternalServerError, None),
        ("status=503", openai.InternalServerError, None),
        ("refuse", openai.BadRequestError, "moderation_blocked"),
    ],
)
def test_directive_raises_the_client_error(client, directive, error, code):
    with pytest.raises(error) as caught:
        client.images.generate(model="gpt-image-1", prompt=f"a fox [[{directive}]]")

    assert caught.value.code == code
    assert caught.value.request_id.startswith("req_")


def test_refusals_differ_between_families(sandbox):
    gpt = sandbox.openai(model="gpt-image-1", prompt="a fox [[refuse=output]]").json()["error"]
    dall_e = sandbox.openai(model="dall-e-3", prompt="a fox [[refuse]]").json()["error"]

    assert gpt["moderation_details"] == {"moderation_stage": "output", "categories": ["violence"]}
    assert dall_e["code"] == "content_policy_violation"
    assert "moderation_details" not in dall_e


def test_times_limits_a_directive_to_the_first_calls(sandbox):
    prompt = "a fox [[status=429;retry_after=3;times=1]] [[status=500,times=2]]"

    answers = [sandbox.openai(prompt=prompt, size="256x256") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 500, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert "retry-after" not in answers[1].headers


def test_official_client_retries_to_success(sandbox):
    client = openai.OpenAI(api_key="k", base_url=f"{sandbox.url}/openai/v1", max_retries=1)

    client.images.generate(model="dall-e-2", prompt="a newt [[status=500;times=1]]", size="256x256")

    assert sandbox.calls("a newt") == 2


def test_empty_answer_has_no_images(client):
    assert client.images.generate(model="gpt-image-1", prompt="a fox [[empty]]").data == []


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("damage", ["corrupt", "corrupt=truncate", "corrupt=html"])
def test_corrupt_images_do_not_decode(client, opened, image_format, damage):
    answer = client.images.generate(
        model="gpt-image-1", prompt=f"a fox [[{damage}]]", output_format=image_format
    )

    with pytest.raises((OSError, SyntaxError)):
        opened(decoded(answer.data[0]))


def test_wrong_size_draws_another_size_than_echoed(client, opened):
    answer = client.images.generate(model="gpt-image-1", prompt="a fox [[wrong_size]]")

    assert answer.size == "1024x1024"
    assert opened(decoded(answer.data[0])).size != (1024, 1024)


def test_delay_and_hang_hold_the_answer(sandbox):
    started = time.monotonic()
    assert sandbox.openai(prompt="a fox [[delay=0.5]]", size="256x256").status_code == 200
    assert time.monotonic() - started >= 0.5

    with pytest.raises(requests.ReadTimeout):
        sandbox.openai(prompt="a hanging fox [[hang]]", timeout=0.3)
    assert sandbox.calls("a hanging fox") == 1


def test_drip_sends_a_byte_at_a_time(sandbox):
    started = time.monotonic()
    answer = requests.post(
        f"{sandbox.url}/openai/v1/{IMAGES}",
        json={"prompt": "a fox [[drip]]", "size": "256x256"},
        headers={"Authorization": "Bearer k"},
        stream=True,
        timeout=30,
    )

    first = answer.raw.read(2)
    answer.close()
    assert (answer.status_code, first) == (200, b'{"')
    # A byte each half a second: all of them would take far longer.
    assert 0.5 <= time.monotonic() - started < 20
    assert int(answer.headers["Content-Length"]) > 50


def test_stream_sends_partials_then_the_completed_image(client, opened):
    events = list(
        client.images.generate(
            model="gpt-image-1.5", prompt="a fox", stream=True, partial_images=2, quality="low"
        )
    )

    kinds = [event.type.removeprefix("image_generation.") for event in events]
    assert kinds == ["partial_image", "partial_image", "completed"]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert opened(decoded(events[2])).size == (1024, 1024)
    assert events[2].usage.output_tokens == 272 + 200


def test_enforced_limit_refuses_with_retry_after(sandbox):
    sandbox.configure(openai={"requests_per_minute": 2})

    answers = [sandbox.openai(key="sk-limited", prompt="a fox", size="256x256") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert json.loads(answers[2].content)["error"]["code"] == "rate_limit_exceeded"
