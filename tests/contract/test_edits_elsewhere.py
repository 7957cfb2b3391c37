"""Edits by the models of every other maker, from the API to its provider's emulator."""

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from PIL import Image

from tests.contract.forms import edit, picture

MODELS = (
    "gemini-2.5-flash-image",
    "flux-kontext-pro",
    "flux-2-klein-4b",
    "sd-3.5-medium",
    "ideogram-v3",
)


def test_every_maker_edits_the_image_that_was_sent(open_tenant):
    tenant = open_tenant(livemode=False)

    def ask(model: str) -> requests.Response:
        sent = picture((1024, 1024), "red")
        fields: dict[str, Any] = {
            "size": "1024x1024",
            "response_format": "b64_json",
            "output_format": "png",
        }
        return edit(tenant, sent, model=model, **fields)

    with ThreadPoolExecutor(len(MODELS)) as pool:
        answers = dict(zip(MODELS, pool.map(ask, MODELS), strict=True))

    for model, answer in answers.items():
        assert answer.status_code == 200, (model, answer.text)
        image = Image.open(io.BytesIO(base64.b64decode(answer.json()["data"][0]["b64_json"])))
        assert image.size == (1024, 1024), model
        color = image.convert("RGB").getpixel((20, 300))
        assert isinstance(color, tuple)
        # Two thirds are the image sent along; what is drawn over it has any color.
        assert color[0] > 160, model
