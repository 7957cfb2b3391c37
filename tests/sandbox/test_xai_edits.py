"""Edits of the emulator of xAI, by JSON as its documentation has them."""

import base64
from typing import Any

import pytest
import requests

from tests.gateway.providers.inputs import picture, sha256


def edit(sandbox, **fields: Any) -> requests.Response:
    body = {"model": "grok-imagine-image", "prompt": "a hat", "response_format": "b64_json"}
    return requests.post(
        f"{sandbox.url}/xai/v1/images/edits",
        json={**body, **fields},
        headers={"Authorization": "Bearer k"},
        timeout=10,
    )


def item(data: bytes, kind: str = "png") -> dict[str, str]:
    encoded = base64.b64encode(data).decode()
    return {"url": f"data:image/{kind};base64,{encoded}", "type": "image_url"}


def test_the_answer_shows_the_images_and_costs_them(sandbox, opened):
    red, blue = picture(color=(255, 0, 0)), picture(color=(0, 0, 255))

    answer = edit(
        sandbox, images=[item(red), item(blue)], aspect_ratio="16:9", resolution="1k", n=2
    ).json()

    image = opened(base64.b64decode(answer["data"][0]["b64_json"]))
    assert (image.format, image.size) == ("JPEG", (1408, 768))
    assert image.getpixel((20, 20))[2] > 200
    assert image.getpixel((700, 350))[0] > 150
    assert answer["usage"]["cost_in_usd_ticks"] == 2 * 200_000_000 + 2 * 20_000_000
    query = {"contains": "a hat", "operation": "edit", "provider": "xai"}
    calls = requests.get(f"{sandbox.url}/_log", params=query).json()["calls"]
    assert calls[-1]["files"] == [sha256(red), sha256(blue)]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 422),
        ({"image": {"type": "image_url"}}, 422),
        ({"image": item(b"no image")}, 400),
        ({"image": item(picture(kind="webp"), "webp")}, 400),
        ({"image": {"url": "https://example.com/a.png"}}, 400),
        ({"images": [item(picture())] * 4}, 400),
        ({"image": item(picture()), "images": [item(picture())]}, 400),
        ({"image": item(picture()), "mask": item(picture())}, 400),
        ({"image": item(picture()), "model": "grok-2-image"}, 400),
    ],
)
def test_a_wrong_edit_is_refused(sandbox, fields, status):
    assert edit(sandbox, **fields).status_code == status


def test_directives_count_in_edits(sandbox):
    assert edit(sandbox, image=item(picture()), prompt="x [[status=503]]").status_code == 503
