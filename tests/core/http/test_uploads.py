import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes

import pytest

from core.http.client import HttpClient
from core.http.errors import UploadFailed
from core.http.uploads import Base64File, FileField, Upload, form_upload, json_upload
from tests.core.http.upstream import Upstream


@dataclass
class Bytes:
    """A source of a given announced size, read in small chunks."""

    data: bytes
    size: int
    step: int = 5

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), self.step):
            yield self.data[start : start + self.step]


def source(data: bytes) -> Bytes:
    return Bytes(data, len(data))


def send(client: HttpClient, upstream: Upstream, upload: Upload) -> None:
    client.open("POST", f"{upstream.url}/x", deadline=time.monotonic() + 20, upload=upload).close()


def test_a_form_has_its_fields_before_its_files(upstream: Upstream, client: HttpClient):
    upstream.answers("POST", "/x", {})
    files = [
        FileField("image[]", "0.png", "image/png", source(bytes(range(256)))),
        FileField("image[]", "1.webp", "image/webp", source(b"RIFF")),
    ]

    send(client, upstream, form_upload([("prompt", "ein Fuchs 狐"), ("n", "1")], files))

    (request,) = upstream.received
    assert request.headers["content-length"] == str(len(request.body))
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = list(message_from_bytes(head + request.body).walk())[1:]
    assert [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type(),
            part.get_payload(decode=True),
        )
        for part in parts
    ] == [
        ("prompt", None, "text/plain", "ein Fuchs 狐".encode()),
        ("n", None, "text/plain", b"1"),
        ("image[]", "0.png", "image/png", bytes(range(256))),
        ("image[]", "1.webp", "image/webp", b"RIFF"),
    ]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 6, 7, 1000])
def test_json_has_its_files_in_base64(length: int):
    data = bytes(range(256)) * 4
    payload = {
        "prompt": "a",
        "image": Base64File(source(data[:length])),
        "more": [{"url": Base64File(source(b"xyz"), "image/png")}],
    }

    upload = json_upload(payload)

    body = b"".join(upload)
    assert len(upload) == len(body)
    assert json.loads(body) == {
        "prompt": "a",
        "image": base64.b64encode(data[:length]).decode(),
        "more": [{"url": "data:image/png;base64,eHl6"}],
    }


def test_an_upload_is_the_same_when_it_is_sent_again():
    upload = json_upload({"image": Base64File(source(b"abcdefgh"))})

    assert b"".join(upload) == b"".join(upload)


@pytest.mark.parametrize("size", [7, 9])
def test_a_file_of_another_length_is_never_sent_whole(
    size: int, upstream: Upstream, client: HttpClient
):
    upstream.answers("POST", "/x", {})
    file = FileField("image", "a.png", "image/png", Bytes(b"12345678", size))

    with pytest.raises(UploadFailed) as caught:
        send(client, upstream, form_upload([], [file]))

    assert not caught.value.processed
    # What the server saw of it, if anything, was cut off.
    assert all(
        len(request.body) < int(request.headers["content-length"]) for request in upstream.received
    )
