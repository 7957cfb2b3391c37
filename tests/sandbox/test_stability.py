import base64
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import Sandbox

SDXL = "stable-diffusion-xl-1024-v1-0"
JSON = "application/json"


def v2(
    sandbox: Sandbox,
    service: str = "core",
    *,
    accept: str = JSON,
    key: str = "sk",
    timeout: float = 10,
    **fields: object,
) -> Any:
    parts = [(name, (None, str(value))) for name, value in fields.items()]
    return requests.post(
        f"{sandbox.url}/stability/v2beta/stable-image/generate/{service}",
        files=[*parts, ("none", ("upload", b""))],
        headers={"Authorization": f"Bearer {key}", "Accept": accept},
        timeout=timeout,
    )


def v1(sandbox: Sandbox, prompt: str = "a cat", *, accept: str = JSON, **fields: object) -> Any:
    return requests.post(
        f"{sandbox.url}/stability/v1/generation/{SDXL}/text-to-image",
        json={"text_prompts": [{"text": prompt, "weight": 1}], **fields},
        headers={"Authorization": "Bearer sk", "Accept": accept},
        timeout=10,
    )


@pytest.mark.parametrize(
    ("service", "fields", "size", "kind"),
    [
        ("core", {}, (1536, 1536), "PNG"),
        ("core", {"aspect_ratio": "16:9", "output_format": "webp"}, (2016, 1152), "WEBP"),
        ("ultra", {"aspect_ratio": "21:9", "output_format": "jpeg"}, (1536, 640), "JPEG"),
        ("sd3", {"model": "sd3.5-medium", "style_preset": "anime"}, (1024, 1024), "PNG"),
    ],
)
def test_form_is_answered_with_a_picture(sandbox: Sandbox, opened, service, fields, size, kind):
    answer = v2(sandbox, service, prompt="a cat", seed=7, **fields)

    body = answer.json()
    image = opened(base64.b64decode(body["image"]))
    assert (image.size, image.format) == (size, kind)
    assert (body["finish_reason"], body["seed"]) == ("SUCCESS", 7)
    assert answer.headers["content-type"] == f"application/json; type=image/{kind.lower()}"
    assert answer.headers["x-request-id"]


def test_bytes_are_the_default(sandbox: Sandbox, opened):
    answer = v2(sandbox, accept="image/*", prompt="a cat", seed=7, aspect_ratio="9:21")

    assert opened(answer.content).size == (960, 2304)
    assert answer.headers["content-type"] == "image/png"
    assert (answer.headers["finish-reason"], answer.headers["seed"]) == ("SUCCESS", "7")


def test_sdxl_draws_several(sandbox: Sandbox, opened):
    artifacts = v1(sandbox, width=1152, height=896, samples=3, seed=5).json()["artifacts"]

    images = [base64.b64decode(item["base64"]) for item in artifacts]
    assert {opened(data).size for data in images} == {(1152, 896)}
    assert len(set(images)) == 3
    assert {item["finishReason"] for item in artifacts} == {"SUCCESS"}


@pytest.mark.parametrize(
    ("service", "fields", "problem"),
    [
        ("core", {}, "prompt: is required"),
        ("core", {"prompt": "x" * 10_001}, "prompt: cannot be more than 10000 characters"),
        ("core", {"prompt": "x", "seed": "-1"}, "seed: must be an integer"),
        ("core", {"prompt": "x", "aspect_ratio": "4:3"}, "aspect_ratio: must be one of"),
        ("core", {"prompt": "x", "style_preset": "vivid"}, "style_preset: must be one of"),
        ("sd3", {"prompt": "x", "output_format": "webp"}, "output_format: must be one of"),
        ("sd3", {"prompt": "x", "model": "sd9"}, "model: must be one of"),
    ],
)
def test_wrong_field_is_refused(sandbox: Sandbox, service, fields, problem):
    answer = v2(sandbox, service, **fields)

    assert (answer.status_code, answer.json()["name"]) == (400, "bad_request")
    (found,) = answer.json()["errors"]
    assert found.startswith(problem)


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 1000, "height": 1000},
        {"samples": 11},
        {"steps": 9},
        {"seed": -1},
        {"text_prompts": []},
        {"text_prompts": [{"text": "x" * 2001}]},
        {"style_preset": "vivid"},
    ],
)
def test_wrong_value_is_refused_by_v1(sandbox: Sandbox, fields: dict[str, Any]):
    answer = v1(sandbox, **fields)

    assert (answer.status_code, answer.json()["name"]) == (400, "bad_request")
    assert answer.json()["message"]


def test_json_is_not_a_form(sandbox: Sandbox):
    answer = requests.post(
        f"{sandbox.url}/stability/v2beta/stable-image/generate/core",
        json={"prompt": "a cat"},
        headers={"Authorization": "Bearer sk"},
        timeout=10,
    )

    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("directive", "status", "name"),
    [
        ("[[refuse]]", 403, "content_moderation"),
        ("[[unfunded]]", 402, "payment_required"),
        ("[[status=401]]", 401, "unauthorized"),
        ("[[status=404]]", 404, "not_found"),
        ("[[status=429;retry_after=3]]", 429, "rate_limit_exceeded"),
        ("[[status=500]]", 500, "internal_error"),
    ],
)
def test_call_fails_on_request(sandbox: Sandbox, directive, status, name):
    answer = v2(sandbox, prompt=f"a cat {directive}")

    assert (answer.status_code, answer.json()["name"]) == (status, name)
    assert answer.headers.get("retry-after") == ("3" if "retry_after" in directive else None)


def test_v1_tells_a_filtered_prompt_apart(sandbox: Sandbox):
    answer = v1(sandbox, "a cat [[refuse]]")

    assert (answer.status_code, answer.json()["name"]) == (400, "invalid_prompts")


def test_filtered_images_come_with_200(sandbox: Sandbox):
    one = v2(sandbox, prompt="a cat [[nsfw]]")
    several = v1(sandbox, "a cat [[nsfw=first]]", samples=2)

    assert (one.status_code, one.json()["finish_reason"]) == (200, "CONTENT_FILTERED")
    assert [item["finishReason"] for item in several.json()["artifacts"]] == [
        "CONTENT_FILTERED",
        "SUCCESS",
    ]


def test_empty_answers(sandbox: Sandbox):
    assert v1(sandbox, "a cat [[empty]]").json() == {"artifacts": []}
    assert v2(sandbox, prompt="a cat [[empty]]").json()["image"] == ""


@pytest.mark.parametrize("key", ["", "bad-key"])
def test_key_is_needed(sandbox: Sandbox, key: str):
    answer = v2(sandbox, prompt="a cat", key=key)

    assert (answer.status_code, answer.json()["name"]) == (401, "unauthorized")


def test_call_never_ends_on_request(sandbox: Sandbox):
    with pytest.raises(requests.Timeout):
        v2(sandbox, prompt="a cat [[hang]]", timeout=0.7)


def test_unknown_services_are_not_found(sandbox: Sandbox):
    assert v2(sandbox, "turbo", prompt="a cat").status_code == 404


def test_balance_is_told(sandbox: Sandbox):
    url = f"{sandbox.url}/stability/v1/user/balance"

    answer = requests.get(url, headers={"Authorization": "Bearer sk"}, timeout=10)
    assert answer.json()["credits"] > 0
