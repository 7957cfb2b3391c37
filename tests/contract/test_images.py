"""The official Python client makes images by changing `base_url` and `api_key`."""

import base64
import hashlib
import io
import re

import pytest
import requests
from PIL import Image

from tests.tenants import new_prompt, uuid_of

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
MODELS = [
    ("fal/flux-1.1-pro", "jpg"),
    ("openai/dall-e-3", "png"),
    ("openai/gpt-image-1", "png"),
]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def download(url):
    """Fetch an image as anybody would, without credentials; return bytes and path parts."""
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200
    found = re.search(rf"/({UUID})/({UUID})/0\.(png|jpg|webp)$", url)
    assert found is not None
    assert answer.headers["Content-Type"] == TYPES[found[3]]
    return answer.content, found.groups()


def pixels(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image.size


@pytest.mark.parametrize(("model", "extension"), MODELS)
def test_url_leads_to_the_upstreams_bytes(model, extension, client, tenant, stack):
    prompt = new_prompt()

    answer = client.images.with_raw_response.generate(
        model=model, prompt=prompt, size="1024x1024", response_format="url"
    )

    result = answer.parse()
    assert result.data is not None
    (item,) = result.data
    assert item.b64_json is None
    data, (organization, request, suffix) = download(item.url)
    assert suffix == extension
    assert pixels(data) == (1024, 1024)
    assert organization == str(tenant.organization_id)
    assert request == str(uuid_of(answer.headers["x-request-id"]))
    (call,) = stack.upstream.calls(prompt)
    assert [sha256(data)] == call["sha256"]
    (artifact,) = tenant.artifacts()
    assert bytes(artifact.sha256).hex() == call["sha256"][0]
    assert artifact.size_bytes == len(data)
    assert answer.headers["x-generation-id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(("model", "extension"), MODELS)
def test_base64_is_the_upstreams_bytes(model, extension, client, stack):
    prompt = new_prompt()

    result = client.images.generate(model=model, prompt=prompt, response_format="b64_json")

    (item,) = result.data
    assert item.url is None
    (call,) = stack.upstream.calls(prompt)
    assert [sha256(base64.b64decode(item.b64_json))] == call["sha256"]


def test_bare_gpt_image_model_answers_both_forms(client, stack):
    prompt = new_prompt()

    result = client.images.generate(model="gpt-image-1", prompt=prompt)

    (item,) = result.data
    data, _ = download(item.url)
    assert base64.b64decode(item.b64_json) == data
    assert (result.size, result.quality, result.output_format) == ("1024x1024", "medium", "png")
    assert result.background == "opaque"
    assert result.usage.total_tokens == 1068
    (call,) = stack.upstream.calls(prompt)
    assert call["body"]["quality"] == "medium"
    assert "response_format" not in call["body"]


def test_dall_e_3_tells_the_revised_prompt(client):
    prompt = new_prompt()

    result = client.images.generate(model="dall-e-3", prompt=prompt, style="natural", quality="hd")

    assert result.data[0].revised_prompt == f"Revised: {prompt}"


@pytest.mark.parametrize(
    ("parameters", "model"),
    [
        ({}, "dall-e-2"),
        ({"size": "256x256"}, "dall-e-2"),
        ({"background": "opaque"}, "gpt-image-1"),
        ({"size": "1536x1024"}, "gpt-image-1"),
    ],
)
def test_request_without_model_gets_openais_default(parameters, model, client, stack):
    prompt = new_prompt()

    result = client.images.generate(prompt=prompt, **parameters)

    (call,) = stack.upstream.calls(prompt)
    assert call["model"] == model
    data, _ = download(result.data[0].url)
    assert pixels(data) == tuple(map(int, parameters.get("size", "1024x1024").split("x")))


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("fal/flux-1.1-pro", "1024x768"),
        ("openai/dall-e-3", "1792x1024"),
        ("openai/gpt-image-1", "1024x1536"),
    ],
)
def test_requested_pixels_are_delivered(model, size, client):
    result = client.images.generate(model=model, prompt=new_prompt(), size=size)

    data, _ = download(result.data[0].url)
    assert "x".join(map(str, pixels(data))) == size


@pytest.mark.parametrize("word", ["webp", "jpeg"])
def test_requested_format_is_delivered(word, client):
    result = client.images.generate(
        model="openai/gpt-image-1", prompt=new_prompt(), output_format=word, output_compression=60
    )

    data, (*_, suffix) = download(result.data[0].url)
    assert Image.open(io.BytesIO(data)).format == word.upper()
    assert suffix == {"jpeg": "jpg"}.get(word, word)


def test_images_outlive_the_upstream(client, stack):
    prompt = new_prompt()
    results = [client.images.generate(model="dall-e-3", prompt=prompt) for _ in range(3)]
    sent = [call["sha256"][0] for call in stack.upstream.calls(prompt)]
    assert len(set(sent)) == 3

    stack.kill("upstream")
    try:
        kept = [sha256(download(result.data[0].url)[0]) for result in results]
    finally:
        stack.start_again("upstream")

    assert kept == sent


def test_no_answer_names_the_upstreams_address(client, stack):
    answer = client.images.with_raw_response.generate(model="fal/flux-1.1-pro", prompt=new_prompt())

    address = stack.upstream.url.removeprefix("http://")
    assert address not in answer.text
    assert address not in str(answer.headers)
