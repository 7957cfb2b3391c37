"""Objects without artifact and artifacts without object, of buckets that others use, too."""

import hashlib
import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from core.clock import now
from gateway.models import Artifact, Generation
from gateway.services.keeping import objects
from gateway.services.keeping.errors import KeepingError
from gateway.services.keeping.objects import Missing, Orphan, compare_objects, delete_orphans
from gateway.storage import (
    private_storage,
    public_storage,
    request_prefix,
)
from tests.gateway.services.rows import add_generation, open_key
from tests.templates import working_on

DATA = b"an image"


def put(key: str, *, is_public: bool = True) -> None:
    connection.close()
    storage = public_storage() if is_public else private_storage()
    storage.put_image(
        key,
        DATA,
        content_type="image/png",
        cache_control="no-store",
        sha256=hashlib.sha256(DATA).hexdigest(),
    )


def name(generation: Generation, index: int, *, is_public: bool = True) -> Artifact:
    return Artifact.objects.create(
        generation=generation,
        index=index,
        is_public=is_public,
        key=f"{request_prefix(generation.organization_id, generation.id)}{index}.png",
        content_type="image/png",
        sha256=hashlib.sha256(DATA).digest(),
        size_bytes=len(DATA),
        width=1,
        height=1,
        created_at=now(),
    )


@pytest.fixture
def generation(source, monkeypatch):
    """One whose images 0 and 3 are stored, 1 and 4 lost, 2 and 5 unknown here."""
    monkeypatch.setattr(objects, "LEAST_AGE", timedelta(0))
    with working_on(source):
        found = add_generation(open_key(), status="succeeded", finished_at=now())
        for index, is_public in ((0, True), (1, True), (3, False), (4, False)):
            name(found, index, is_public=is_public)
        prefix = request_prefix(found.organization_id, found.id)
        for index, is_public in ((0, True), (2, True), (3, False), (5, False)):
            put(f"{prefix}{index}.png", is_public=is_public)
        yield found


def own(generation: Generation) -> list[Missing | Orphan]:
    prefix = request_prefix(generation.organization_id, generation.id)
    found = compare_objects(older_than=timedelta(0))
    return [one for one in found if one.key.startswith(prefix)]


def test_both_sides_are_told_and_orphans_deleted_only_when_asked(generation):
    found = own(generation)

    kinds = [(type(one), one.key[-5], one.bucket) for one in found]
    public, private = public_storage().bucket_name, private_storage().bucket_name
    assert sorted(kinds, key=str) == sorted(
        [
            (Missing, "1", public),
            (Orphan, "2", public),
            (Missing, "4", private),
            (Orphan, "5", private),
        ],
        key=str,
    )
    orphans = [one for one in found if isinstance(one, Orphan)]
    # Its row appeared after the listing.
    name(generation, 5, is_public=False)
    assert delete_orphans(orphans) == 1
    connection.close()
    assert [type(one) for one in own(generation)] == [Missing, Missing]
    assert private_storage().exists(orphans[1].key)


def test_command_lists_them_and_exits_with_1(generation):
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("check_objects", "--older-than", "0", "--json", stdout=out)

    assert ended.value.code == 1
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    prefix = request_prefix(generation.organization_id, generation.id)
    assert f"{prefix}2.png" in {line.get("orphan") for line in lines}
    assert f"{prefix}1.png" in {line.get("missing") for line in lines}
    assert lines[-1]["missing"] >= 2
    assert lines[-1]["deleted"] == 0


def test_young_objects_are_no_orphans_and_another_database_deletes_nothing(generation):
    fresh = compare_objects(older_than=timedelta(hours=1))
    assert {type(one) for one in fresh} <= {Missing}
    Artifact.objects.all().delete()
    with pytest.raises(KeepingError, match="no artifact at all"):
        delete_orphans([Orphan(public_storage().bucket_name, "x", 1, now())])


def test_orphans_are_two_hours_old_at_least():
    with pytest.raises(CommandError, match="two hours at the earliest"):
        call_command("check_objects", "--older-than", "1")


def test_rows_are_read_in_the_order_of_bytes_page_by_page(source):
    with working_on(source):
        generation = add_generation(open_key(), status="succeeded", finished_at=now())
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO gateway_artifact (id, generation_id, index, is_public, key,"
                " content_type, sha256, size_bytes, width, height, revised_prompt, created_at)"
                " SELECT gen_random_uuid(), %s, n, true, md5(n::text) || '/0.png', 'image/png',"
                " sha256('x'), 1, 1, 1, '', now() FROM generate_series(1, 2500) AS n",
                [generation.id],
            )
        rows = list(objects._named(is_public=True))
    keys = [row.key for row in rows if row.key[32] == "/"]

    assert len(keys) == 2500
    assert keys == sorted(keys)
