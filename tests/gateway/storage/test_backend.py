"""Storing and reading images, against a real S3 server."""

import hashlib
import socket
import time
import tracemalloc
from typing import Any
from uuid import UUID

import gevent.pool
import pytest
import requests
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from gateway.storage import (
    ChecksumMismatchError,
    ObjectNotFoundError,
    PrivateImageStorage,
    PublicImageStorage,
    RangeNotSatisfiableError,
    StorageUnavailableError,
    ensure_buckets,
    image_key,
    private_storage,
    public_storage,
)
from gateway.storage.direct import direct_bucket
from tests.gateway.storage.conftest import put, some_bytes


def test_key_names_organization_request_and_index():
    organization, request = UUID(int=1), UUID(int=2)
    folder = "00000000-0000-0000-0000-000000000001/00000000-0000-0000-0000-000000000002"

    assert image_key(organization, request, 0, "png") == f"{folder}/0.png"
    assert image_key(organization, request, 9, "jpeg") == f"{folder}/9.jpg"


def test_stored_image_reads_back_whole(storage, folder):
    data = some_bytes(200_000)

    stored = put(storage, folder + "0.png", data)

    assert stored.key == folder + "0.png"
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert (stored.size, stored.existed) == (200_000, False)
    with storage.open_stream(stored.key) as stream:
        chunks = list(stream)
    assert b"".join(chunks) == data
    assert len(stream) == len(data)
    assert max(map(len, chunks)) <= 48 * 1024
    info = storage.stat(stored.key)
    assert info.sha256 == stored.sha256 == storage.read_sha256(stored.key)
    assert (info.content_type, info.cache_control) == ("image/png", "public, max-age=86400")


def test_second_put_adopts_the_first(storage, folder):
    first, second = some_bytes(1000, seed=1), some_bytes(2000, seed=2)
    put(storage, folder + "0.png", first)

    stored = put(storage, folder + "0.png", second)

    assert stored.existed
    assert stored.sha256 == hashlib.sha256(first).hexdigest()
    assert stored.size == 1000
    assert storage.read_sha256(folder + "0.png") == stored.sha256


def test_object_without_kept_checksum_is_adopted_by_reading_it(storage, folder):
    data = some_bytes(3000)
    storage.client.put_object(Bucket=storage.bucket_name, Key=folder + "0.png", Body=data)
    assert storage.stat(folder + "0.png").sha256 is None

    stored = put(storage, folder + "0.png", b"other")

    assert stored.existed
    assert stored.sha256 == hashlib.sha256(data).hexdigest()


def test_concurrent_puts_store_one(folder):
    storage = public_storage()
    candidates = [some_bytes(50_000, seed=seed) for seed in range(8)]
    pool = gevent.pool.Pool(8)

    results = pool.map(lambda data: put(storage, folder + "0.png", data), candidates)

    winners = [result for result in results if not result.existed]
    assert len(winners) == 1
    assert {result.sha256 for result in results} == {winners[0].sha256}
    assert storage.read_sha256(folder + "0.png") == winners[0].sha256


def test_wrong_checksum_stores_nothing(storage, folder):
    with pytest.raises(ChecksumMismatchError):
        put(storage, folder + "0.png", b"data", sha256=hashlib.sha256(b"other").hexdigest())

    assert not storage.exists(folder + "0.png")


def test_missing_object_is_named_so(storage, folder):
    for call in (storage.stat, storage.open_stream, storage.read_sha256):
        with pytest.raises(ObjectNotFoundError):
            call(folder + "0.png")
    assert not storage.exists(folder + "0.png")
    storage.delete(folder + "0.png")


def test_range_reads_a_part(storage, folder):
    data = some_bytes(1000)
    put(storage, folder + "0.png", data)

    with storage.open_stream(folder + "0.png", byte_range="bytes=10-19") as stream:
        assert b"".join(stream) == data[10:20]
    assert stream.info.content_range == "bytes 10-19/1000"
    with pytest.raises(RangeNotSatisfiableError):
        storage.open_stream(folder + "0.png", byte_range="bytes=1000-")


