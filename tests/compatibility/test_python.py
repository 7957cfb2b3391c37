"""The official Python client in the ways that its users differ in."""

import asyncio
import base64
import hashlib
import io
import time

import openai
import pytest
from PIL import Image

from tests.stack import wait_until
from tests.tenants import new_prompt

# Letters of one to four bytes, of both directions, composed and joined ones, and a line break.
LETTERS = (
    'Ñandú “café” Ærø 東京 קפה ☕️ 👩🏽\u200d🚀 e\u0301 𠜎\nline "two" \\ <b> & %20 \u2028 \u00a0'
)
IGNORED = {"seed", "extra_thing", "partial_images", "background"}
NULLS = dict.fromkeys(("n", "size", "quality", "style", "response_format", "background", "stream"))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_nulls_count_as_absent(client, tenant, stack):
    prompt = new_prompt()

    result = client.images.generate(model="dall-e-3", prompt=prompt, **NULLS)

    assert result.data[0].url.startswith(stack.url)
    (call,) = stack.upstream.calls(prompt)
    assert None not in call["body"].values()
    assert tenant.balance() == ("9.958", "0.00")


def test_null_model_is_openais_default(client, stack):
    prompt = new_prompt()

    client.images.generate(model=None, prompt=prompt)

    (call,) = stack.upstream.calls(prompt)
    assert call["model"] == "dall-e-2"


def test_fields_that_the_model_does_not_know_are_named(client, stack):
    prompt = new_prompt()

    answer = client.images.with_raw_response.generate(
        model="dall-e-3",
        prompt=prompt,
        partial_images=2,
        background="opaque",
        extra_body={"seed": 7, "extra_thing": {"deep": [1]}},
    )

    assert set(answer.headers["x-dropped-params"].replace(" ", "").split(",")) == IGNORED
    assert answer.parse().data
    (call,) = stack.upstream.calls(prompt)
    assert not IGNORED & set(call["body"])


@pytest.mark.parametrize("model", ["dall-e-3", "gpt-image-1", "fal/flux-1.1-pro"])
def test_prompt_reaches_the_upstream_letter_by_letter(model, client, tenant, stack):
    prompt = new_prompt(LETTERS)

    client.images.generate(model=model, prompt=prompt)

    (call,) = stack.upstream.calls(prompt.rsplit(" ", 1)[1])
    assert call["prompt"] == prompt
    (generation,) = tenant.generations()
    looked_up = client.get(f"/images/generations/req_{generation.id.hex}", cast_to=object)
    assert looked_up["prompt"] == prompt


@pytest.mark.parametrize(
    ("model", "limit"), [("gpt-image-1", 32_000), ("dall-e-3", 4_000), ("dall-e-2", 1_000)]
)
@pytest.mark.parametrize("letter", ["a", "🦙"])
def test_longest_prompt_passes_and_a_longer_one_is_refused(model, limit, letter, client, stack):
    mark = new_prompt("")
    prompt = letter * (limit - len(mark)) + mark

    client.images.generate(model=model, prompt=prompt)
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model=model, prompt=prompt + letter)

    (call,) = stack.upstream.calls(mark)
    assert call["prompt"] == prompt
    assert refused.value.param == "prompt"
    assert str(limit) in refused.value.message.replace(",", "")


def test_raw_answer_has_the_headers(client, tenant):
    answer = client.images.with_raw_response.generate(
        model="dall-e-2", prompt=new_prompt(), n=2, extra_headers={"X-Client-Request-Id": "mine"}
    )

    result = answer.parse()
    assert answer.status_code == 200
    assert result._request_id == answer.headers["x-request-id"]
    assert answer.headers["x-generation-id"].startswith("req_")
    assert (answer.headers["x-cost"], answer.headers["x-cost-currency"]) == ("0.042", "USD")
    assert answer.headers["x-images-delivered"] == "2"
    (generation,) = tenant.generations()
    assert generation.client_request_id == "mine"


