"""Files of a form as they arrive: to disk, with a digest of each."""

import hashlib
import tempfile
from contextlib import ExitStack
from typing import Any, BinaryIO

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from gateway.parameters.edit import FILE_FIELDS
from gateway.parameters.files import SentFile


class FileKeeper(FileUploadHandler):
    """Writes each file to disk, without a name there, and takes its digest on the way.

    Attributes:
        files: In the order of the form; open until the stack that keeps them is left.
    """

    def __init__(self, kept: ExitStack) -> None:
        super().__init__()
        self.files: list[SentFile] = []
        self._kept = kept
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()

    @property
    def is_whole(self) -> bool:
        """Return whether the last file had its end."""
        return self._file is None

    def new_file(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        """Begin a file; those of other fields are read past."""
        super().new_file(*args, **kwargs)
        if self.field_name not in FILE_FIELDS:
            raise SkipFile
        file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - the form leaves it
        self._file = self._kept.enter_context(file)
        self._digest = hashlib.sha256()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Take some of it."""
        assert self._file is not None  # noqa: S101 - Django has called new_file
        self._file.write(raw_data)
        self._digest.update(raw_data)

    def file_complete(self, file_size: int | None) -> "UploadedFile[bytes] | None":
        """End it."""
        file = self._file
        assert file is not None  # noqa: S101 - as above
        size = file.tell()
        self.files.append(
            SentFile(
                name=self.field_name or "",
                file=file,
                sha256=self._digest.hexdigest(),
                size_bytes=size,
            )
        )
        self._file = None
        return UploadedFile(file, self.file_name, self.content_type, size)
