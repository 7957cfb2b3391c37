"""What answers a request that no view answered: the API's envelope, or a page."""

from django.http import HttpRequest, HttpResponse

from gateway.api import errors as api
from orgs.console import errors as console


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django itself refuses, such as a foreign Host header."""
    return api.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a refusal. The API's own never come here."""
    return console.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an unknown path, or an unknown object of a page."""
    if console.is_for_people(request):
        return console.page_not_found(request, exception)
    return api.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a crash. The traceback is in the log under the request's id."""
    if console.is_for_people(request):
        return console.server_error(request)
    return api.server_error(request)
