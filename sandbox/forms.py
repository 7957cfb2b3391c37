"""Forms with files: multipart/form-data, as clients of image APIs send it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

from sandbox.server import Request


@dataclass(frozen=True, slots=True)
class FormFile:
    """One file of a form."""

    name: str
    filename: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A form's parts in their order: texts by name, and files."""

    texts: tuple[tuple[str, str], ...]
    files: tuple[FormFile, ...]


def read_form(request: Request) -> Form:
    """Read a form and note its files' checksums in the call log.

    Raises:
        ValueError: It is not a form, is cut off, or a text is not UTF-8.
    """
    head = Message()
    head["Content-Type"] = request.headers.get("content-type", "")
    boundary = head.get_boundary()
    if head.get_content_type() != "multipart/form-data" or not boundary:
        raise ValueError("not multipart/form-data")
    texts: list[tuple[str, str]] = []
    files: list[FormFile] = []
    for part, data in _parts(request.body, boundary.encode()):
        name = str(part.get_param("name", "", header="content-disposition"))
        filename = part.get_filename()
        if filename is None:
            texts.append((name, data.decode()))
        else:
            files.append(FormFile(name, filename, part.get_content_type(), data))
    request.entry.files = [hashlib.sha256(file.data).hexdigest() for file in files]
    return Form(tuple(texts), tuple(files))


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[Message, bytes]]:
    parser = BytesHeaderParser()
    mark = b"\r\n--" + boundary
    # The first mark has no line before it.
    start = len(mark) - 2 if body.startswith(mark[2:]) else -1
    while start >= 0 and not body.startswith(b"--", start):
        end = body.find(mark, start)
        if end < 0:
            break
        split = body.find(b"\r\n\r\n", start, end)
        if split < 0:
            break
        yield parser.parsebytes(body[start:split].lstrip() + b"\r\n\r\n"), body[split + 4 : end]
        start = end + len(mark)
    else:
        if start >= 0:
            return
    raise ValueError("the form is cut off")
