"""The web worker: gunicorn's for gevent, answering unreadable requests in the error envelope.

Nothing of Django is imported at module level: the master imports this before a worker is patched.
"""

import socket

from gunicorn import util
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.ggevent import GeventWorker


class EnvelopeWorker(GeventWorker):
    """A gevent worker whose own errors have the API's shape."""

    def handle_error(
        self, req: object, client: socket.socket, addr: object, exc: BaseException
    ) -> None:
        """Answer what could not be parsed, or what broke outside the application."""
        from core.errors import Category  # noqa: PLC0415
        from core.ids import new_uuid, request_id  # noqa: PLC0415
        from gateway.api.errors import INTERNAL_MESSAGE, SHAPES, as_response, envelope  # noqa: PLC0415

        category, code = Category.INTERNAL, "internal_error"
        message = INTERNAL_MESSAGE
        if isinstance(exc, LimitRequestLine | LimitRequestHeaders):
            category, code = Category.TOO_LARGE, "request_too_large"
            message = "The request's URL or headers are too long."
        elif isinstance(exc, ParseException):
            category, code = Category.INVALID_REQUEST, "invalid_value"
            message = "The request is not valid HTTP."
        if category is Category.INTERNAL:
            self.log.error("Error handling request", exc_info=exc)
        else:
            self.log.warning("Refused a request: %s", type(exc).__name__)
        response = as_response(
            envelope(
                SHAPES[category],
                message=message,
                code=code,
                retryable=category is Category.INTERNAL,
            )
        )
        response.headers["X-Request-Id"] = request_id(new_uuid())
        response.headers["Connection"] = "close"
        response.headers["Content-Length"] = str(len(response.content))
        head = f"HTTP/1.1 {response.status_code} {response.reason_phrase}\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
        try:
            util.write_nonblock(client, head.encode() + lines.encode() + b"\r\n" + response.content)
        except OSError:
            self.log.debug("The caller of a refused request has gone.")
