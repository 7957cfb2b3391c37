"""Objects against the rows that name them, both ways, in bounded memory.

Both sides come in the order of keys, as S3 lists and PostgreSQL sorts bytes, and are merged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import psycopg
from django.db import connection

from core.clock import now as clock_now
from gateway.models import Artifact
from gateway.services.keeping.errors import KeepingError
from gateway.storage import ImageStorage, StoredObject, private_storage, public_storage

# Partial images and images sent along have no row; they are gone within two hours.
LEAST_AGE: Final = timedelta(hours=2)
BATCH: Final = 1000
# What names an object; the id is set where it is an artifact, whose object must be there.
_NAMED: Final = """
SELECT key, id::text FROM gateway_artifact WHERE deleted_at IS NULL AND is_public = %(is_public)s
UNION ALL
SELECT thumbnail.key, NULL FROM gateway_thumbnail AS thumbnail
JOIN gateway_artifact AS artifact ON artifact.id = thumbnail.artifact_id
WHERE artifact.deleted_at IS NULL AND NOT %(is_public)s
UNION ALL
SELECT key, NULL FROM gateway_export WHERE status <> 'expired' AND key <> '' AND NOT %(is_public)s
"""


class _Named(NamedTuple):
    key: str
    artifact_id: str | None


@dataclass(frozen=True, slots=True)
class Missing:
    """An artifact whose object is not there."""

    bucket: str
    key: str
    artifact_id: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object that no row names, older than the age asked for."""

    bucket: str
    key: str
    size_bytes: int
    stored_at: datetime


def compare_objects(*, older_than: timedelta) -> Iterator[Missing | Orphan]:
    """Yield what is on one side alone, bucket by bucket, in the order of keys.

    Rows are read as of the beginning of each bucket's listing; what changed since is looked at
    again before it is yielded. Takes no lock, and holds no transaction while S3 is read.

    Args:
        older_than: Younger objects are no orphans: their rows may still be on their way.

    Raises:
        KeepingError: The age is too small, or the server does not list in the order of keys.
        StorageError: S3 cannot be read.
    """
    if older_than < LEAST_AGE:
        raise KeepingError("Objects are orphans after two hours at the earliest.")
    before = clock_now() - older_than
    for storage, is_public in ((public_storage(), True), (private_storage(), False)):
        missing: list[_Named] = []
        for found in _merge(_named(is_public), _in_order(storage)):
            if isinstance(found, StoredObject):
                if found.last_modified < before:
                    yield Orphan(storage.bucket_name, found.key, found.size, found.last_modified)
                continue
            missing.append(found)
            if len(missing) == BATCH:
                yield from _still_missing(missing, storage)
                missing.clear()
        yield from _still_missing(missing, storage)


def delete_orphans(orphans: list[Orphan]) -> int:
    """Delete objects that still no row names, of one listing; return how many.

    Raises:
        KeepingError: There is no artifact at all: these are another database's objects.
        StorageError: S3 refused.
    """
    if not Artifact.objects.exists():
        raise KeepingError("This database has no artifact at all. Nothing was deleted.")
    named = _now_named([orphan.key for orphan in orphans])
    connection.close()
    deleted = 0
    for storage in (public_storage(), private_storage()):
        keys = [
            orphan.key
            for orphan in orphans
            if orphan.bucket == storage.bucket_name and orphan.key not in named
        ]
        storage.delete_keys(keys)
        deleted += len(keys)
    return deleted


def _named(is_public: bool) -> Iterator[_Named]:  # noqa: FBT001 - the bucket's
    """Yield the keys that rows name, in the order of their bytes.

    The server sorts them once and keeps the result beyond the transaction, for a session of its
    own, from which they are taken page by page.
    """
    params = {**connection.get_connection_params(), "autocommit": True}
    with psycopg.connect(**params) as session:
        session.execute("SET statement_timeout = 0")
        cursor = psycopg.ServerCursor(session, "named", withhold=True)
        cursor.itersize = BATCH
        with cursor:
            query = f'SELECT * FROM ({_NAMED}) AS named ORDER BY key COLLATE "C"'  # noqa: S608 - a constant
            for row in cursor.execute(query, {"is_public": is_public}):
                yield _Named(*row)


def _in_order(storage: ImageStorage) -> Iterator[StoredObject]:
    last = b""
    for found in storage.list_prefix(""):
        key = found.key.encode()
        if key <= last:
            raise KeepingError(f"{storage.bucket_name} is not listed in the order of its keys.")
        last = key
        yield found


def _merge(
    named: Iterator[_Named], listed: Iterator[StoredObject]
) -> Iterator[_Named | StoredObject]:
    """Yield artifacts that are not listed, and objects that are not named."""
    row, found = next(named, None), next(listed, None)
    while row is not None or found is not None:
        if found is None or (row is not None and row.key.encode() < found.key.encode()):
            assert row is not None  # noqa: S101 - one of them is there
            if row.artifact_id is not None:
                yield row
            row = next(named, None)
        elif row is None or found.key.encode() < row.key.encode():
            yield found
            found = next(listed, None)
        else:
            row, found = next(named, None), next(listed, None)


def _still_missing(missing: list[_Named], storage: ImageStorage) -> list[Missing]:
    """Return those whose image was not deleted while the bucket was listed."""
    ids = [row.artifact_id for row in missing if row.artifact_id is not None]
    present = Artifact.objects.filter(id__in=ids, deleted_at__isnull=True)
    found = {str(one) for one in present.values_list("id", flat=True)}
    connection.close()
    return [
        Missing(storage.bucket_name, row.key, row.artifact_id)
        for row in missing
        if row.artifact_id is not None and row.artifact_id in found
    ]


def _now_named(keys: list[str]) -> set[str]:
    parts = [_NAMED.replace("%(is_public)s", flag) for flag in ("true", "false")]
    query = f"SELECT key FROM ({' UNION ALL '.join(parts)}) AS named WHERE key = ANY(%(keys)s)"  # noqa: S608 - constants
    with connection.cursor() as cursor:
        cursor.execute(query, {"keys": keys})
        return {key for (key,) in cursor.fetchall()}
