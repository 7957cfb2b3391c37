"""The file of a backup: a tar of a head, the dump in parts, and the manifest at the end.

Parts have a known size, so that a dump of unknown size can be written to a pipe in bounded memory;
without a key `tar -xf FILE && cat dump.* | pg_restore` reads it with no other program. With a key
each member is sealed by AES-256-GCM under a key of this backup's own, with its name as associated
data: parts can be neither changed nor exchanged, within a backup or between two.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.services.keeping.errors import DamagedBackupError

FORMAT: Final = 1
PART_BYTES: Final = 16 * 1024 * 1024
HEAD: Final = "lienzo-backup.json"
MANIFEST: Final = "manifest.json"
_PART: Final = "dump."
_SEALED: Final = ".sealed"
_CIPHER: Final = "aes-256-gcm"
_INFO: Final = b"lienzo backup"
_NONCE_BYTES: Final = 12
_MOST_BYTES: Final = PART_BYTES + 1024


class BackupWriter:
    """Writes one backup to a stream that need not be seekable."""

    def __init__(self, stream: BinaryIO, *, backup_id: UUID, key: str) -> None:
        self.size_bytes = 0
        self.dump_bytes = 0
        self.parts = 0
        self._stream = stream
        self._digest = hashlib.sha256()
        self._members = 0
        self._buffer = bytearray()
        head = {"format": FORMAT, "id": str(backup_id), "cipher": _CIPHER if key else None}
        self._add(HEAD, json.dumps(head).encode())
        self._seal = _cipher(key, backup_id) if key else None

    @property
    def sha256(self) -> str:
        """Return the hex digest of the dump so far."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Add a piece of the dump."""
        self._digest.update(data)
        self.dump_bytes += len(data)
        self._buffer += data
        while len(self._buffer) >= PART_BYTES:
            self._add_part(bytes(self._buffer[:PART_BYTES]))
            del self._buffer[:PART_BYTES]

    def end_dump(self) -> None:
        """Write what is left of the dump; the digest and the number of parts are final then."""
        if self._buffer:
            self._add_part(bytes(self._buffer))
            self._buffer.clear()

    def finish(self, manifest: dict[str, Any]) -> None:
        """Write the manifest and the end of the file."""
        self._add(MANIFEST, json.dumps(manifest, indent=1).encode())
        self._write(bytes(2 * tarfile.BLOCKSIZE))

    def _add_part(self, data: bytes) -> None:
        self._add(f"{_PART}{self.parts:06d}", data)
        self.parts += 1

    def _add(self, name: str, data: bytes) -> None:
        if self._members and self._seal is not None:
            name += _SEALED
            data = self._seal.encrypt(_nonce(self._members), data, name.encode())
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o600
        self._write(info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE))
        self._members += 1

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self.size_bytes += len(data)


@dataclass(slots=True)
class _Reading:
    """What was read so far of one file."""

    keys: Sequence[str]
    backup_id: UUID | None = None
    is_sealed: bool = False
    seal: AESGCM | None = None
    members: int = 0
    parts: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    manifest: dict[str, Any] | None = None


def read_manifest(stream: BinaryIO, *, keys: Sequence[str]) -> dict[str, Any]:
    """Read a whole backup and return its manifest.

    Args:
        stream: At its beginning.
        keys: Any of which may have sealed it.

    Raises:
        DamagedBackupError: Something is missing, changed, or sealed by a key that is not there.
    """
    reading = _Reading(keys)
    for _ in _parts(stream, reading):
        pass
    manifest = reading.manifest
    if manifest is None:
        raise DamagedBackupError("The file ends before the backup's manifest: it is cut short.")
    dump = manifest.get("dump", {})
    if (dump.get("parts"), dump.get("sha256")) != (reading.parts, reading.digest.hexdigest()):
        raise DamagedBackupError("The dump is not the one that the manifest describes.")
    return manifest


def read_dump(stream: BinaryIO, *, keys: Sequence[str]) -> Iterator[bytes]:
    """Yield the dump of a backup whose manifest was read before.

    Raises:
        DamagedBackupError: As `read_manifest`.
    """
    return _parts(stream, _Reading(keys))


def _parts(stream: BinaryIO, reading: _Reading) -> Iterator[bytes]:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                data = _data_of(archive, member)
                name = _take(reading, member.name, data)
                if name.startswith(_PART):
                    plain = _open(reading, member.name, data)
                    reading.digest.update(plain)
                    reading.parts += 1
                    yield plain
                elif name == MANIFEST:
                    reading.manifest = json.loads(_open(reading, member.name, data))
                reading.members += 1
    except (tarfile.TarError, EOFError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DamagedBackupError(f"The file is no backup, or is damaged: {error}.") from error


def _data_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if not member.isreg() or member.size > _MOST_BYTES:
        raise DamagedBackupError(f"The file is no backup: it has {member.name!r}.")
    file = archive.extractfile(member)
    data = b"" if file is None else file.read()
    if len(data) != member.size:
        raise DamagedBackupError("The file is cut short.")
    return data


def _take(reading: _Reading, name: str, data: bytes) -> str:
    """Return a member's plain name, if it may come at this place."""
    if reading.members == 0:
        if name != HEAD:
            raise DamagedBackupError("The file is no backup of Lienzo.")
        head = json.load(io.BytesIO(data))
        if head.get("format") != FORMAT or head.get("cipher") not in {None, _CIPHER}:
            raise DamagedBackupError(
                f"The backup has format {head.get('format')}; this version reads {FORMAT}."
            )
        reading.backup_id = UUID(head["id"])
        reading.is_sealed = head["cipher"] is not None
        return name
    suffix = _SEALED if reading.is_sealed else ""
    if reading.manifest is None and name in {
        f"{_PART}{reading.parts:06d}{suffix}",
        MANIFEST + suffix,
    }:
        return name.removesuffix(_SEALED)
    raise DamagedBackupError(f"The backup is damaged: {name!r} comes out of turn.")


def _open(reading: _Reading, name: str, data: bytes) -> bytes:
    if not reading.is_sealed:
        return data
    assert reading.backup_id is not None  # noqa: S101 - the head came first
    ciphers = (
        [reading.seal]
        if reading.seal is not None
        else [_cipher(key, reading.backup_id) for key in reading.keys]
    )
    for cipher in ciphers:
        try:
            plain = cipher.decrypt(_nonce(reading.members), data, name.encode())
        except InvalidTag:
            continue
        reading.seal = cipher
        return plain
    if reading.seal is None:
        raise DamagedBackupError(
            "The backup is encrypted, and none of BACKUP_ENCRYPTION_KEYS opens it."
        )
    raise DamagedBackupError(f"The backup is damaged: {name!r} was changed.")


def _cipher(key: str, backup_id: UUID) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=32, salt=backup_id.bytes, info=_INFO)
    return AESGCM(derived.derive(key.encode()))


def _nonce(number: int) -> bytes:
    """Return a nonce that its key, which is this backup's own, sees once."""
    return number.to_bytes(_NONCE_BYTES, "big")
