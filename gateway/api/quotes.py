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
from gateway.parameters.generation import parse_generation
from gateway.services.requests.quotes import QuoteView, create_quote
from orgs.services.api_keys import require_active


class QuotesView(APIView):
    """`/v1/images/quotes`."""

    def post(self, request: Request) -> Response:
        """Quote a generation: the body is that of one."""
        caller = caller_of(request, scope="images:write")
        body = parse_json(read_body(django_request(request)))
        require_active(caller=caller)
        parsed = parse_generation(body, default_model=caller.default_model or None)
        quote = create_quote(caller=caller, request=parsed, now=now())
        return Response(_resource(quote), headers=dropped_header(parsed.dropped))


def _resource(quote: QuoteView) -> dict[str, object]:
    return {
        "object": "quote",
        "id": quote_id(quote.id),
        "amount": format_amount(quote.amount_micros, quote.currency),
        "unit_amount": format_amount(quote.unit_micros, quote.currency),
        "images": quote.images,
        "currency": quote.currency,
        "expires_at": int(quote.expires_at.timestamp()),
        "model": quote.model,
        "size": quote.size,
        "quality": quote.quality,
        "livemode": quote.livemode,
    }
