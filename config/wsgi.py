"""The WSGI application that gunicorn's gevent workers serve.

The API's paths and the console's have a handler each, so that a call of the API passes nothing but
the API's own middleware: no sessions, no languages, no policies of pages.
"""

import os
from collections.abc import Iterable
from typing import Final
from wsgiref.types import StartResponse, WSGIEnvironment

import django
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

API_PREFIXES: Final = (
    "/v1",
    "/generated-images/",
    "/healthz",
    "/readyz",
    "/docs",
    "/openapi.json",
    "/llms.txt",
)


class ApiHandler(WSGIHandler):
    """Serves the API with `settings.API_MIDDLEWARE`, none of which looks at views."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's
        """Build the chain as Django does, of another list."""
        self._view_middleware: list[object] = []
        self._template_response_middleware: list[object] = []
        self._exception_middleware: list[object] = []
        handler = convert_exception_to_response(
            self._get_response  # type: ignore[attr-defined] # not in the stubs
        )
        for path in reversed(settings.API_MIDDLEWARE):
            handler = convert_exception_to_response(import_string(path)(handler))
        self._middleware_chain = handler


django.setup(set_prefix=False)
_api = ApiHandler()
_console = WSGIHandler()


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Serve a request by the handler of its path."""
    handler = _api if environ["PATH_INFO"].startswith(API_PREFIXES) else _console
    return handler(environ, start_response)
