import hashlib
import random
from uuid import uuid4

import pytest

from gateway.storage import ensure_buckets, private_storage, public_storage


@pytest.fixture(scope="session", autouse=True)
def _buckets():
    ensure_buckets()


@pytest.fixture(params=["public", "private"])
def storage(request):
    return public_storage() if request.param == "public" else private_storage()


@pytest.fixture
def folder():
    """A key prefix of this test alone."""
    return f"{uuid4()}/{uuid4()}/"


def some_bytes(size, seed=1):
    return random.Random(seed).randbytes(size)


def put(storage, key, data, **options):
    values = {
        "content_type": "image/png",
        "cache_control": "public, max-age=86400",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return storage.put_image(key, data, **values | options)
