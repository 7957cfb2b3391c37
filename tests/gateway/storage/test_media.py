"""The pass-through of public images."""

import hashlib
import json

import pytest
from django.test import RequestFactory

from gateway.api.media import public_image
from gateway.storage import private_storage, public_storage
from tests.gateway.storage.conftest import put, some_bytes

DATA = some_bytes(200_000, seed=5)


@pytest.fixture
def key(folder):
    put(public_storage(), folder + "0.png", DATA)
    return folder + "0.png"


def request(path, method="GET", **headers):
    built = RequestFactory().generic(method, f"/generated-images/{path}", headers=headers)
    return public_image(built, path)


def body(response):
    return b"".join(response.streaming_content) if response.streaming else response.content


def envelope(response):
    assert response["Content-Type"] == "application/json"
    error = json.loads(body(response))["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error["type"], error["code"]


def test_image_is_streamed_with_its_headers(key):
    response = request(key)

    assert response.status_code == 200
    assert response.streaming
    chunks = list(response.streaming_content)
    assert b"".join(chunks) == DATA
    assert max(map(len, chunks)) <= 64 * 1024
    assert response["Content-Type"] == "image/png"
    assert response["Content-Length"] == "200000"
    assert response["ETag"] == f'"{hashlib.md5(DATA).hexdigest()}"'
    assert response["Last-Modified"].endswith(" GMT")
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response["Content-Disposition"] == "inline"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "public, max-age=86400"
    response.close()


def test_cache_age_is_the_objects_own(folder):
    put(public_storage(), folder + "1.webp", b"x", cache_control="public, immutable")

    response = request(folder + "1.webp")

    assert response["Cache-Control"] == "public, immutable"
    assert response["Content-Type"] == "image/webp"
    response.close()


def test_head_has_the_headers_without_the_body(key):
    whole, response = request(key), request(key, "HEAD")
    whole.close()

    assert response.status_code == 200
    assert not response.streaming
    assert response.content == b""
    assert dict(response.headers) == dict(whole.headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_known_version_is_not_sent_again(key, method):
    etag = request(key, "HEAD")["ETag"]

    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = request(key, method, if_none_match=known)
        assert response.status_code == 304
        assert body(response) == b""
        assert response["ETag"] == etag
        assert response["Cache-Control"] == "public, max-age=86400"
    other = request(key, method, if_none_match='"other"')
    assert other.status_code == 200
    other.close()


@pytest.mark.parametrize(
    ("value", "part", "content_range"),
    [
        ("bytes=0-99", slice(0, 100), "bytes 0-99/200000"),
        ("bytes=199990-", slice(199_990, None), "bytes 199990-199999/200000"),
        ("bytes=-5", slice(-5, None), "bytes 199995-199999/200000"),
    ],
)
def test_range_is_answered_in_part(key, value, part, content_range):
    response = request(key, range=value)

    assert response.status_code == 206
    assert response["Content-Range"] == content_range
    assert body(response) == DATA[part]
    assert response["Content-Length"] == str(len(DATA[part]))


@pytest.mark.parametrize("value", ["bytes=0-1,5-6", "pages=1-2", "bytes=a-b", "bytes=-"])
def test_range_that_is_not_one_range_gets_everything(key, value):
    response = request(key, range=value)

    assert response.status_code == 200
    assert body(response) == DATA


def test_range_of_another_version_gets_everything(key):
    response = request(key, range="bytes=0-9", if_range='"other"')

    assert response.status_code == 200
    assert body(response) == DATA
    etag = request(key, "HEAD")["ETag"]
    assert body(request(key, range="bytes=0-9", if_range=etag)) == DATA[:10]


def test_range_outside_the_image_is_416(key):
    response = request(key, range="bytes=200000-")

    assert response.status_code == 416
    assert response["Content-Range"] == "bytes */200000"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_missing_image_is_404_in_the_envelope(folder, method):
    response = request(folder + "0.png", method)

    assert response.status_code == 404
    assert envelope(response) == ("not_found_error", "not_found")
    assert response["Cache-Control"] == "no-store"


def test_private_image_is_404(folder):
    put(private_storage(), folder + "0.png", b"secret")

    assert request(folder + "0.png").status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        lambda key: "",
        lambda key: key.rsplit("/", 1)[0] + "/",
        lambda key: key.split("/", 1)[0] + "/",
        lambda key: key + "/",
        lambda key: "/" + key,
        lambda key: key.upper(),
        lambda key: key.replace("-", ""),
        lambda key: key.replace("0.png", "00.png"),
        lambda key: key.replace("0.png", "x.png"),
        lambda key: key.replace("0.png", "0.svg"),
        lambda key: key.replace("0.png", "0.png\n"),
        lambda key: key.replace("0.png", "partial/0.png"),
        lambda key: "../generated-images-private/" + key,
        lambda key: key.replace("/", "//"),
    ],
)
def test_other_paths_are_404(key, change):
    assert envelope(request(change(key))) == ("not_found_error", "not_found")


def test_other_methods_are_405(key):
    for method in ("POST", "PUT", "DELETE"):
        response = request(key, method)
        assert response.status_code == 405
        assert response["Allow"] == "GET, HEAD"
    assert public_storage().exists(key)


def test_unreachable_storage_is_503(key, settings):
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:9"

    response = request(key)

    assert response.status_code == 503
    assert envelope(response)[0] == "api_error"
    assert response["Retry-After"] == "5"
    assert response["x-should-retry"] == "true"
