"""Generations as a resource: listed, looked up, canceled and deleted."""

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.clock import now
from core.ids import parse_request_id, request_id
from gateway.api.answers import dropped_header, generation_resource, headers_of, poll_header
from gateway.api.authentication import caller_of, django_request
from gateway.api.delivery import ClientSocket
from gateway.api.generating import edit, generate
from gateway.api.streaming import attach
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.parameters.fields import Body, text_field, word_field
from gateway.parameters.queries import instant_parameter, number_parameter, read_query
from gateway.selectors.generations import get_generation
from gateway.selectors.listing import STATUSES, Filters, find_cursor, list_generations
from gateway.services.requests.cancellation import withdraw_generation
from gateway.services.requests.estimates import estimate
from gateway.types import Operation
from orgs.services.api_keys import Caller

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
# As long as what is stored of each.
MAX_LENGTHS = {"idempotency_key": 255, "client_request_id": 512, "user": 512, "model": 100}
PARAMETERS = frozenset(
    {*MAX_LENGTHS, "limit", "after", "status", "created_after", "created_before"}
)


class GenerationsView(APIView):
    """`/v1/images/generations`."""

    def post(self, request: Request) -> HttpResponseBase:
        """Generate images and wait for them, or answer at once where the caller prefers that."""
        caller = caller_of(request, scope="images:write")
        return generate(django_request(request), caller)

    def get(self, request: Request) -> Response:
        """List the organization's generations, newest first."""
        caller = caller_of(request, scope="images:read")
        return _list(django_request(request), caller)


class EditsView(APIView):
    """`/v1/images/edits`."""

    def post(self, request: Request) -> HttpResponseBase:
        """Edit the images of a form by its prompt; answers as a generation does."""
        caller = caller_of(request, scope="images:write")
        return edit(django_request(request), caller, Operation.EDIT)


class VariationsView(APIView):
    """`/v1/images/variations`."""

    def post(self, request: Request) -> HttpResponseBase:
        """Vary the image of a form; answers as a generation does."""
        caller = caller_of(request, scope="images:write")
        return edit(django_request(request), caller, Operation.VARIATION)


class GenerationView(APIView):
    """`/v1/images/generations/{id}`."""

    def get(self, request: Request, generation_id: str) -> HttpResponseBase:
        """Return a generation's status, images, cost and attempts; its events with `stream`."""
        caller = caller_of(request, scope="images:read")
        if word_field(request.query_params, "stream", ("true", "false")) == "true":
            client = ClientSocket(django_request(request))
            return attach(caller, _uuid(generation_id), client=client)
        view = get_generation(
            organization_id=caller.organization_id, generation_id=_uuid(generation_id)
        )
        expected = estimate(view=view, now=now())
        headers = headers_of(view) | poll_header(expected)
        return Response(generation_resource(view, expected), headers=headers)

    def delete(self, request: Request, generation_id: str) -> Response:
        """Cancel a queued generation, or delete the images of one that has ended."""
        caller = caller_of(request, scope="images:write")
        uuid = _uuid(generation_id)
        withdraw_generation(caller=caller, generation_id=uuid, now=now())
        view = get_generation(organization_id=caller.organization_id, generation_id=uuid)
        return Response(generation_resource(view), headers=headers_of(view))


def _uuid(text: str) -> UUID:
    uuid = parse_request_id(text)
    if uuid is None:
        raise NotFoundError("No such generation.")
    return uuid


def _list(request: HttpRequest, caller: Caller) -> Response:
    query, ignored = read_query(request.GET.lists(), PARAMETERS)
    limit = number_parameter(query, "limit", low=1, high=MAX_LIMIT) or DEFAULT_LIMIT
    filters = Filters(
        idempotency_key=_text(query, "idempotency_key"),
        client_request_id=_text(query, "client_request_id"),
        user=_text(query, "user"),
        status=word_field(query, "status", STATUSES),
        model=_text(query, "model"),
        created_after=instant_parameter(query, "created_after"),
        created_before=instant_parameter(query, "created_before"),
    )
    page = list_generations(
        organization_id=caller.organization_id,
        filters=filters,
        limit=limit,
        after=_cursor(query, caller),
    )
    shown = page.generations
    return Response(
        {
            "object": "list",
            "data": [generation_resource(view) for view in shown],
            "has_more": page.has_more,
            "first_id": request_id(shown[0].id) if shown else None,
            "last_id": request_id(shown[-1].id) if shown else None,
        },
        headers=dropped_header(ignored),
    )


def _text(query: Body, name: str) -> str | None:
    return text_field(query, name, max_length=MAX_LENGTHS[name])


def _cursor(query: Body, caller: Caller) -> tuple[datetime, UUID] | None:
    text = text_field(query, "after")
    if text is None:
        return None
    uuid = parse_request_id(text)
    if uuid is not None:
        created_at = find_cursor(organization_id=caller.organization_id, generation_id=uuid)
        if created_at is not None:
            return created_at, uuid
    raise InvalidRequestError("`after` is not the id of a generation.", param="after")
