import threading
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.sandbox.conftest import Sandbox

UNSAFE = {"error": "Prompt or provided image failed the safety checks"}


def legacy(sandbox: Sandbox, *, key: str = "key", timeout: float = 10, **fields: object) -> Any:
    return requests.post(
        f"{sandbox.url}/ideogram/generate",
        json={"image_request": fields},
        headers={"Api-Key": key},
        timeout=timeout,
    )


def v3(sandbox: Sandbox, *, timeout: float = 10, **fields: object) -> Any:
    parts = [
        (name, (None, str(item)))
        for name, value in fields.items()
        for item in (value if isinstance(value, list) else [value])
    ]
    return requests.post(
        f"{sandbox.url}/ideogram/v1/ideogram-v3/generate",
        files=parts,
        headers={"Api-Key": "key"},
        timeout=timeout,
    )


@pytest.mark.parametrize(
    ("generate", "fields", "size"),
    [
        (legacy, {}, (1024, 1024)),
        (legacy, {"aspect_ratio": "ASPECT_16_9"}, (1280, 720)),
        (legacy, {"resolution": "RESOLUTION_1024_768", "model": "V_2_TURBO"}, (1024, 768)),
        (legacy, {"aspect_ratio": "ASPECT_10_16", "model": "V_1"}, (800, 1280)),
        (v3, {}, (1024, 1024)),
        (v3, {"aspect_ratio": "9x16", "rendering_speed": "FLASH"}, (736, 1312)),
        (v3, {"resolution": "800x1280", "style_type": "DESIGN"}, (800, 1280)),
        (v3, {"style_codes": ["0123abcd", "89ef4567"], "magic_prompt": "OFF"}, (1024, 1024)),
    ],
)
def test_picture_has_the_pixels_asked_for(sandbox, opened, generate, fields, size):
    response = generate(sandbox, prompt="a fox", **fields)

    [item] = response.json()["data"]
    file = requests.get(item["url"])
    assert opened(file.content).size == size
    assert file.headers["Content-Type"] == "image/png"
    assert item["resolution"] == f"{size[0]}x{size[1]}"
    assert (item["prompt"], item["is_image_safe"]) == ("a fox", True)
    assert item["style_type"] == fields.get("style_type", "GENERAL")
    assert datetime.fromisoformat(response.json()["created"]).tzinfo


@pytest.mark.parametrize("generate", [legacy, v3])
def test_eight_images_are_all_different(sandbox, generate):
    prompt = f"eight foxes by {generate.__name__}"
    items = generate(sandbox, prompt=prompt, num_images=8, seed=5).json()["data"]

    assert len({requests.get(item["url"]).content for item in items}) == 8
    assert [item["seed"] for item in items] == list(range(5, 13))
    assert sandbox.calls(prompt, provider="ideogram") == 1


def test_same_seed_gives_the_same_picture(sandbox):
    def picture(**fields: int) -> bytes:
        [item] = v3(sandbox, prompt="a fox", **fields).json()["data"]
        return requests.get(item["url"]).content

    assert picture(seed=2**31 - 1) == picture(seed=2**31 - 1)
    assert len({picture(), picture(), picture(seed=3)}) == 3


def test_magic_prompt_rewrites_the_prompt(sandbox):
    older = legacy(sandbox, prompt="a fox", magic_prompt_option="ON").json()["data"][0]
    newer = v3(sandbox, prompt="a fox", magic_prompt="ON").json()["data"][0]

    assert older["prompt"] == newer["prompt"] == "A detailed picture: a fox"


@pytest.mark.parametrize(
    ("generate", "fields"),
    [
        (legacy, {"prompt": ""}),
        (legacy, {"prompt": 7}),
        (legacy, {}),
        (legacy, {"model": "V_9"}),
        (legacy, {"num_images": 9}),
        (legacy, {"num_images": 0}),
        (legacy, {"num_images": True}),
        (legacy, {"seed": 2**31}),
        (legacy, {"seed": "7"}),
        (legacy, {"aspect_ratio": "16:9"}),
        (legacy, {"resolution": "1024x1024"}),
        (legacy, {"resolution": "RESOLUTION_800_1280"}),
        (legacy, {"resolution": "RESOLUTION_1024_1024", "aspect_ratio": "ASPECT_1_1"}),
        (legacy, {"resolution": "RESOLUTION_1024_1024", "model": "V_1"}),
        (legacy, {"style_type": "vivid"}),
        (legacy, {"rendering_speed": "TURBO"}),
        (legacy, {"color_palette": {"name": "GRAY"}}),
        (v3, {"prompt": ""}),
        (v3, {"num_images": 9}),
        (v3, {"num_images": "two"}),
        (v3, {"seed": "-1"}),
        (v3, {"aspect_ratio": "16:9"}),
        (v3, {"resolution": "1024x768"}),
        (v3, {"resolution": "1024x1024", "aspect_ratio": "1x1"}),
        (v3, {"rendering_speed": "high"}),
        (v3, {"style_type": "ANIME"}),
        (v3, {"style_codes": "xyz"}),
        (v3, {"style_codes": "0123abcd", "style_type": "GENERAL"}),
        (v3, {"model": "V_3"}),
        (v3, {"magic_prompt_option": "ON"}),
    ],
)
def test_value_the_api_does_not_know_is_refused(sandbox, generate, fields):
    response = generate(sandbox, **({"prompt": "a fox"} if fields else {}) | fields)

    assert response.status_code == 400
    assert response.json().keys() == {"error"}


