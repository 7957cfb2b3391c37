"""Ideogram's two ways to generate, spoken by a test's own server."""

from email import message_from_bytes

from gateway.providers.ideogram import IdeogramAdapter
from tests.core.http.upstream import Received, Upstream
from tests.gateway.providers.conftest import MakeCall

LEGACY = "/x/generate"
V3 = "/x/v1/ideogram-v3/generate"


def item(url: str | None, **fields: object) -> dict[str, object]:
    """One image of an answer; unsafe without a URL."""
    return {
        "url": url,
        "prompt": "a cat",
        "resolution": "1024x1024",
        "is_image_safe": url is not None,
        "seed": 12345,
        "style_type": "GENERAL",
        **fields,
    }


def answer(*items: dict[str, object]) -> dict[str, object]:
    return {"created": "2026-11-21T10:00:00.000000+00:00", "data": list(items)}


def picture(images: Upstream, data: bytes, name: str = "a.png") -> str:
    """Put an image on its own host, and return its signed URL."""
    path = f"/api/images/ephemeral/{name}"
    images.answers("GET", path, data, headers={"Content-Type": "image/png"})
    return f"{images.url}{path}?exp=1790003600&sig=abc"


def form_of(request: Received) -> list[tuple[str, str]]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    return [
        (
            str(part.get_param("name", header="content-disposition")),
            bytes(part.get_payload(decode=True)).decode(),
        )
        for part in message_from_bytes(head + request.body).walk()
        if not part.is_multipart()
    ]


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    fields = {"upstream_model": "V_2", **fields}
    return IdeogramAdapter().generate(make_call(f"{upstream.url}/x/", **fields))
