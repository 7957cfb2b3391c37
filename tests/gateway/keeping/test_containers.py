"""The file of a backup: what is written is read, and nothing else is."""

import io
import random
import tarfile
from uuid import UUID

import pytest

from gateway.services.keeping import containers
from gateway.services.keeping.containers import BackupWriter, read_dump, read_manifest
from gateway.services.keeping.errors import DamagedBackupError

ID = UUID("12345678-1234-5678-1234-567812345678")
PART_BYTES = 64 * 1024
DUMP = random.Random(7).randbytes(PART_BYTES + 1000)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(containers, "PART_BYTES", PART_BYTES)


def make(*, key: str = "", backup_id: UUID = ID, dump: bytes = DUMP) -> bytes:
    stream = io.BytesIO()
    writer = BackupWriter(stream, backup_id=backup_id, key=key)
    writer.write(dump)
    writer.end_dump()
    writer.finish({"rows": {}, "dump": {"parts": writer.parts, "sha256": writer.sha256}})
    assert writer.size_bytes == len(stream.getvalue())
    return stream.getvalue()


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()


def refused(data: bytes, *keys: str) -> str:
    with pytest.raises(DamagedBackupError) as refusal:
        read_manifest(io.BytesIO(data), keys=keys)
    return str(refusal.value)


@pytest.mark.parametrize("key", ["", "old"])
def test_dump_comes_back_byte_for_byte(key):
    data = make(key=key)

    assert read_manifest(io.BytesIO(data), keys=["new", "old"])["dump"]["parts"] == 2
    assert b"".join(read_dump(io.BytesIO(data), keys=["new", "old"])) == DUMP
    assert (DUMP[:1000] in data) is not bool(key)


def test_plain_backup_is_an_ordinary_tar():
    assert names(make()) == ["lienzo-backup.json", "dump.000000", "dump.000001", "manifest.json"]


@pytest.mark.parametrize("key", ["", "key"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.9999])
def test_backup_cut_anywhere_is_refused(key, share):
    data = make(key=key)

    assert refused(data[: int((len(data) - 2000) * share)], "key")


@pytest.mark.parametrize("key", ["", "key"])
@pytest.mark.parametrize("at", [0, 530, 40_000, PART_BYTES + 3000])
def test_changed_byte_is_refused(key, at):
    data = bytearray(make(key=key))
    data[at] ^= 1

    assert refused(bytes(data), "key")


def test_part_of_another_backup_under_the_same_key_is_refused():
    data = make(key="key")
    other = make(key="key", backup_id=UUID(int=1))
    start = data.index(b"dump.000000")
    mixed = (
        data[:start] + other[start : start + 512 + PART_BYTES] + data[start + 512 + PART_BYTES :]
    )

    assert "none of BACKUP_ENCRYPTION_KEYS" in refused(mixed, "key")
    assert "none of BACKUP_ENCRYPTION_KEYS" in refused(data, "another key")


def test_sealed_backup_with_a_part_left_out_is_refused():
    data = make(key="key")
    first, second = data.index(b"dump.000000"), data.index(b"dump.000001")

    assert "out of turn" in refused(data[:first] + data[second:], "key")


def test_other_files_are_refused():
    assert "no backup" in refused(b"PGDMP" + bytes(5000))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    assert "no backup of Lienzo" in refused(stream.getvalue())
    assert "format 2" in refused(make().replace(b'"format": 1', b'"format": 2', 1))