def test_answer_is_read_while_it_comes(client, stack):
    prompt = new_prompt()

    with client.images.with_streaming_response.generate(
        model="dall-e-3", prompt=prompt, response_format="b64_json"
    ) as answer:
        length = int(answer.headers["content-length"])
        pieces = list(answer.iter_bytes(1_024))

    assert len(pieces) > 1
    assert sum(map(len, pieces)) == length
    (call,) = stack.upstream.calls(prompt)
    encoded = b"".join(pieces).split(b'"b64_json":"')[1].split(b'"')[0]
    assert [sha256(base64.b64decode(encoded))] == call["sha256"]


def test_asynchronous_client_has_images_and_streams_side_by_side(tenant, stack):
    prompt = new_prompt()

    async def ask():
        async with openai.AsyncOpenAI(
            api_key=tenant.key, base_url=f"{stack.url}/v1", timeout=60
        ) as client:
            images = [client.images.generate(model="dall-e-3", prompt=prompt) for _ in range(4)]
            return await asyncio.gather(*images, streamed(client))

    async def streamed(client):
        stream = await client.images.generate(
            model="gpt-image-1", prompt=prompt, stream=True, partial_images=3
        )
        return [event async for event in stream]

    *results, events = asyncio.run(ask())

    assert len({result.data[0].url for result in results}) == 4
    sizes = [Image.open(io.BytesIO(base64.b64decode(event.b64_json))).size for event in events]
    assert sizes == [(1024, 1024)] * 4
    assert events[-1].type == "image_generation.completed"
    assert len(stack.upstream.calls(prompt)) == 5
    assert tenant.balance() == ("9.6325", "0.00")


def test_stream_is_saved_as_four_images(client, tmp_path):
    stream = client.images.generate(
        model="gpt-image-1", prompt=new_prompt(), stream=True, partial_images=3
    )
    for number, event in enumerate(stream):
        (tmp_path / f"{number}.png").write_bytes(base64.b64decode(event.b64_json))

    saved = sorted(tmp_path.iterdir())
    assert len({sha256(path.read_bytes()) for path in saved}) == 4
    for path in saved:
        with Image.open(path) as image:
            image.load()


@pytest.mark.parametrize("kind", ["again", "by_itself"])
def test_client_that_gives_up_too_early_pays_once(kind, client, tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    ask = {"model": "dall-e-3", "prompt": prompt}

    hasty = client.with_options(timeout=0.5, max_retries=0 if kind == "again" else 1)
    with pytest.raises(openai.APITimeoutError):
        hasty.images.generate(**ask)
    stack.upstream.wait_for_call(prompt)
    stack.upstream.release(prompt)
    result = client.images.generate(**ask)

    (call,) = stack.upstream.calls(prompt)
    assert [item.url for item in result.data] == [url_of(client, tenant)]
    assert len(call["sha256"]) == len(tenant.artifacts()) == 1
    assert tenant.balance() == ("9.958", "0.00")


def test_stream_that_is_given_up_goes_on_and_pays_once(client, tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True, after=1)
    ask = {"model": "gpt-image-1", "prompt": prompt, "stream": True, "partial_images": 3}
    with pytest.raises(openai.APITimeoutError):
        list(client.with_options(timeout=0.5, max_retries=0).images.generate(**ask))
    stack.upstream.wait_for_call(prompt)
    stack.upstream.release(prompt)

    *_, completed = client.images.generate(**ask)

    assert completed.type == "image_generation.completed"
    assert len(stack.upstream.calls(prompt)) == 1
    wait_until(lambda: tenant.balance() == ("9.8005", "0.00"), "one charge")


def url_of(client, tenant):
    (generation,) = tenant.generations()
    looked_up = client.get(f"/images/generations/req_{generation.id.hex}", cast_to=object)
    return looked_up["data"][0]["url"]


def test_models_are_objects_of_the_client(client):
    started = time.time()

    models = {model.id: model for model in client.models.list()}

    assert {"fal/flux-1.1-pro", "flux-1.1-pro", "dall-e-3"} <= set(models)
    one = client.models.retrieve("fal/flux-1.1-pro")
    assert (one.id, one.object) == ("fal/flux-1.1-pro", "model")
    assert 0 < one.created <= started
    assert one.owned_by
