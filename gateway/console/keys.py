"""API keys: what each may do and has spent; creating, changing, rotating, revoking them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.selectors.budgets import Budgets, BudgetView, get_budgets, month_of
from billing.templatetags.money import plain_money
from core.clock import now
from core.errors import AppError
from gateway.console.examples import generation_examples
from gateway.console.key_forms import SCOPE_NAMES, NewKeyForm, TermsForm, terms_in_words
from gateway.services.onboarding import open_api_key
from orgs.console.failures import AdministrationView, add_failure, toast_failure
from orgs.permissions import Permission
from orgs.selectors.api_keys import KeyView, find_key, list_keys
from orgs.services.key_administration import SCOPES, change_api_key, revoke_api_key, rotate_api_key

ENDED: Final = "ended"
_OVERLAPS: Final = (
    (str(24 * 3600), gettext_lazy("For 24 hours")),
    (str(3600), gettext_lazy("For an hour")),
    (str(7 * 86_400), gettext_lazy("For 7 days")),
    (str(30 * 86_400), gettext_lazy("For 30 days")),
    ("0", gettext_lazy("Not at all: it stops now")),
)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as the page draws it."""

    key: KeyView
    terms: str
    budget: BudgetView


class OverlapForm(forms.Form):
    """How long the present secret still works beside the new one."""

    overlap = forms.ChoiceField(
        label=gettext_lazy("The present secret works on"),
        choices=_OVERLAPS,
        help_text=gettext_lazy("Both work meanwhile, so that nothing fails while you swap them."),
    )


class KeysView(AdministrationView):
    """The list of keys, and beside it one of them."""

    permission = Permission.VIEW_KEYS

    def get(self, request: HttpRequest, api_key_id: UUID | None = None) -> HttpResponse:
        """Show the keys that work, or those that have ended."""
        keys = list_keys(organization_id=self.organization.id, now=now())
        chosen = next((one for one in keys if one.id == api_key_id), None)
        if api_key_id is not None and chosen is None:
            raise Http404
        shows_ended = request.GET.get("show") == ENDED
        shown = [one for one in keys if one.is_alive is not shows_ended]
        budgets = self._budgets()
        context = {
            "rows": [self._row(one, budgets) for one in shown],
            "has_keys": bool(keys),
            "shows_ended": shows_ended,
            "month": budgets.month,
            "currency": self.organization.currency,
            "may_create": self.may(Permission.MANAGE_OWN_KEYS),
            "tabs": [] if keys else generation_examples(key="$LIENZO_API_KEY")[:1],
        }
        if chosen is not None:
            context |= self._drawer(chosen, shown, budgets)
        return render(request, "console/keys/list.html", context)

    def _budgets(self) -> Budgets:
        month = month_of(now(), time_zone=self.organization.time_zone)
        return get_budgets(organization_id=self.organization.id, month=month)

    def _row(self, key: KeyView, budgets: Budgets) -> KeyRow:
        budget = budgets.of_key(key.id)
        limit = ""
        if budget.limit_micros is not None:
            currency = self.organization.currency
            limit = f"{plain_money(budget.limit_micros, currency)} {currency}"
        return KeyRow(key, terms_in_words(key, budget=limit), budget)

    def _drawer(self, key: KeyView, shown: list[KeyView], budgets: Budgets) -> dict[str, object]:
        place = next((at for at, one in enumerate(shown) if one.id == key.id), None)
        beside = [None, *shown, None] if place is not None else []
        return {
            "row": self._row(key, budgets),
            "previous": beside[place] if place is not None else None,
            "following": beside[place + 2] if place is not None else None,
            "scopes": [SCOPE_NAMES[scope] for scope in key.scopes or SCOPES],
            "may_manage": may_manage(self, key),
            "may_budget": self.may(Permission.MANAGE_BUDGETS) and key.livemode and key.is_alive,
        }


