"""Views of models and the balance, and probes."""

from functools import cache
from uuid import UUID

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import View
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.money import format_amount
from billing.selectors.balances import get_balance
from billing.selectors.credits.grants import list_own_grants
from billing.types import BalanceView as Balance
from core.clock import now
from gateway.api.answers import lifecycle_headers
from gateway.api.authentication import caller_of
from gateway.api.errors import answer_to, as_response
from gateway.api.models import model_resources
from gateway.catalog.registry import catalog
from gateway.errors import MethodNotAllowedError, ModelNotAllowedError, ModelNotFoundError
from gateway.services.processes import Kind, current_process
from gateway.services.requests.quotes import may_use_model


class ModelsView(APIView):
    """`GET /v1/models`."""

    def get(self, request: Request) -> Response:
        """List the models the caller may use, with their capabilities and prices."""
        caller = caller_of(request, scope="images:read")
        models = [one for one in catalog().models() if may_use_model(caller=caller, model=one)]
        resources = model_resources(models, caller, now())
        return Response({"object": "list", "data": resources})


class ModelView(APIView):
    """`GET /v1/models/{id}`."""

    def get(self, request: Request, model_id: str) -> Response:
        """Return one model."""
        caller = caller_of(request, scope="images:read")
        model = catalog().find(model_id)
        if model is None:
            raise ModelNotFoundError(f"The model '{model_id}' does not exist.", param="model")
        if not may_use_model(caller=caller, model=model):
            raise ModelNotAllowedError(f"You may not use the model {model_id}.", param="model")
        [resource] = model_resources([model], caller, now())
        return Response(resource, headers=lifecycle_headers(model.id))


class BalanceView(APIView):
    """`GET /v1/balance`."""

    def get(self, request: Request) -> Response:
        """Return the organization's balance."""
        caller = caller_of(request, scope="billing:read")
        balance = get_balance(organization_id=caller.organization_id)
        answer: dict[str, object] = {
            "object": "balance",
            "currency": balance.currency,
            "available": format_amount(balance.available_micros, balance.currency),
            "held": format_amount(balance.held_micros, balance.currency),
        }
        if balance.promo_micros:
            answer["promotional_credit"] = _promotional_credit(caller.organization_id, balance)
        return Response(answer)


def _promotional_credit(organization_id: UUID, balance: Balance) -> dict[str, object]:
    return {
        "available": format_amount(balance.promo_micros, balance.currency),
        "grants": [
            {
                "available": format_amount(grant.unspent_micros, grant.currency),
                "expires_at": int(grant.expires_at.timestamp()),
            }
            for grant in list_own_grants(organization_id=organization_id, now=now())
            if grant.unspent_micros
        ],
    }


class ProbeView(View):
    """A view without a key, which answers errors in the envelope all the same."""

    def http_method_not_allowed(
        self, request: HttpRequest, *_args: object, **_kwargs: object
    ) -> HttpResponse:
        """Answer a method the path does not take."""
        return as_response(answer_to(MethodNotAllowedError("This path does not take this method.")))


class HealthView(ProbeView):
    """`GET /healthz`: this process answers."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer."""
        return JsonResponse({"status": "ok"})


class NoPricesError(Exception):
    """The platform sells nothing yet."""


@cache
def require_prices() -> None:
    """Check that there are prices. Once there are, there always will be: nobody is asked again.

    Raises:
        NoPricesError: There are none, so that the next call asks again.
        DatabaseError: The database could not be asked.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM billing_priceversion)")
        [is_priced] = cursor.fetchone()
    if not is_priced:
        raise NoPricesError


class ReadinessView(ProbeView):
    """`GET /readyz`: the money path works.

    Answered from memory: behind a burst, in line for one of the pool's connections, every web
    process would seem to be down at once.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer 200 if Postgres was reachable within a lease's time and is priced, else 503."""
        try:
            require_prices()
        except NoPricesError:
            return JsonResponse({"status": "unavailable", "database": "no prices"}, status=503)
        except DatabaseError:
            is_reachable = False
        else:
            is_reachable = current_process(Kind.WEB).holds_lease
        if not is_reachable:
            return JsonResponse({"status": "unavailable", "database": "unreachable"}, status=503)
        return JsonResponse({"status": "ok"})