def test_body_of_the_wrong_kind_is_refused(sandbox):
    headers = {"Api-Key": "key"}
    form, json = (
        f"{sandbox.url}/ideogram/{path}" for path in ("v1/ideogram-v3/generate", "generate")
    )
    answers = [
        requests.post(form, json={"prompt": "a fox"}, headers=headers),
        requests.post(json, files={"prompt": (None, "a fox")}, headers=headers),
        requests.post(json, json={"prompt": "a fox"}, headers=headers),
        requests.post(json, json=["a fox"], headers=headers),
    ]

    assert [response.status_code for response in answers] == [400] * 4


def test_key_path_and_method_are_checked(sandbox):
    url = f"{sandbox.url}/ideogram/generate"

    assert requests.post(url, json={}).status_code == 401
    assert legacy(sandbox, key="bad", prompt="a fox").status_code == 401
    assert requests.post(f"{url}s", headers={"Api-Key": "key"}).status_code == 404
    assert requests.get(url, headers={"Api-Key": "key"}).status_code == 405


@pytest.mark.parametrize("generate", [legacy, v3])
@pytest.mark.parametrize(
    ("directive", "status"),
    [
        ("[[refuse]]", 422),
        ("[[unfunded]]", 402),
        ("[[status=400]]", 400),
        ("[[status=403]]", 403),
        ("[[status=429;retry_after=3]]", 429),
        ("[[status=500]]", 500),
        ("[[status=503]]", 503),
    ],
)
def test_directive_forces_an_error(sandbox, generate, directive, status):
    response = generate(sandbox, prompt=f"a fox {directive}")

    assert response.status_code == status
    assert response.json().keys() == {"error"}
    assert response.headers.get("retry-after") == ("3" if status == 429 else None)
    assert (response.json() == UNSAFE) == (status == 422)


@pytest.mark.parametrize(
    ("directive", "safe"),
    [
        ("[[nsfw]]", [False, False, False]),
        ("[[refuse=output]]", [False, False, False]),
        ("[[nsfw=first]]", [False, True, True]),
    ],
)
def test_unsafe_images_have_no_url(sandbox, directive, safe):
    response = legacy(sandbox, prompt=f"a fox {directive}", num_images=3)

    items = response.json()["data"]
    assert response.status_code == 200
    assert [item["is_image_safe"] for item in items] == safe
    assert [item["url"] is not None for item in items] == safe


def test_directives_change_the_images(sandbox, opened):
    def file(directive: str) -> requests.Response:
        [item] = v3(sandbox, prompt=f"a fox {directive}").json()["data"]
        return requests.get(item["url"])

    assert legacy(sandbox, prompt="a fox [[empty]]").json()["data"] == []
    assert opened(file("[[wrong_size]]").content).size == (520, 512)
    assert file("[[file_status=403]]").status_code == 403
    assert b"<html>" in file("[[corrupt=html]]").content


def test_url_without_its_signature_is_refused(sandbox):
    [item] = v3(sandbox, prompt="a fox").json()["data"]
    unsigned = urlsplit(item["url"])._replace(query="").geturl()

    assert requests.get(unsigned).status_code == 403
    assert requests.get(item["url"]).status_code == 200


@pytest.mark.parametrize("generate", [legacy, v3])
def test_hang_never_answers(sandbox, generate):
    with pytest.raises(requests.Timeout):
        generate(sandbox, prompt="a fox [[hang]]", timeout=0.3)


def test_calls_beyond_the_limit_in_flight_are_refused(sandbox):
    sandbox.configure(ideogram={"in_flight": 2})
    statuses: list[int] = []

    def call() -> None:
        answer = legacy(sandbox, prompt="a fox [[delay=0.5]]", key="limited")
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 200, 429]
    assert legacy(sandbox, prompt="a fox", key="limited").status_code == 200