class NewKeyView(AdministrationView):
    """Mints a key and shows its secret, this once."""

    permission = Permission.MANAGE_OWN_KEYS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        mode = "live" if self.livemode or not settings.SANDBOX_BASE_URL else "test"
        return self._page(request, self._form(initial={"mode": mode, "scopes": list(SCOPES)}))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Mint it. The answer is the only place its secret ever stands."""
        form = self._form(request.POST)
        if form.is_valid():
            try:
                key, secret = open_api_key(
                    organization=self.organization, terms=form.new_terms(), actor=self.actor
                )
            except AppError as error:
                add_failure(form, error)
            else:
                return _secret_page(request, {"name": key.name, "livemode": key.livemode}, secret)
        return self._page(request, form)

    def _form(self, *args: object, **options: object) -> NewKeyForm:
        return NewKeyForm(
            *args,
            currency=self.organization.currency,
            has_sandbox=bool(settings.SANDBOX_BASE_URL),
            **options,
        )

    def _page(self, request: HttpRequest, form: NewKeyForm) -> HttpResponse:
        return render(request, "console/keys/new.html", {"form": form})


class ManagedKeyView(AdministrationView):
    """A page about a key that the person may manage."""

    permission = Permission.MANAGE_OWN_KEYS

    def key(self, api_key_id: UUID) -> KeyView:
        """Return the key.

        Raises:
            Http404: The organization has no such key.
            PermissionDenied: It is somebody else's.
        """
        found = find_key(organization_id=self.organization.id, api_key_id=api_key_id, now=now())
        if found is None:
            raise Http404
        if not may_manage(self, found):
            raise PermissionDenied
        return found


class EditKeyView(ManagedKeyView):
    """Changes a key's terms; they hold within a second."""

    def get(self, request: HttpRequest, api_key_id: UUID) -> HttpResponse:
        """Show the form with the present terms."""
        key = self.key(api_key_id)
        return self._page(request, TermsForm(key=key), key)

    def post(self, request: HttpRequest, api_key_id: UUID) -> HttpResponse:
        """Save the terms."""
        key = self.key(api_key_id)
        form = TermsForm(request.POST, key=key)
        if form.is_valid():
            try:
                change_api_key(
                    organization_id=self.organization.id,
                    api_key_id=key.id,
                    policy=form.terms(livemode=key.livemode),
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(
                    request, _("“%(name)s” is changed.") % {"name": form.cleaned_data["name"]}
                )
                return redirect("api_key", organization_id=self.organization.id, api_key_id=key.id)
        return self._page(request, form, key)

    def _page(self, request: HttpRequest, form: TermsForm, key: KeyView) -> HttpResponse:
        return render(request, "console/keys/edit.html", {"form": form, "key": key})


class RotateKeyView(ManagedKeyView):
    """Gives a key a new secret and shows it, this once."""

    def get(self, request: HttpRequest, api_key_id: UUID) -> HttpResponse:
        """Ask how long the present secret still works."""
        return self._page(request, OverlapForm(), self.key(api_key_id))

    def post(self, request: HttpRequest, api_key_id: UUID) -> HttpResponse:
        """Rotate it."""
        key = self.key(api_key_id)
        form = OverlapForm(request.POST)
        if form.is_valid():
            overlap = timedelta(seconds=int(form.cleaned_data["overlap"]))
            try:
                rotated, secret = rotate_api_key(
                    organization_id=self.organization.id,
                    api_key_id=key.id,
                    overlap=overlap,
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                add_failure(form, error)
            else:
                until = rotated.previous_expires_at if overlap else None
                context = {"name": key.name, "livemode": key.livemode, "old_until": until}
                return _secret_page(request, {**context, "is_rotated": True}, secret)
        return self._page(request, form, key)

    def _page(self, request: HttpRequest, form: OverlapForm, key: KeyView) -> HttpResponse:
        return render(request, "console/keys/rotate.html", {"form": form, "key": key})


class RevokeKeyView(ManagedKeyView):
    """Revokes a key for good."""

    def post(self, request: HttpRequest, api_key_id: UUID) -> HttpResponse:
        """Revoke it and go back to the list."""
        key = self.key(api_key_id)
        try:
            revoke_api_key(
                organization_id=self.organization.id,
                api_key_id=key.id,
                actor=self.actor,
                now=now(),
            )
        except AppError as error:
            toast_failure(request, error)
        else:
            messages.success(request, _("“%(name)s” is revoked.") % {"name": key.name})
        return redirect("api_keys", organization_id=self.organization.id)


def may_manage(view: AdministrationView, key: KeyView) -> bool:
    """Say whether the person may change a key that still works."""
    is_own = key.owner_id == view.user.id and view.may(Permission.MANAGE_OWN_KEYS)
    return is_own or view.may(Permission.MANAGE_KEYS)


def _secret_page(request: HttpRequest, key: Mapping[str, object], secret: str) -> HttpResponse:
    context = {"key": key, "secret": secret, "tabs": generation_examples(key=secret)}
    response = render(request, "console/keys/secret.html", context)
    response["Cache-Control"] = "no-store"
    return response
