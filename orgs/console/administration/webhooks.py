"""Webhooks: where events are sent, and how sending them went."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.clock import now
from core.errors import AppError
from orgs.console.failures import AdministrationView, add_failure, toast_failure
from orgs.console.widgets import Checks, described
from orgs.permissions import Permission
from orgs.selectors.webhooks import DeliveryCounts, count_deliveries, find_delivery
from orgs.services import webhooks
from orgs.services.outbox import EventType
from orgs.services.webhooks import WebhookDelivery, WebhookEndpoint, message_id

PAGE_SIZE: Final = 50
COUNTED: Final = timedelta(hours=24)
_SUCCESS: Final = 2
EVENTS: Final = {
    EventType.GENERATION_SUCCEEDED: gettext_lazy("Images were delivered"),
    EventType.GENERATION_FAILED: gettext_lazy("A generation failed"),
    EventType.GENERATION_CANCELED: gettext_lazy("A generation was canceled"),
    EventType.BALANCE_LOW: gettext_lazy("The balance is low"),
    EventType.BUDGET_REACHED: gettext_lazy("Half, 80 % or all of a budget was spent"),
    EventType.TOPUP_SUCCEEDED: gettext_lazy("Money was added"),
    EventType.TOPUP_FAILED: gettext_lazy("An automatic top-up failed"),
    EventType.CREDIT_NOTE_ISSUED: gettext_lazy("Images were refunded"),
    EventType.API_KEY_REVOKED: gettext_lazy("An API key was revoked"),
}

_ERRORS: Final = {
    "invalid_url": gettext_lazy("This is no URL"),
    "forbidden_target": gettext_lazy("The address is not public"),
    "connection_failed": gettext_lazy("No connection"),
    "connection_broken": gettext_lazy("The connection broke"),
    "timeout": gettext_lazy("No answer within 15 seconds"),
}


class WebhookForm(forms.Form):
    """Where to send what."""

    url = forms.CharField(
        label=gettext_lazy("URL"),
        max_length=2048,
        help_text=gettext_lazy("Of your server, with https. It answers 2xx within 15 seconds."),
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off"}),
    )
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Events"),
        choices=[(kind.value, described(label, kind.value)) for kind, label in EVENTS.items()],
        widget=Checks(label=gettext_lazy("Events")),
        error_messages={"required": gettext_lazy("Choose at least one.")},
    )


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """An endpoint beside how its deliveries of the last day went."""

    endpoint: WebhookEndpoint
    counts: DeliveryCounts


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Deliveries, and the cursor of the older ones."""

    rows: list[WebhookDelivery]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Try:
    """One call to the receiver, and what it answered."""

    at: datetime
    answer: str
    is_accepted: bool
    duration_ms: int


class WebhooksView(AdministrationView):
    """All webhooks of the organization."""

    permission = Permission.MANAGE_WEBHOOKS

    def get(self, request: HttpRequest) -> HttpResponse:
        """List them with their last day."""
        counts = count_deliveries(organization_id=self.organization.id, since=now() - COUNTED)
        endpoints = webhooks.list_endpoints(organization_id=self.organization.id)
        rows = [WebhookRow(one, counts.get(one.id, DeliveryCounts())) for one in endpoints]
        return render(request, "console/webhooks/list.html", {"rows": rows})


class NewWebhookView(AdministrationView):
    """Creates a webhook and shows its secret, this once."""

    permission = Permission.MANAGE_WEBHOOKS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form; what becomes of generations is what most ask for."""
        initial = {"events": [EventType.GENERATION_SUCCEEDED, EventType.GENERATION_FAILED]}
        return render(request, "console/webhooks/edit.html", {"form": WebhookForm(initial=initial)})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Create it. The answer is the only place its secret ever stands."""
        form = WebhookForm(request.POST)
        if form.is_valid():
            try:
                endpoint, secret = webhooks.create_endpoint(
                    organization_id=self.organization.id, actor=self.actor, **form.cleaned_data
                )
            except AppError as error:
                add_failure(form, error)
            else:
                return _secret_page(request, endpoint, secret)
        return render(request, "console/webhooks/edit.html", {"form": form})


class WebhookView(AdministrationView):
    """One webhook with its deliveries, and beside them one of those."""

    permission = Permission.MANAGE_WEBHOOKS

    def get(
        self, request: HttpRequest, endpoint_id: UUID, delivery_id: UUID | None = None
    ) -> HttpResponse:
        """Show it."""
        own = {"organization_id": self.organization.id, "endpoint_id": endpoint_id}
        page = self._page(request, endpoint_id)
        context = {
            "webhook": webhooks.get_endpoint(**own),
            "page": page,
            "events": EVENTS,
            "now": now(),
            "query": f"?{request.GET.urlencode()}" if request.GET else "",
        }
        if delivery_id is not None:
            delivery = find_delivery(**own, delivery_id=delivery_id)
            if delivery is None:
                raise Http404
            context |= _shown(delivery) | self._neighbors(delivery, page.rows)
        return render(request, "console/webhooks/detail.html", context)

    def _neighbors(
        self, delivery: WebhookDelivery, rows: list[WebhookDelivery]
    ) -> dict[str, object]:
        place = next((at for at, one in enumerate(rows) if one.id == delivery.id), None)
        if place is None:
            return {}
        padded = [None, *rows, None]
        return {
            "previous_url": self._url(padded[place]),
            "next_url": self._url(padded[place + 2]),
        }

    def _url(self, delivery: WebhookDelivery | None) -> str:
        if delivery is None:
            return ""
        ids = (self.organization.id, delivery.endpoint_id, delivery.id)
        names = ("organization_id", "endpoint_id", "delivery_id")
        path = reverse("webhook_delivery", kwargs=dict(zip(names, ids, strict=True)))
        return f"{path}?{query}" if (query := self.request.GET.urlencode()) else path

    def _page(self, request: HttpRequest, endpoint_id: UUID) -> DeliveryPage:
        try:
            rows, has_more = webhooks.list_deliveries(
                organization_id=self.organization.id,
                endpoint_id=endpoint_id,
                limit=PAGE_SIZE,
                after=cursor_of(request),
            )
        except AppError as error:
            # A cursor of nothing here: its delivery may have been deleted since.
            raise Http404 from error
        return DeliveryPage(rows, str(rows[-1].id) if has_more else "")


