"""OpenAI's client, which xAI's documentation uses for its API, against the emulator of xAI."""

import base64

import openai
import pytest
import requests

MODEL = "grok-imagine-image"


def xai(sandbox, key="xai-key"):
    return openai.OpenAI(api_key=key, base_url=f"{sandbox.url}/xai/v1", max_retries=0, timeout=10)


@pytest.fixture
def client(sandbox):
    return xai(sandbox)


def test_client_gets_base64_of_the_ratio(sandbox, client, opened):
    answer = client.images.generate(
        model=MODEL,
        prompt="a grokked fox",
        n=2,
        response_format="b64_json",
        extra_body={"aspect_ratio": "16:9", "resolution": "1k"},
    )

    images = [opened(base64.b64decode(item.b64_json)) for item in answer.data]
    assert [(image.format, image.size) for image in images] == [("JPEG", (1408, 768))] * 2
    assert [item.respect_moderation for item in answer.data] == [True, True]
    assert answer.data[0].revised_prompt == ""
    assert answer.usage.cost_in_usd_ticks == 2 * 200_000_000
    assert sandbox.calls("a grokked fox", provider="xai") == 1


def test_client_gets_urls_by_default(client, opened):
    answer = client.images.generate(model="grok-2-image", prompt="a fox", user="u1")

    file = requests.get(answer.data[0].url)
    assert "a fox" in answer.data[0].revised_prompt
    assert answer.data[0].mime_type == file.headers["Content-Type"] == "image/jpeg"
    assert opened(file.content).size == (1024, 768)


@pytest.mark.parametrize(
    ("ratio", "resolution", "size"),
    [
        ("1:1", "2k", (2048, 2048)),
        ("2:3", "1k", (864, 1296)),
        ("16:9", "2k", (2048, 1120)),
        ("auto", "1k", (1024, 1024)),
    ],
)
def test_pixels_follow_ratio_and_resolution(client, opened, ratio, resolution, size):
    answer = client.images.generate(
        model=MODEL, prompt="a fox", extra_body={"aspect_ratio": ratio, "resolution": resolution}
    )

    assert opened(requests.get(answer.data[0].url).content).size == size


@pytest.mark.parametrize(
    ("quality", "ticks"), [("low", 400_000_000), ("medium", 600_000_000), ("high", 800_000_000)]
)
def test_quality_of_2_0_has_its_price(client, quality, ticks):
    answer = client.images.generate(model="grok-imagine-image-2.0", prompt="a fox", quality=quality)

    assert answer.usage.cost_in_usd_ticks == ticks


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": MODEL, "size": "1024x1024"}, "Argument not supported: size"),
        ({"model": MODEL, "style": "vivid"}, "Argument not supported: style"),
        ({"model": MODEL, "quality": "low"}, "Argument not supported: quality"),
        ({"model": MODEL, "n": 11}, "n must be between 1 and 10."),
        ({"model": MODEL, "prompt": " "}, "Prompt cannot be empty."),
    ],
)
def test_argument_that_cannot_be_is_a_400(client, body, message):
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(**{"prompt": "a fox", **body})

    assert caught.value.body == message


@pytest.mark.parametrize("more", [{"aspect_ratio": "5:1"}, {"resolution": "4k"}, {"n": "two"}])
def test_value_that_does_not_decode_is_a_422_in_text(sandbox, more):
    answer = requests.post(
        f"{sandbox.url}/xai/v1/images/generations",
        json={"model": MODEL, "prompt": "a fox", **more},
        headers={"Authorization": "Bearer k"},
    )

    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.text.startswith("Failed to deserialize the JSON body into the target type: ")


def test_wrong_key_is_a_400_and_a_missing_one_a_401(sandbox):
    with pytest.raises(openai.BadRequestError) as caught:
        xai(sandbox, key="bad-key").images.generate(model=MODEL, prompt="a fox")
    missing = requests.post(f"{sandbox.url}/xai/v1/images/generations", json={})

    assert "Incorrect API key provided: ba***ey." in str(caught.value.body)
    assert missing.status_code == 401


@pytest.mark.parametrize(
    ("directive", "error", "message"),
    [
        ("unfunded", openai.PermissionDeniedError, "used all available credits"),
        ("status=401", openai.AuthenticationError, "API key"),
        ("status=403", openai.PermissionDeniedError, "blocked"),
        ("status=404", openai.NotFoundError, "does not exist"),
        ("status=429", openai.RateLimitError, "Too many requests"),
        ("status=503", openai.InternalServerError, "overloaded"),
        ("refuse", openai.BadRequestError, "usage guidelines"),
        ("refuse=output", openai.BadRequestError, "rejected by content moderation"),
    ],
)
def test_directive_raises_the_client_error(client, directive, error, message):
    with pytest.raises(error) as caught:
        client.images.generate(model=MODEL, prompt=f"a fox [[{directive}]]")

    assert message in caught.value.body


def test_image_refused_after_drawing_has_its_cost(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model=MODEL, prompt="a fox [[refuse=output]]")

    assert caught.value.response.json()["usage"] == {"cost_in_usd_ticks": 200_000_000}


def test_withheld_images_are_empty_and_flagged(client):
    answer = client.images.generate(
        model=MODEL, prompt="a fox [[nsfw=first]]", n=2, response_format="b64_json"
    )
    none = client.images.generate(model=MODEL, prompt="a fox [[empty]]")

    first, second = answer.data
    assert (first.b64_json, first.respect_moderation) == ("", False)
    assert second.b64_json
    assert none.data == []


def test_limit_and_retirement_are_enforced(sandbox):
    client = xai(sandbox, key="limited")
    sandbox.configure(xai={"requests_per_minute": 1, "retired": True})

    with pytest.raises(openai.NotFoundError):
        client.images.generate(model="grok-2-image", prompt="a fox")
    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(model=MODEL, prompt="a fox")
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60
