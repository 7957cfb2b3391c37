import base64
import os

import pytest

from core.http.bodies import LARGE_BODY_BYTES, decode_base64, decode_data_uri, read_limited
from core.http.errors import BodyInvalid


def test_base64_is_decoded_plain_prefixed_and_with_line_breaks():
    data = os.urandom(1000)
    text = base64.b64encode(data).decode()

    assert decode_base64(text) == data
    assert decode_base64(f"data:image/png;base64,{text}") == data
    assert decode_base64(base64.encodebytes(data).decode()) == data


@pytest.mark.parametrize("text", ["a", "&&&&", "Zm9v!", "snow ☃", "data:image/png;base64"])
def test_broken_base64_is_invalid(text: str):
    with pytest.raises(BodyInvalid):
        decode_base64(text)


def test_data_uri_without_base64_is_percent_decoded():
    assert decode_data_uri("data:image/svg+xml,%3Csvg%2F%3E") == b"<svg/>"


@pytest.mark.parametrize(("more", "times"), [(0, 0), (1, 1)])
def test_a_large_body_is_announced_once_before_it_is_kept(more: int, times: int):
    half = bytes(LARGE_BODY_BYTES // 2)
    chunks = iter([half, half, b"x" * more, b"x" * more, b""])
    announced: list[bool] = []

    body = read_limited(
        lambda: next(chunks), limit=LARGE_BODY_BYTES * 2, on_large=lambda: announced.append(True)
    )

    assert len(body) == LARGE_BODY_BYTES + 2 * more
    assert len(announced) == times
