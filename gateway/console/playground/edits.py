"""Editing in the playground: a form with files, read to disk within limits."""

from contextlib import ExitStack
from typing import Final

import gevent
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from core.clock import now
from core.errors import AppError
from gateway.console.playground.form import Sent
from gateway.console.playground.page import PlaygroundPage
from gateway.console.playground.results import refusal_of
from gateway.errors import InvalidRequestError, RequestTooLargeError
from gateway.parameters.files import SentFile
from gateway.parameters.uploads import FileKeeper
from gateway.services.playground.editing import edit_in_console
from gateway.storage import release_connections
from gateway.types import Operation

# For the whole form; a slow line carries 1 MB in 3 s.
UPLOAD_S: Final = 600


# The token stands in the form, which may be read only once it is known who sends how much.
@method_decorator(csrf_exempt, name="dispatch")
class PlaygroundEditView(PlaygroundPage):
    """What comes of sending images to edit or to vary."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Ask each chosen model, and show what is on its way."""
        with ExitStack() as kept:
            keeper = FileKeeper(kept)
            try:
                _read(request, keeper)
            except AppError as error:
                return self._refused(error)
            return csrf_protect(lambda _: self._run(keeper.files))(request)

    def _run(self, files: list[SentFile]) -> HttpResponse:
        caller = self.caller()
        masks = sum(one.param == "mask" for one in files)
        came = Sent(uploads=len(files) - masks, has_mask=masks > 0)
        data = self.request.POST
        choice, offered = self.choice(data, caller, came)
        operation = choice.operation
        try:
            batch = edit_in_console(
                caller=caller,
                operation=Operation.EDIT if operation is Operation.GENERATION else operation,
                body=choice.body(),
                models=[one.id for one in choice.models],
                sources=choice.sent.sources,
                files=files,
                submission_key=data.get("submission_key", "")[:64],
                now=now(),
            )
        except AppError as error:
            return self.page(choice, offered, refusals=[refusal_of("", error)])
        return self.results(choice, offered, batch)

    def _refused(self, error: AppError) -> HttpResponse:
        """Show a form that was not read as empty, with the reason."""
        page = self.choice(self.request.GET, self.caller())
        return self.page(*page, refusals=[refusal_of("", error)])


def _read(request: HttpRequest, keeper: FileKeeper) -> None:
    """Read the form; no database connection is held meanwhile.

    Raises:
        RequestTooLargeError: It is longer than `UPLOAD_MAX_BYTES`; nothing of it was read.
        InvalidRequestError: It is malformed, has too many parts, or takes too long.
    """
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdecimal() or int(declared) > settings.UPLOAD_MAX_BYTES:
        raise RequestTooLargeError(f"The form is larger than {settings.UPLOAD_MAX_BYTES} bytes.")
    request.upload_handlers = [keeper]
    release_connections()
    try:
        with gevent.Timeout(UPLOAD_S):
            request.POST  # noqa: B018 - read as it is first looked at
    except (
        *(MultiPartParserError, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent),
        gevent.Timeout,
    ) as error:
        raise InvalidRequestError(f"The form cannot be read: {error}") from error
