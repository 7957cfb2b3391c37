"""Where the payment provider tells what happened."""

import logging

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from billing.errors import ForgedEventError, PaymentsUnavailableError
from billing.services.payments.events import apply_event
from core.clock import now

logger = logging.getLogger(__name__)


@method_decorator(csrf_exempt, name="dispatch")
class StripeWebhookView(View):
    """Guarded by the signature of the body; the event is then read from Stripe itself."""

    http_method_names = ("post",)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Apply an event: 200 if it is known or none of ours, 400 if forged, 503 to try later."""
        try:
            apply_event(
                body=request.body,
                signature=request.headers.get("Stripe-Signature", ""),
                now=now(),
            )
        except ForgedEventError as error:
            logger.warning("payment.forged_event reason=%s", error)
            return HttpResponse(error.message, status=400, content_type="text/plain")
        except PaymentsUnavailableError as error:
            return HttpResponse(error.message, status=503, content_type="text/plain")
        return HttpResponse("ok", content_type="text/plain")
