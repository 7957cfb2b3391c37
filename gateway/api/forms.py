"""Reading forms with files: to disk as they come, within limits, with a digest of each."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from core.telemetry import context
from gateway.api.bodies import LENGTH, read_some
from gateway.errors import InvalidRequestError, RequestTooLargeError
from gateway.parameters.files import SentFile
from gateway.parameters.uploads import FileKeeper

_MULTIPART: Final = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Form:
    """A form's text fields and its files, which are on disk until it is left.

    Attributes:
        fields: Of fields of one name the last.
        files: In the order of the form.
    """

    fields: Mapping[str, str]
    files: Sequence[SentFile]
    _kept: ExitStack

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._kept.close()

    @property
    def canonical(self) -> dict[str, object]:
        """Return what makes two forms the same request: fields, and digests of files."""
        return {
            "fields": dict(self.fields),
            "files": [[sent.param, sent.sha256] for sent in self.files],
        }


def read_form(request: HttpRequest) -> Form:
    """Read a form of fixed length or chunked; leave it, to delete its files.

    Raises:
        RequestTooLargeError: It is longer than `UPLOAD_MAX_BYTES`, or its text is than a JSON body
            may be.
        InvalidRequestError: It is no form, or is malformed, cut, or has too many parts.
    """
    content_type = request.META.get("CONTENT_TYPE", "")
    if content_type.partition(";")[0].strip().lower() != _MULTIPART:
        raise InvalidRequestError(
            "Send the images as multipart/form-data, with a file in the field `image`.",
            param="image",
        )
    with ExitStack() as kept:
        keeper = FileKeeper(kept)
        body = _Body(request, limit=settings.UPLOAD_MAX_BYTES)
        # The parser uses the length only to tell an empty body from others.
        meta = {**request.META, "CONTENT_LENGTH": str(body.announced or settings.UPLOAD_MAX_BYTES)}
        try:
            fields, _ = MultiPartParser(meta, body, [keeper], "utf-8").parse()  # type: ignore[arg-type]
        except RequestDataTooBig as error:
            raise RequestTooLargeError("The form has too much text.") from error
        except (MultiPartParserError, TooManyFieldsSent, TooManyFilesSent) as error:
            raise InvalidRequestError(f"The form cannot be read: {error}") from error
        if not keeper.is_whole:
            raise InvalidRequestError("The form ended within a file.", param="image")
        texts = {name: values[-1] for name, values in fields.lists() if values}
        context.conceal(texts.get("prompt"))
        return Form(texts, keeper.files, kept.pop_all())


class _Body:
    """The body as a file that is read within limits of size and time."""

    def __init__(self, request: HttpRequest, *, limit: int) -> None:
        declared = request.META.get("CONTENT_LENGTH") or ""
        self.announced = int(declared) if LENGTH.fullmatch(declared) else None
        self._request = request
        self._limit = limit
        self._total = 0
        if self.announced is not None and self.announced > limit:
            raise _too_large(limit)

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes."""
        if self.announced is not None:
            size = min(size, self.announced - self._total)
        chunk = read_some(self._request, size) if size > 0 else b""
        self._total += len(chunk)
        if self._total > self._limit:
            raise _too_large(self._limit)
        return chunk


def _too_large(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"The form is larger than {limit} bytes.")
