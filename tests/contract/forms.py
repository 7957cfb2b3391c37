"""Images to send along, and the forms they are sent in."""

import io
from typing import Any

import requests
from PIL import Image

from tests.tenants import Tenant, new_prompt

EDITS = "/v1/images/edits"
VARIATIONS = "/v1/images/variations"


def picture(
    size: tuple[int, int] = (64, 64), color: str = "navy", form: str = "PNG", mode: str = "RGB"
) -> bytes:
    """Return an image of one color."""
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, form)
    return file.getvalue()


def mask(size: tuple[int, int] = (64, 64)) -> bytes:
    """Return a mask whose left half is to be edited."""
    image = Image.new("RGBA", size, (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1]))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def edit(
    tenant: Tenant,
    *images: bytes,
    path: str = EDITS,
    mask: bytes | None = None,
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> requests.Response:
    """Send a form; a field that is None is left out."""
    name = "image" if len(images) == 1 else "image[]"
    files = [(name, (f"{index}.png", data)) for index, data in enumerate(images)]
    if mask is not None:
        files.append(("mask", ("mask.png", mask)))
    sent: dict[str, Any] = {"model": "gpt-image-1", "prompt": new_prompt(), **fields}
    data = {name: str(value) for name, value in sent.items() if value is not None}
    return tenant.request("POST", path, data=data, files=files, headers=headers)
