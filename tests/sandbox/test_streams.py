"""Streams of the OpenAI protocol, and what directives make of them."""

import time

import openai
import pytest

PATHS = {"openai": "/openai/v1", "azure_openai": "/azure_openai/openai/v1"}


@pytest.fixture(params=sorted(PATHS))
def stream(request, sandbox):
    """Stream a picture with two partial images from either emulator."""
    client = openai.OpenAI(
        api_key="sk", base_url=f"{sandbox.url}{PATHS[request.param]}", max_retries=0, timeout=30
    )
    yield lambda prompt, **how: client.with_options(**how).images.generate(
        model="gpt-image-1.5", prompt=prompt, stream=True, partial_images=2
    )
    client.close()


def kinds(events):
    return [event.type.removeprefix("image_generation.") for event in events]


def test_partials_and_the_image_are_different_pictures(stream):
    events = list(stream("a fox"))

    assert kinds(events) == ["partial_image", "partial_image", "completed"]
    assert len({event.b64_json for event in events}) == 3
    assert events[-1].usage.output_tokens == 1056 + 200


def test_delay_is_spread_over_the_stream(stream):
    started = time.monotonic()
    times = [time.monotonic() - started for _ in stream("a fox [[delay=0.6]]")]

    assert times[0] >= 0.2
    assert times[1] >= 0.4
    assert times[2] >= 0.6


def test_hang_leaves_the_stream_after_its_first_partial(stream):
    events = stream("a fox [[hang=partial]]", timeout=3)

    assert next(events).partial_image_index == 0
    with pytest.raises(openai.APITimeoutError):
        next(events)


@pytest.mark.parametrize(
    ("directive", "type_", "code"),
    [
        ("[[status=500;at=partial]]", "server_error", None),
        ("[[refuse=output;at=partial]]", "image_generation_user_error", "moderation_blocked"),
    ],
)
def test_error_ends_the_stream_after_its_first_partial(stream, directive, type_, code):
    events = stream(f"a fox {directive}")

    assert next(events).partial_image_index == 0
    with pytest.raises(openai.APIError) as failed:
        next(events)
    assert (failed.value.type, failed.value.code) == (type_, code)


@pytest.mark.parametrize("directive", ["[[status=500]]", "[[refuse]]"])
def test_error_at_the_beginning_is_an_ordinary_answer(stream, directive):
    with pytest.raises(openai.APIStatusError):
        stream(f"a fox {directive}")
