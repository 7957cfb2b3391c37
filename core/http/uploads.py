"""Bodies that are read while they are sent: forms with files, and JSON with files in base64.

No more of a file is held than the chunk on its way.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

import orjson
import pybase64
from urllib3.fields import RequestField
from urllib3.filepost import choose_boundary

from core.http.errors import UploadFailed

# Base64 turns each three bytes into four characters.
_GROUP = 3


class Source(Protocol):
    """Bytes that can be read, more than once if the body is sent again."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def chunks(self) -> Iterator[bytes]:
        """Read them from the beginning.

        Raises:
            UploadFailed: They cannot be read.
        """


@dataclass(frozen=True, slots=True)
class FileField:
    """One file of a form."""

    name: str
    filename: str
    content_type: str
    source: Source


@dataclass(frozen=True, slots=True)
class Base64File:
    """A value within JSON: a file in base64, or in a `data:` URI if its content type is given."""

    source: Source
    data_uri_type: str = ""


class Upload:
    """A body of known length. Iterating over it reads its sources anew."""

    def __init__(self, parts: Sequence[bytes | Source | Base64File], *, content_type: str) -> None:
        self.content_type = content_type
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(_length, self._parts))

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body.

        Raises:
            UploadFailed: A source cannot be read, or is not as long as it said.
        """
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
            elif isinstance(part, Base64File):
                yield from _encoded(part.source)
            else:
                yield from _exactly(part)


def form_upload(fields: Iterable[tuple[str, str]], files: Iterable[FileField]) -> Upload:
    """Return multipart/form-data (RFC 7578): text fields, then files; a name may repeat."""
    boundary = choose_boundary()
    parts: list[bytes | Source | Base64File] = []
    for name, value in fields:
        field = RequestField(name, value)
        field.make_multipart()
        parts.append(_head(boundary, field) + value.encode() + b"\r\n")
    for file in files:
        field = RequestField(file.name, b"", filename=file.filename)
        field.make_multipart(content_type=file.content_type)
        parts += (_head(boundary, field), file.source, b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode("ascii"))
    return Upload(parts, content_type=f"multipart/form-data; boundary={boundary}")


def json_upload(payload: object) -> Upload:
    """Return JSON in which each `Base64File` stands as the text of its file."""
    files: list[Base64File] = []
    # Stands in for the next file; nobody can have put it into the payload.
    mark = uuid4().hex

    def stand_in(value: object) -> str:
        if not isinstance(value, Base64File):
            raise TypeError(f"{type(value).__name__} has no form in JSON")
        files.append(value)
        return mark

    # Without the option orjson would write the data class itself.
    text = orjson.dumps(payload, default=stand_in, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    texts = text.split(mark.encode("ascii"))
    parts: list[bytes | Source | Base64File] = [texts[0]]
    for file, following in zip(files, texts[1:], strict=True):
        if file.data_uri_type:
            parts.append(f"data:{file.data_uri_type};base64,".encode("ascii"))
        parts += (file, following)
    return Upload(parts, content_type="application/json")


def _head(boundary: str, field: RequestField) -> bytes:
    return f"--{boundary}\r\n{field.render_headers()}".encode()


def _length(part: bytes | Source | Base64File) -> int:
    if isinstance(part, bytes):
        return len(part)
    if isinstance(part, Base64File):
        return 4 * -(-part.source.size // _GROUP)
    return part.size


def _exactly(source: Source) -> Iterator[bytes]:
    """Yield a source's bytes; a body of another length than announced would confuse its reader."""
    total = 0
    for chunk in source.chunks():
        total += len(chunk)
        if total > source.size:
            break
        yield chunk
    if total != source.size:
        raise UploadFailed(f"a file of {source.size} bytes has another length")


def _encoded(source: Source) -> Iterator[bytes]:
    rest = b""
    for chunk in _exactly(source):
        data = rest + chunk
        whole = len(data) - len(data) % _GROUP
        yield pybase64.b64encode(data[:whole])
        rest = data[whole:]
    if rest:
        yield pybase64.b64encode(rest)
