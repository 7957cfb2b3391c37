"""The official Python client streams as it does from OpenAI."""

import base64
import hashlib
import io

import openai
import pytest
from PIL import Image

from tests.tenants import new_prompt

BLOCKED = {"message": "No.", "type": "image_generation_user_error", "code": "moderation_blocked"}


def test_three_partials_and_the_image(client, tenant, stack):
    prompt = new_prompt()

    stream = client.images.generate(
        model="gpt-image-1", prompt=prompt, stream=True, partial_images=3, quality="low"
    )

    events = list(stream)
    kinds = [event.type.removeprefix("image_generation.") for event in events]
    assert kinds == ["partial_image"] * 3 + ["completed"]
    images = [base64.b64decode(event.b64_json) for event in events]
    assert [Image.open(io.BytesIO(data)).size for data in images] == [(1024, 1024)] * 4
    (call,) = stack.upstream.calls(prompt)
    sent = [digest for digest, _ in call["partials"]] + call["sha256"]
    assert [hashlib.sha256(data).hexdigest() for data in images] == sent
    assert [event.partial_image_index for event in events[:3]] == [0, 1, 2]
    *_, completed = events
    assert (completed.quality, completed.size) == ("low", "1024x1024")
    assert (completed.background, completed.output_format) == ("opaque", "png")
    assert completed.usage.total_tokens == completed.usage.input_tokens + 1356
    assert completed.usage.input_tokens_details.text_tokens == 12
    assert completed.url.startswith(stack.url)
    assert completed.cost == {"amount": "0.1995", "currency": "USD"}
    assert tenant.balance() == ("9.8005", "0.00")


@pytest.mark.parametrize("model", ["fal/flux-1.1-pro", "openai/dall-e-3"])
def test_any_model_may_be_streamed(model, client):
    *_, completed = client.images.generate(model=model, prompt=new_prompt(), stream=True)

    assert completed.type == "image_generation.completed"
    assert Image.open(io.BytesIO(base64.b64decode(completed.b64_json))).size == (1024, 1024)
    assert completed.usage.total_tokens == 0


def test_stream_without_model_is_of_a_gpt_image_model(client, stack):
    prompt = new_prompt()

    *_, completed = client.images.generate(prompt=prompt, stream=True)

    assert completed.usage.output_tokens == 1056
    (call,) = stack.upstream.calls(prompt)
    assert call["model"] == "gpt-image-1"


def test_wrong_request_raises_as_ever(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model="gpt-image-1", prompt=new_prompt(), stream=True, n=2)

    assert refused.value.param == "n"


def test_failure_in_the_stream_is_raised_by_its_iterator(client, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, after=1, status=400, body={"error": BLOCKED})
    stream = client.images.generate(
        model="gpt-image-1", prompt=prompt, stream=True, partial_images=2
    )
    assert next(stream).type == "image_generation.partial_image"

    with pytest.raises(openai.APIError) as failed:
        next(stream)

    assert failed.value.code == "moderation_blocked"
    assert failed.value.type == "invalid_request_error"


def test_stream_that_is_closed_goes_on_and_can_be_looked_up(client, tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True, after=1)
    stream = client.images.generate(
        model="gpt-image-1", prompt=prompt, stream=True, partial_images=2
    )
    assert next(stream).partial_image_index == 0
    generation = stream.response.headers["X-Generation-Id"]
    stream.close()
    stack.upstream.release(prompt)

    stream = client.get(
        f"/images/generations/{generation}?stream=true",
        cast_to=openai.types.ImageGenStreamEvent,
        stream=True,
        stream_cls=openai.Stream[openai.types.ImageGenStreamEvent],
    )

    *_, completed = stream
    assert completed.type == "image_generation.completed"
    assert tenant.balance() == ("9.8005", "0.00")
