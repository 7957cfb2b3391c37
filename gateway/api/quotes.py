"""`/v1/images/quotes`: what a request would cost, promised for ten minutes."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.money import format_amount
from core.clock import now
from core.ids import quote_id
from gateway.api.answers import dropped_header
from gateway.api.authentication import caller_of, django_request
from gateway.api.bodies import parse_json, read_body
from gateway.errors import UnsupportedValueError
from gateway.parameters.fields import int_field
from gateway.parameters.files import MAX_INPUTS
from gateway.parameters.generation import parse_generation
from gateway.services.requests.quotes import QuoteView, create_quote
from orgs.services.api_keys import require_active


class QuotesView(APIView):
    """`/v1/images/quotes`."""

    def post(self, request: Request) -> Response:
        """Quote a generation: the body is that of one, `input_images` counts what to edit."""
        caller = caller_of(request, scope="images:write")
        body = parse_json(read_body(django_request(request)))
        require_active(caller=caller)
        inputs = _take_inputs(body)
        parsed = parse_generation(body, default_model=caller.default_model or None)
        if inputs > parsed.model.max_inputs + 1:
            raise UnsupportedValueError(
                f"{parsed.model.id} edits {parsed.model.max_inputs} images at most.",
                param="input_images",
            )
        quote = create_quote(caller=caller, request=parsed, now=now(), inputs=inputs)
        return Response(_resource(quote), headers=dropped_header(parsed.dropped))


def _take_inputs(body: object) -> int:
    """Take the number of images sent along, masks included, out of a body that may have it."""
    if not isinstance(body, dict):
        return 0
    inputs = int_field(body, "input_images", low=0, high=MAX_INPUTS + 1) or 0
    body.pop("input_images", None)
    return inputs


def _resource(quote: QuoteView) -> dict[str, object]:
    return {
        "object": "quote",
        "id": quote_id(quote.id),
        "amount": format_amount(quote.amount_micros, quote.currency),
        "unit_amount": format_amount(quote.unit_micros, quote.currency),
        "images": quote.images,
        "input_images": quote.inputs,
        "currency": quote.currency,
        "expires_at": int(quote.expires_at.timestamp()),
        "model": quote.model,
        "size": quote.size,
        "quality": quote.quality,
        "livemode": quote.livemode,
    }
