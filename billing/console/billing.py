"""The balance, and the wallet's transactions with what each is made of."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.selectors.budgets import get_wallet_status
from billing.selectors.credits.grants import list_own_grants
from billing.selectors.holds import find_capture, first_open_holds
from billing.selectors.payments import find_auto_top_up
from billing.selectors.taxes.invoices import InvoiceSummary, find_of_entry
from billing.selectors.wallet import (
    WalletPlace,
    export_transactions,
    find_trail,
    list_transactions,
)
from core.clock import now
from orgs.console.access import OrganizationView
from orgs.permissions import Permission

PAGE: Final = 50
HOLDS_SHOWN: Final = 50
SHOWN: Final = ("credits", "promo")
# Signed, as a page shows the balance that it carries.
_SIGNER: Final = signing.Signer(salt="billing.wallet")
REFUND: Final = "reversal"
KINDS: Final[Mapping[str, tuple[str, Promise]]] = {
    "top_up": ("coins", _("Top-up")),
    "capture": ("photo", pgettext_lazy("transaction", "Images")),
    "adjustment": ("adjustments", _("Adjustment")),
    "reversal": ("arrow-back-up", _("Refund or correction")),
    "promotion": ("coins", _("Promotional credit")),
    "expiry": ("coins", _("Expired credit")),
    "payment_refund": ("arrow-back-up", _("Top-up paid back")),
    "dispute": ("adjustments", _("Disputed payment")),
}


class BillingView(OrganizationView):
    """What is in the wallet, what is set aside, and every transaction."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of transactions."""
        listing = self.listing(request)
        held = None
        if listing["status"].balance.held_micros:
            held = first_open_holds(organization_id=self.organization.id, most=HOLDS_SHOWN)
        terms = find_auto_top_up(organization_id=self.organization.id)
        context = {**listing, "held": held, "grants": [], "terms": terms}
        if listing["status"].balance.promo_micros:
            context["grants"] = list_own_grants(organization_id=self.organization.id, now=now())
        return render(request, "console/billing/list.html", context)

    def listing(self, request: HttpRequest) -> dict[str, Any]:
        """Return the balance, and what the table shows."""
        show = request.GET.get("show", "")
        page = list_transactions(
            organization_id=self.organization.id,
            limit=PAGE,
            place=_place(request.GET.get("cursor", "")),
            only_credits=show == "credits",
            is_promo=show == "promo",
        )
        return {
            "transactions": [
                {"row": row, "icon": KINDS[row.kind][0], "label": KINDS[row.kind][1]}
                for row in page.transactions
            ],
            "show": show if show in SHOWN else "",
            "only_credits": show == "credits",
            "next_cursor": cursor_of(page.next_place) if page.next_place else None,
            "is_first_page": "cursor" not in request.GET,
            "status": get_wallet_status(
                organization_id=self.organization.id,
                time_zone=self.organization.time_zone,
                now=now(),
            ),
            "currency": self.organization.currency,
            "may_see_requests": self.may(Permission.VIEW_GENERATIONS),
            "may_top_up": self.may(Permission.TOP_UP),
            "may_manage_budgets": self.may(Permission.MANAGE_BUDGETS),
            "may_manage_profile": self.may(Permission.MANAGE_BILLING_PROFILE),
        }


class TransactionsCsvView(OrganizationView):
    """The same transactions as a file."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest) -> StreamingHttpResponse:
        """Send its lines as they are read."""
        lines = export_transactions(
            organization_id=self.organization.id,
            only_credits=request.GET.get("show") == "credits",
            is_promo=request.GET.get("show") == "promo",
        )
        headers = {
            "Content-Disposition": 'attachment; filename="transactions.csv"',
            "Cache-Control": "no-store",
        }
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


class TransactionView(BillingView):
    """One transaction beside the list: how the price came about, and what was booked."""

    def get(self, request: HttpRequest, entry_id: UUID) -> HttpResponse:  # type: ignore[override] # one transaction's path
        """Show the list with the drawer open."""
        trail = find_trail(organization_id=self.organization.id, entry_id=entry_id)
        if trail is None:
            raise Http404
        context = {
            **self.listing(request),
            "trail": trail,
            "label": KINDS[trail.transaction.kind][1],
            "is_refunded": trail.terms is not None
            and any(entry.kind == REFUND for entry in trail.entries),
            "open_id": entry_id,
            "invoice": None if trail.terms else self._invoice(entry_id),
        }
        return render(request, "console/billing/transaction.html", context)

    def _invoice(self, entry_id: UUID) -> InvoiceSummary | None:
        return find_of_entry(organization_id=self.organization.id, entry_id=entry_id)


class ChargeView(OrganizationView):
    """Leads from a generation to the transaction that charged it."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest, generation_id: UUID) -> HttpResponse:
        """Redirect."""
        capture = find_capture(reference=str(generation_id))
        if capture is None:
            raise Http404
        return redirect(
            "transaction", organization_id=self.organization.id, entry_id=capture.entry_id
        )


class BalanceSlotView(OrganizationView):
    """The balance in the top bar; empty for roles that do not see it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return the fragment."""
        if not self.may(Permission.VIEW_BALANCE):
            return HttpResponse()
        status = get_wallet_status(
            organization_id=self.organization.id,
            time_zone=self.organization.time_zone,
            now=now(),
        )
        return render(request, "console/billing/slot.html", {"status": status})


def cursor_of(place: WalletPlace) -> str:
    """Return the cursor of a page that begins at a place of the wallet."""
    return _SIGNER.sign_object([place.seq, place.balance_micros])


def _place(cursor: str) -> WalletPlace | None:
    """Return the place a cursor names; of none, or of one that is not ours, the first page."""
    try:
        seq, balance = _SIGNER.unsign_object(cursor)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return WalletPlace(seq, balance)