class EditWebhookView(AdministrationView):
    """Changes where a webhook goes and what it is told."""

    permission = Permission.MANAGE_WEBHOOKS

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        """Show the form."""
        endpoint = self._endpoint(endpoint_id)
        form = WebhookForm(initial={"url": endpoint.url, "events": endpoint.events})
        return self._page(request, form, endpoint)

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        """Save it."""
        endpoint = self._endpoint(endpoint_id)
        form = WebhookForm(request.POST)
        if form.is_valid():
            try:
                webhooks.change_endpoint(
                    organization_id=self.organization.id,
                    endpoint_id=endpoint_id,
                    changes=webhooks.Changes(**form.cleaned_data),
                    actor=self.actor,
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The webhook is changed."))
                return redirect(
                    "webhook", organization_id=self.organization.id, endpoint_id=endpoint_id
                )
        return self._page(request, form, endpoint)

    def _endpoint(self, endpoint_id: UUID) -> WebhookEndpoint:
        return webhooks.get_endpoint(organization_id=self.organization.id, endpoint_id=endpoint_id)

    def _page(
        self, request: HttpRequest, form: WebhookForm, endpoint: WebhookEndpoint
    ) -> HttpResponse:
        return render(request, "console/webhooks/edit.html", {"form": form, "webhook": endpoint})


class WebhookActionView(AdministrationView, ABC):
    """Something done to a webhook with a button, after which its page is shown again."""

    permission = Permission.MANAGE_WEBHOOKS

    def post(self, request: HttpRequest, **ids: UUID) -> HttpResponse:
        """Do it."""
        try:
            messages.success(request, self.act(organization_id=self.organization.id, **ids))
        except AppError as error:
            toast_failure(request, error)
        return redirect(
            "webhook", organization_id=self.organization.id, endpoint_id=ids["endpoint_id"]
        )

    @abstractmethod
    def act(self, **ids: UUID) -> str:
        """Call the service and return what was done."""


class TestWebhookView(WebhookActionView):
    """Sends an event that says nothing, to try the receiver."""

    def act(self, **ids: UUID) -> str:
        """Queue it."""
        webhooks.send_test(**ids, now=now())
        return _("A test event is on its way. Load the page again to see how it went.")


class SwitchWebhookView(WebhookActionView):
    """Switches a webhook off, or on again."""

    def act(self, **ids: UUID) -> str:
        """Switch it."""
        is_on = self.request.POST.get("on") == "1"
        webhooks.change_endpoint(
            **ids, changes=webhooks.Changes(is_enabled=is_on), actor=self.actor
        )
        return _("The webhook is switched on.") if is_on else _("The webhook is switched off.")


class RedeliverView(WebhookActionView):
    """Sends a delivery again, under the id it had."""

    def act(self, **ids: UUID) -> str:
        """Queue it."""
        webhooks.redeliver(**ids, now=now())
        return _("It is on its way again. Load the page again to see how it went.")


class RotateWebhookView(AdministrationView):
    """Gives a webhook a new secret and shows it, this once."""

    permission = Permission.MANAGE_WEBHOOKS

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        """Rotate it."""
        endpoint, secret = webhooks.rotate_secret(
            organization_id=self.organization.id,
            endpoint_id=endpoint_id,
            actor=self.actor,
            now=now(),
        )
        return _secret_page(request, endpoint, secret)


class DeleteWebhookView(AdministrationView):
    """Deletes a webhook."""

    permission = Permission.MANAGE_WEBHOOKS

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        """Delete it and go back to the list."""
        webhooks.delete_endpoint(
            organization_id=self.organization.id,
            endpoint_id=endpoint_id,
            actor=self.actor,
            now=now(),
        )
        messages.success(request, _("The webhook is deleted."))
        return redirect("webhooks", organization_id=self.organization.id)


def cursor_of(request: HttpRequest) -> UUID | None:
    """Return after which row a page begins.

    Raises:
        Http404: It is no id.
    """
    text = request.GET.get("cursor", "")
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Http404 from error


def _shown(delivery: WebhookDelivery) -> dict[str, object]:
    return {
        "delivery": delivery,
        "message_id": message_id(delivery.event_id),
        "tries": [_try(one) for one in reversed(delivery.tries)],
        "data": orjson.dumps(delivery.event.data, option=orjson.OPT_INDENT_2).decode(),
    }


def _try(made: Mapping[str, Any]) -> Try:
    status = made["status"]
    return Try(
        at=datetime.fromisoformat(made["at"]),
        answer=f"HTTP {status}" if status else str(_ERRORS.get(made["error"], made["error"])),
        is_accepted=status is not None and status // 100 == _SUCCESS,
        duration_ms=made["duration_ms"],
    )


def _secret_page(request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
    context = {"webhook": endpoint, "secret": secret}
    response = render(request, "console/webhooks/secret.html", context)
    response["Cache-Control"] = "no-store"
    return response
