"""Edits and variations of the sandbox, through the official client."""

import base64
import io
from collections.abc import Callable
from typing import Any

import openai
import pytest
import requests
from PIL import Image

from tests.gateway.providers.inputs import picture, sha256
from tests.sandbox.conftest import Sandbox

RED = (200, 30, 30)
SIDE = (1024, 1024)


@pytest.fixture
def client(sandbox: Sandbox) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-test", base_url=f"{sandbox.url}/openai/v1", max_retries=0)


@pytest.fixture(params=["openai", "azure_openai"])
def either(request: pytest.FixtureRequest, sandbox: Sandbox) -> openai.OpenAI:
    if request.param == "openai":
        return openai.OpenAI(api_key="k", base_url=f"{sandbox.url}/openai/v1", max_retries=0)
    return openai.AzureOpenAI(
        api_key="k",
        azure_endpoint=f"{sandbox.url}/azure_openai",
        api_version="2025-04-01-preview",
        max_retries=0,
    )


def file(data: bytes, kind: str = "png") -> tuple[str, bytes, str]:
    return (f"a.{kind}", data, f"image/{kind}")


def drawn(answer: Any, opened: Callable[[bytes], Image.Image]) -> Image.Image:
    return opened(base64.b64decode(answer.data[0].b64_json)).convert("RGB")


def test_what_the_mask_protects_stays_and_the_rest_is_new(either, sandbox, opened):
    whole, mask = picture(SIDE, RED), picture(SIDE, hole=(256, 256, 511, 511))

    answer = either.images.edit(
        model="gpt-image-1", prompt="a hat", image=file(whole), mask=file(mask)
    )

    image = drawn(answer, opened)
    assert image.crop((0, 0, 1024, 256)).getcolors() == [(1024 * 256, RED)]
    assert image.crop((256, 512, 1024, 1024)).getcolors() == [(768 * 512, RED)]
    assert len(image.crop((256, 256, 512, 512)).getcolors(100_000) or []) > 1
    (call,) = log(sandbox, "a hat")
    assert (call["operation"], call["files"]) == ("edit", [sha256(whole), sha256(mask)])


def log(sandbox: Sandbox, contains: str) -> list[dict[str, Any]]:
    query = {"contains": contains}
    calls: list[dict[str, Any]] = requests.get(f"{sandbox.url}/_log", params=query).json()["calls"]
    return calls[-1:]


def test_images_without_a_mask_show_in_the_answer(client, opened):
    def edit(*colors: tuple[int, int, int]) -> Image.Image:
        images = [file(picture(SIDE, color, "jpeg"), "jpeg") for color in colors]
        return drawn(client.images.edit(model="gpt-image-2", prompt="x", image=images), opened)

    def mean(image: Image.Image, channel: int, box: tuple[int, int, int, int]) -> float:
        values = image.crop(box).getchannel(channel).histogram()
        return sum(level * count for level, count in enumerate(values)) / sum(values)

    corner, below = (0, 0, 170, 170), (0, 400, 1024, 600)
    red, green = edit((255, 0, 0)), edit((0, 255, 0), (0, 0, 255))

    assert mean(red, 0, below) > 160 > mean(green, 0, below)
    assert mean(green, 2, corner) > mean(red, 2, corner) + 40


@pytest.mark.parametrize(
    ("model", "fidelity", "size", "tokens"),
    [
        ("gpt-image-1", "low", (512, 512), 65 + 129),
        ("gpt-image-1.5", "high", (512, 512), 65 + 129 + 4160),
        ("gpt-image-1-mini", None, (4096, 1024), 65 + 4 * 129),
        ("gpt-image-2", None, (1024, 512), 65 + 2 * 129 + 6240),
    ],
)
def test_input_images_are_counted(client, model, fidelity, size, tokens):
    more = {} if fidelity is None else {"input_fidelity": fidelity}

    usage = client.images.edit(
        model=model, prompt="a hat", image=file(picture(size)), quality="low", **more
    ).usage

    assert usage.input_tokens_details.image_tokens == tokens
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.input_tokens == tokens + usage.input_tokens_details.text_tokens


def test_an_edit_streams(either):
    events = list(
        either.images.edit(
            model="gpt-image-1.5",
            prompt="a hat",
            image=file(picture()),
            stream=True,
            partial_images=2,
        )
    )

    assert [event.type for event in events] == [
        "image_edit.partial_image",
        "image_edit.partial_image",
        "image_edit.completed",
    ]
    assert events[-1].usage.input_tokens_details.image_tokens == 65 + 129


