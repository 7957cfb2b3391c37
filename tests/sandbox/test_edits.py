"""Images sent along to the emulators, by the makers' own clients and by plain HTTP."""

import base64

import pytest
import requests
from google.genai import errors, types

from tests.gateway.providers.inputs import picture, red_and_blue, sha256
from tests.sandbox.conftest import Sandbox
from tests.sandbox.test_gemini import FLASH, client_of

RED = (255, 0, 0)


def files_of(sandbox: Sandbox, prompt: str) -> list[str]:
    found = requests.get(
        f"{sandbox.url}/_log", params={"contains": prompt, "operation": "edit"}, timeout=10
    )
    (call,) = found.json()["calls"]
    files: list[str] = call["files"]
    return files


def test_gemini_edits_for_its_own_client(sandbox):
    data = [picture(color=RED), picture(kind="jpeg")]
    parts = [
        types.Part.from_bytes(data=data[0], mime_type="image/png"),
        types.Part.from_bytes(data=data[1], mime_type="image/jpeg"),
        "a fox in red",
    ]

    # The client closes its connections when nothing refers to it any more.
    client = client_of(sandbox, api_key="k")
    answer = client.models.generate_content(model=FLASH, contents=parts)

    drawn = answer.candidates[0].content.parts[0].inline_data.data
    red, blue = red_and_blue(drawn, (20, 300))
    assert red > blue + 100
    assert files_of(sandbox, "a fox in red") == [sha256(one) for one in data]
    counts = {
        item.modality: item.token_count for item in answer.usage_metadata.prompt_tokens_details
    }
    assert counts == {"TEXT": 3, "IMAGE": 516}


def test_gemini_refuses_a_file_that_is_no_image_of_its_type(sandbox):
    part = types.Part.from_bytes(data=picture(kind="jpeg"), mime_type="image/png")

    client = client_of(sandbox, api_key="k")

    with pytest.raises(errors.ClientError, match="Unable to process input image"):
        client.models.generate_content(model=FLASH, contents=[part, "x"])


@pytest.mark.parametrize(
    ("provider", "path"), [("bfl", "v1/flux-kontext-pro"), ("fal", "fal-ai/flux-pro/kontext")]
)
def test_images_within_json_arrive_as_they_are(sandbox, provider: str, path: str):
    data = picture(kind="webp")
    encoded = base64.b64encode(data).decode()
    body = {
        "prompt": f"a fox at {provider}",
        "input_image": encoded,
        "image_url": f"data:image/webp;base64,{encoded}",
    }
    headers = {"x-key": "k", "Authorization": "Key id:secret"}

    answer = requests.post(
        f"{sandbox.url}/{provider}/{path}", json=body, headers=headers, timeout=10
    )

    assert answer.status_code == 200
    assert files_of(sandbox, body["prompt"]) == [sha256(data)]


@pytest.mark.parametrize(
    ("provider", "path", "fields"),
    [
        ("ideogram", "v1/ideogram-v3/remix", {"image_weight": "70"}),
        ("stability", "v2beta/stable-image/generate/ultra", {"strength": "0.5"}),
    ],
)
def test_images_of_forms_arrive_as_they_are(sandbox, provider: str, path: str, fields):
    data = picture((640, 640), RED)
    prompt = f"a fox at {provider}"

    answer = requests.post(
        f"{sandbox.url}/{provider}/{path}",
        data={"prompt": prompt, **fields},
        files={"image": ("i.png", data, "image/png")},
        headers={"Api-Key": "k", "Authorization": "Bearer k", "Accept": "image/*"},
        timeout=10,
    )

    assert answer.status_code == 200, answer.text
    assert files_of(sandbox, prompt) == [sha256(data)]


@pytest.mark.parametrize(
    ("path", "fields", "problem"),
    [
        ("ultra", {}, "strength: is required"),
        ("sd3", {"mode": "image-to-image", "strength": "2"}, "strength: must be a number"),
        (
            "sd3",
            {"mode": "image-to-image", "strength": "0.5", "aspect_ratio": "1:1"},
            "aspect_ratio: is not allowed",
        ),
    ],
)
def test_stability_checks_what_belongs_to_an_image(sandbox, path: str, fields, problem: str):
    answer = requests.post(
        f"{sandbox.url}/stability/v2beta/stable-image/generate/{path}",
        data={"prompt": "a fox", **fields},
        files={"image": ("i.png", picture(), "image/png")},
        headers={"Authorization": "Bearer k"},
        timeout=10,
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0].startswith(problem)