def test_stream_left_half_read_leaves_the_client_usable(folder):
    storage = public_storage()
    data = some_bytes(500_000)
    put(storage, folder + "0.png", data)

    for _ in range(80):
        with storage.open_stream(folder + "0.png") as stream:
            next(iter(stream))

    assert storage.read_sha256(folder + "0.png") == hashlib.sha256(data).hexdigest()


def test_streaming_takes_constant_memory(folder):
    storage = public_storage()
    data = some_bytes(8_000_000)
    put(storage, folder + "0.png", data)
    tracemalloc.start()

    size = 0
    with storage.open_stream(folder + "0.png") as stream:
        for chunk in stream:
            size += len(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 8_000_000
    assert peak < 1_000_000


def test_prefix_is_listed_and_deleted_alone(storage, folder):
    names = [f"{folder}{index}.png" for index in (0, 1, 10)] + [f"{folder}partial/0.png"]
    sibling = folder.rstrip("/") + "x/0.png"
    for name in [*names, sibling]:
        put(storage, name, b"data")

    assert [entry.key for entry in storage.list_prefix(folder)] == sorted(names)
    assert {entry.size for entry in storage.list_prefix(folder)} == {4}
    assert storage.delete_prefix(folder) == 4
    assert list(storage.list_prefix(folder)) == []
    assert storage.exists(sibling)
    assert storage.delete_prefix(folder) == 0


@pytest.mark.parametrize("prefix", ["", "/", "a/1"])
def test_prefix_that_could_take_more_is_refused(prefix):
    with pytest.raises(ValueError, match="folder"):
        public_storage().delete_prefix(prefix)


def test_public_url_is_built_from_the_settings_when_read(settings):
    settings.S3_PUBLIC_BASE_URL = "https://cdn.example/pictures"

    assert public_storage().url("a/b/0.png") == "https://cdn.example/pictures/a/b/0.png"


def test_anyone_reads_the_public_bucket_and_nobody_lists_it(settings, folder):
    put(public_storage(), folder + "0.png", b"data")
    base = f"{settings.S3_ENDPOINT_URL}/{settings.S3_BUCKET}"

    answer = requests.get(f"{base}/{folder}0.png", timeout=5)
    assert (answer.status_code, answer.content) == (200, b"data")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    organization = folder.split("/")[0]
    for query in ("", "/", "/?list-type=2", f"/?prefix={organization}/", "/?versions", "/?acl"):
        assert requests.get(base + query, timeout=5).status_code == 403
    # SeaweedFS answers a folder's name with an empty 200.
    assert requests.get(f"{base}/{folder}", timeout=5).text == ""
    # It also tells of unfinished multipart uploads, which images never use.
    assert organization not in requests.get(f"{base}/?uploads", timeout=5).text
    assert requests.put(f"{base}/{folder}1.png", data=b"x", timeout=5).status_code == 403
    assert requests.delete(f"{base}/{folder}0.png", timeout=5).status_code == 403


def test_private_bucket_is_read_with_a_signature_only(settings, folder):
    storage = private_storage()
    put(storage, folder + "0.png", b"secret", cache_control="private")
    base = f"{settings.S3_ENDPOINT_URL}/{settings.S3_PRIVATE_BUCKET}"

    assert requests.get(f"{base}/{folder}0.png", timeout=5).status_code == 403
    url = storage.url(folder + "0.png")
    assert "X-Amz-Expires=3600" in url
    assert requests.get(url, timeout=5).content == b"secret"
    other = url.replace("/0.png?", "/1.png?")
    assert requests.get(other, timeout=5).status_code == 403
    short = storage.url(folder + "0.png", expire=1)
    time.sleep(2.1)
    assert requests.get(short, timeout=5).status_code == 403


def test_signing_is_cheap():
    storage = private_storage()
    storage.url("a/b/0.png")
    start = time.thread_time()
    for _ in range(50):
        storage.url("a/b/0.png")

    # 0.14 ms each on an idle core; one client per greenlet would cost over 100 ms.
    assert (time.thread_time() - start) / 50 < 0.005


def test_all_storages_and_greenlets_share_one_client():
    clients = {id(public_storage().client), id(private_storage().client)}
    clients |= {id(gevent.spawn(lambda: PublicImageStorage().client).get()) for _ in range(3)}

    assert len(clients) == 1


def test_django_aliases_name_these_storages(folder):
    assert isinstance(storages["images"], PublicImageStorage)
    assert isinstance(storages["private_images"], PrivateImageStorage)

    name = storages["private_images"].save(folder + "note.png", ContentFile(b"by django"))

    with storages["private_images"].open(name) as file:
        assert file.read() == b"by django"
    assert storages["private_images"].size(name) == 9
    assert storages["private_images"].listdir(folder) == ([], ["note.png"])


def test_buckets_are_made_where_they_are_missing(settings, folder):
    settings.S3_BUCKET = f"fresh-{folder[:8]}"
    settings.S3_PRIVATE_BUCKET = f"fresh-{folder[:8]}-private"

    ensure_buckets()
    ensure_buckets()

    for storage in (PublicImageStorage(), PrivateImageStorage()):
        assert storage.bucket_name.startswith("fresh-")
        put(storage, folder + "0.png", b"data")
    base = settings.S3_ENDPOINT_URL
    public = f"{base}/{settings.S3_BUCKET}"
    assert requests.get(f"{public}/{folder}0.png", timeout=5).status_code == 200
    assert requests.get(f"{public}/", timeout=5).status_code == 403
    private = f"{base}/{settings.S3_PRIVATE_BUCKET}/{folder}0.png"
    assert requests.get(private, timeout=5).status_code == 403


@pytest.mark.parametrize(
    ("endpoint", "style", "expected"),
    [
        ("https://s3.example", "path", "https://s3.example/pictures/a/0.png?"),
        ("https://s3.example", "virtual", "https://pictures.s3.example/a/0.png?"),
        ("https://s3.example", "", "https://s3.example/pictures/a/0.png?"),
        ("", "auto", "https://pictures.s3.amazonaws.com/a/0.png?"),
    ],
)
def test_addresses_follow_the_style(settings, endpoint, style, expected):
    settings.S3_ENDPOINT_URL = endpoint
    settings.S3_ADDRESSING_STYLE = style
    settings.S3_PRIVATE_BUCKET = "pictures"

    assert PrivateImageStorage().url("a/0.png").startswith(expected)


def test_signed_addresses_name_the_host_that_clients_reach(settings):
    settings.S3_ENDPOINT_URL = "http://seaweedfs:8333"
    settings.S3_SIGNED_ENDPOINT_URL = "https://images.example"

    assert (
        PrivateImageStorage()
        .url("a/0.png")
        .startswith(f"https://images.example/{settings.S3_PRIVATE_BUCKET}/a/0.png?")
    )
    assert PrivateImageStorage().client.meta.endpoint_url == "http://seaweedfs:8333"


def test_unreachable_storage_is_unavailable_soon(settings):
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:9"
    storage = PublicImageStorage()
    start = time.monotonic()

    for call in (
        lambda: put(storage, "a/0.png", b"data"),
        lambda: storage.stat("a/0.png"),
        lambda: storage.open_stream("a/0.png"),
        lambda: list(storage.list_prefix("a/")),
        ensure_buckets,
    ):
        with pytest.raises(StorageUnavailableError):
            call()
    assert time.monotonic() - start < 15


def test_put_of_a_megabyte_is_cheap(folder):
    storage = public_storage()
    data = some_bytes(1 << 20)
    digest = hashlib.sha256(data).hexdigest()
    put(storage, folder + "warm.png", data)
    start = time.thread_time()
    for index in range(10):
        put(storage, f"{folder}{index}.png", data, sha256=digest)

    # About 2 ms on an idle core.
    assert (time.thread_time() - start) / 10 < 0.008


def test_small_objects_leave_at_once(storage, folder):
    """Else each put waits 40 ms for the receipt of its headers."""
    put(storage, folder + "0.png", some_bytes(100))
    manager: Any = vars(direct_bucket(storage.bucket_name)._http)["_manager"]

    pool = manager.connection_from_url(settings.S3_ENDPOINT_URL)
    connection = pool.pool.get()
    pool.pool.put(connection)

    assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