def test_dall_e_2_edits_and_varies(client, opened):
    image = file(picture((256, 256)))
    mask = file(picture((256, 256), hole=(0, 0, 99, 99)))

    edited = client.images.edit(
        model="dall-e-2", prompt="a", image=image, mask=mask, response_format="b64_json"
    )
    varied = client.images.create_variation(
        image=image, n=2, size="256x256", response_format="b64_json"
    )

    assert drawn(edited, opened).getpixel((1000, 600)) == RED
    assert len({item.b64_json for item in varied.data}) == 2
    assert drawn(varied, opened).size == (256, 256)


PNG = file(picture())
SMALL = {"model": "gpt-image-1", "image": PNG}


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": "gpt-image-1", "image": []}, "image", "missing_required_parameter"),
        ({**SMALL, "image": file(b"GIF89a")}, "image", "invalid_image_file"),
        ({**SMALL, "image": file(picture()[:100])}, "image", "invalid_image_file"),
        ({**SMALL, "image": file(b"")}, "image", "empty_image_file"),
        ({**SMALL, "image": ("a.pdf", b"%PDF", "application/pdf")}, "image", None),
        ({**SMALL, "image": [PNG] * 17}, "image", "array_above_max_length"),
        ({**SMALL, "mask": file(picture((32, 32), hole=(0, 0, 9, 9)))}, "mask", None),
        ({**SMALL, "mask": file(picture())}, "mask", "invalid_mask_image_format"),
        ({**SMALL, "mask": file(picture(kind="jpeg"), "jpeg")}, "mask", "invalid_image_file"),
        ({**SMALL, "input_fidelity": "medium"}, "input_fidelity", "invalid_value"),
        ({**SMALL, "model": "gpt-image-1-mini", "input_fidelity": "high"}, "input_fidelity", None),
        (
            {**SMALL, "model": "gpt-image-2", "input_fidelity": "high"},
            "input_fidelity",
            "invalid_input_fidelity_model",
        ),
        ({**SMALL, "extra_body": {"moderation": "low"}}, "moderation", "unknown_parameter"),
        ({**SMALL, "response_format": "url"}, "response_format", "unknown_parameter"),
        ({**SMALL, "n": 11}, "n", "integer_above_max_value"),
        ({**SMALL, "model": "dall-e-3"}, "model", "invalid_value"),
        ({**SMALL, "model": "dall-e-2", "input_fidelity": "low"}, "input_fidelity", None),
        ({**SMALL, "model": "dall-e-2", "image": [PNG, PNG]}, "image", "array_above_max_length"),
        ({"model": "dall-e-2", "image": file(picture((64, 32)))}, "image", "invalid_image_file"),
        ({"model": "dall-e-2", "image": file(picture(kind="webp"), "webp")}, "image", None),
    ],
)
def test_a_wrong_edit_is_refused(client, fields: dict[str, Any], param: str, code: str | None):
    with pytest.raises(openai.BadRequestError) as raised:
        client.images.edit(prompt="a hat", **fields)

    assert raised.value.param == param
    assert code is None or raised.value.code == code


def test_files_have_a_greatest_size(client):
    padded = picture() + bytes(50 * 1024 * 1024)
    heavy = io.BytesIO(picture() + bytes(4 * 1024 * 1024)).read()

    with pytest.raises(openai.BadRequestError, match="50MB"):
        client.images.edit(model="gpt-image-1", prompt="a", image=file(padded))
    with pytest.raises(openai.BadRequestError, match="4 MB"):
        client.images.create_variation(image=file(heavy))


@pytest.mark.parametrize(
    ("directive", "error"),
    [
        ("[[status=500]]", openai.InternalServerError),
        ("[[refuse]]", openai.BadRequestError),
        ("[[status=429;times=1]]", openai.RateLimitError),
    ],
)
def test_directives_count_in_edits(either, directive, error):
    with pytest.raises(error):
        either.images.edit(model="gpt-image-1", prompt=f"cut {directive}", image=PNG)


def test_azure_has_no_variations_and_no_webp(sandbox):
    azure = openai.AzureOpenAI(
        api_key="k",
        azure_endpoint=f"{sandbox.url}/azure_openai",
        api_version="2025-04-01-preview",
        max_retries=0,
    )
    with pytest.raises(openai.NotFoundError):
        azure.images.create_variation(model="gpt-image-1", image=PNG)  # type: ignore[deprecated]  # that is what is tested
    with pytest.raises(openai.BadRequestError):
        azure.images.edit(model="gpt-image-1", prompt="a", image=PNG, output_format="webp")
