"""Pictures that an upstream of a test makes, and those that it is sent."""

import hashlib
import io
import json
import os
from email import message_from_bytes
from typing import Any

from PIL import Image

_NOT_TEXT = {"n", "partial_images", "output_compression", "stream"}


def noise(width: int, height: int, kind: str) -> bytes:
    """Draw an image that nobody has drawn before."""
    tile = Image.frombytes("RGB", (32, 32), os.urandom(32 * 32 * 3))
    output = io.BytesIO()
    tile.resize((width, height), Image.Resampling.NEAREST).save(output, kind.upper())
    return output.getvalue()


def read_form(content_type: str, sent: bytes) -> dict[str, Any]:
    """Return a form's fields, numbers and truth as JSON has them, and of its files what they are.

    ``files`` lists name, content type and SHA-256 of each.
    """
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    body: dict[str, Any] = {"files": []}
    for part in list(message_from_bytes(head + sent).walk())[1:]:
        name = str(part.get_param("name", header="content-disposition"))
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        if part.get_filename():
            digest = hashlib.sha256(data).hexdigest()
            body["files"].append([name, part.get_content_type(), digest])
        else:
            text = data.decode()
            body[name] = json.loads(text) if name in _NOT_TEXT else text
    return body
