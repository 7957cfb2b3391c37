"""Images that stand as text in a JSON body: `data:` URIs, and base64 alone."""

import base64
import re
from typing import Final

_DATA_URI: Final = re.compile(r"data:image/[a-z.+-]{1,32};base64,", re.ASCII)


def decode_image(text: str) -> bytes | None:
    """Return the bytes of a `data:` URI or of base64; None if it is neither."""
    prefix = _DATA_URI.match(text)
    try:
        return base64.b64decode(text[prefix.end() :] if prefix else text, validate=True) or None
    except ValueError:
        return None
