"""Providers: how each is set up and serves, and taking one out by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from core.clock import now
from core.errors import AppError
from gateway.console.operations.platform import OperatorView
from gateway.health import NO_CALLS, ProviderHealth, Statistics, measure, provider_health
from gateway.providers.registry import PROVIDERS
from gateway.selectors.operations.activity import Hour, calls_by_hour, last_failure
from gateway.selectors.reasons import reason_of
from gateway.services.operations.pauses import (
    end_breaker_pause,
    pause_provider,
    resume_provider,
)
from gateway.services.operations.providers import ProviderSetup, list_setups
from orgs.console.failures import add_failure

LAST_HOUR: Final = timedelta(hours=1)
LEAST_POINTS: Final = 3
SERVED_BY: Final[Mapping[str, Promise]] = {
    "real": gettext_lazy("The provider"),
    "sandbox": gettext_lazy("The sandbox, for demo organizations"),
    "nobody": gettext_lazy("Nobody: it has no key"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A provider as the pages draw it.

    Attributes:
        state: How its state is drawn, beside `word`.
        reason: Why its breaker is open, in words; None while it is closed.
        hour: Its calls of the last hour.
    """

    setup: ProviderSetup
    health: ProviderHealth
    hour: Statistics
    state: str
    word: Promise
    served_by: Promise
    reason: Promise | None


class PauseForm(forms.Form):
    """Why a provider is taken out."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        help_text=gettext_lazy("It is logged, and shown wherever the pause is."),
    )


class ProvidersView(OperatorView):
    """All of them."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        return render(request, "console/operations/providers.html", {"rows": _rows()})


class ProviderView(OperatorView):
    """One provider."""

    def get(self, request: HttpRequest, provider: str) -> HttpResponse:
        """Show it."""
        return self.page(provider, PauseForm())

    def page(self, provider: str, form: PauseForm) -> HttpResponse:
        """Draw it. Seven queries."""
        row = next((row for row in _rows() if row.setup.provider == provider), None)
        if row is None:
            raise Http404
        moment = now()
        failure = last_failure(provider=provider, now=moment)
        context = {
            "row": row,
            "form": form,
            "chart": _chart(calls_by_hour(provider=provider, now=moment)),
            "failure": failure,
            "failure_words": failure and reason_of(failure.code, failure.kind),
        }
        return render(self.request, "console/operations/provider.html", context)


class PauseView(ProviderView):
    """Keeps calls from a provider."""

    def get(self, request: HttpRequest, provider: str) -> HttpResponse:
        """Lead to the provider: a reload after an error."""
        _require(provider)
        return redirect("operations_provider", provider)

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        """Pause it."""
        form = PauseForm(request.POST)
        if form.is_valid():
            try:
                pause_provider(
                    provider=provider,
                    reason=form.cleaned_data["reason"],
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("%(name)s gets no calls now.") % {"name": provider})
                return redirect("operations_provider", provider)
        return self.page(provider, form)


class ResumeView(OperatorView):
    """Lets calls through again."""

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        """Resume it."""
        resume_provider(provider=provider, actor=self.actor)
        messages.success(request, _("%(name)s gets calls again.") % {"name": provider})
        return redirect("operations_provider", provider)


class ProbeView(OperatorView):
    """Lets one call try a provider with an open breaker."""

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        """Let it through."""
        end_breaker_pause(provider=provider, actor=self.actor, now=now())
        messages.success(request, _("The next request tries it."))
        return redirect("operations_provider", provider)


def _require(provider: str) -> None:
    if provider not in PROVIDERS:
        raise Http404


def _rows() -> list[Row]:
    """Return every provider. Five queries."""
    moment = now()
    setups = {setup.provider: setup for setup in list_setups()}
    hour = measure(now=moment, sample=None, period=LAST_HOUR).providers
    return [
        _row(setups[health.provider], health, hour.get(health.provider, NO_CALLS))
        for health in provider_health(configured=setups, now=moment)
        if health.provider in setups
    ]


def _row(setup: ProviderSetup, health: ProviderHealth, hour: Statistics) -> Row:
    state, word = _state(setup, health)
    reason = reason_of("", health.breaker.reason) if health.breaker else None
    return Row(setup, health, hour, state, word, SERVED_BY[setup.served_by], reason)


def _state(setup: ProviderSetup, health: ProviderHealth) -> tuple[str, Promise]:
    if health.pause is not None:
        return "warning", pgettext_lazy("provider", "Paused")
    if health.breaker is not None:
        return "failed", pgettext_lazy("provider", "Breaker open")
    if setup.served_by == "real":
        return "ok", pgettext_lazy("provider", "Serving")
    if setup.served_by == "sandbox":
        return "test", pgettext_lazy("provider", "Sandbox")
    return "off", pgettext_lazy("provider", "No key")


def _chart(hours: Sequence[Hour]) -> dict[str, Any] | None:
    """Return the chart of a day; None with too few points to see anything."""
    if sum(hour.calls > 0 for hour in hours) < LEAST_POINTS:
        return None
    return {
        "kind": "bar",
        "stacked": True,
        "unit": _("calls"),
        "labels": [
            formats.time_format(timezone.localtime(hour.starts_at), "TIME_FORMAT") for hour in hours
        ],
        "series": [
            {"name": _("Not failed"), "values": [hour.calls - hour.failures for hour in hours]},
            {"name": _("Failed"), "values": [hour.failures for hour in hours]},
        ],
    }
