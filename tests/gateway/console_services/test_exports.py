"""Exports, with real storage."""

import csv
import io
import zipfile
from datetime import timedelta

import orjson
import pytest
from django.db import connection

from core.clock import now
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.models import Artifact, Export
from gateway.services.gallery.exports import (
    CLAIM_LASTS,
    KEPT_FOR,
    expire_exports,
    find_export,
    make_exports,
    open_export,
    order_export,
)
from gateway.storage import ensure_buckets, private_storage
from orgs.models import User
from tests.gateway.console_services.scene import deliver, store
from tests.gateway.services.rows import open_key


@pytest.fixture
def scene(committed):
    """Return a generation with three stored images of one organization, and its order's terms."""
    ensure_buckets()
    generation = deliver(open_key(), images=3, prompt='=a cat, "quoted"')
    data = store(generation)
    ids = Artifact.objects.filter(generation=generation).order_by("index")
    person = User.objects.create_user(f"{generation.id}@example.com")
    how = {
        "organization_id": generation.organization_id,
        "user_id": person.id,
        "artifact_ids": list(ids.values_list("id", flat=True)),
    }
    connection.close()
    return data, how


def test_an_export_has_the_images_and_both_manifests(scene):
    data, how = scene
    export = order_export(**how, now=now())
    # A worker that died in the middle of it.
    Export.objects.filter(id=export.id).update(
        status="running", claimed_at=now() - CLAIM_LASTS - timedelta(seconds=1), done=1, tries=1
    )
    Artifact.objects.filter(id=how["artifact_ids"][1]).update(deleted_at=now())
    connection.close()

    assert make_exports() >= 1

    one = {"organization_id": how["organization_id"], "export_id": export.id}
    found = find_export(**one)
    connection.close()
    assert (found.status, found.done, found.missing, found.total) == ("ready", 2, 1, 3)
    with open_export(**one, now=now()) as stream:
        archive = zipfile.ZipFile(io.BytesIO(b"".join(stream)))
    assert archive.testzip() is None
    rows = orjson.loads(archive.read("manifest.json"))
    assert [archive.read(row["file"]) for row in rows] == [data] * 2
    assert {row["price"] for row in rows} == {"0.042"}
    lines = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
    assert lines[0] == {**rows[0], "prompt": f"'{rows[0]['prompt']}"}

    with pytest.raises(NotFoundError):
        open_export(**{**one, "organization_id": open_key().organization_id}, now=now())
    connection.close()
    assert expire_exports(now=now() + KEPT_FOR) >= 1
    assert not private_storage().exists(found.key)
    with pytest.raises(NotFoundError):
        open_export(**one, now=now() + KEPT_FOR)


def test_an_export_of_nothing_or_of_others_images_is_refused(scene):
    _, how = scene
    theirs = {**how, "organization_id": open_key().organization_id}

    for wrong in (theirs, {**how, "artifact_ids": []}):
        with pytest.raises(InvalidRequestError):
            order_export(**wrong, now=now())
