"""Adding money by card, and what became of payments."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse

from billing.console.payments.forms import AddMoneyForm
from billing.console.payments.words import KINDS, failure_of, state_of
from billing.console.taxes.files import FILES
from billing.console.taxes.words import row_of_invoice, tax_of
from billing.errors import TotalNotSeenError
from billing.selectors.balances import get_balance
from billing.selectors.payments import (
    PaymentView,
    find_auto_top_up,
    find_payment,
    get_history,
    list_cards,
    list_payments,
)
from billing.selectors.taxes.invoices import list_of_payment
from billing.selectors.taxes.terms import find_terms
from billing.services.payments.amounts import limits_of
from billing.services.payments.checkout import Places, Wanted, start_checkout
from billing.services.payments.stripe_api import is_configured, is_sandbox
from billing.services.taxes.amounts import add_tax
from core.clock import now
from core.errors import AppError
from orgs.console.failures import AdministrationView, add_failure, explain
from orgs.permissions import Permission

PAGE: Final = 50
_DIGITS: Final = 19


class AddMoneyView(AdministrationView):
    """Chooses an amount and leads to Stripe's page."""

    permission = Permission.TOP_UP

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form, the saved cards and the automatic top-up."""
        return self._page(request, self.form(None))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Start a payment and lead to where it is paid; where there is tax, once it was seen."""
        form = self.form(request.POST)
        if form.is_valid():
            fields = form.cleaned_data
            try:
                started = start_checkout(
                    organization_id=self.organization.id,
                    wanted=Wanted(fields["amount"], _micros(request), fields["saves_card"]),
                    places=self._places(),
                    actor=self.actor,
                    now=now(),
                )
            except TotalNotSeenError as error:
                messages.info(request, explain(error))
            except AppError as error:
                add_failure(form, error)
            else:
                return HttpResponseRedirect(started.url)
        return self._page(request, form)

    def form(self, data: QueryDict | None) -> AddMoneyForm:
        """Return the form, of what was sent if anything was."""
        total_url = reverse("add_money_total", kwargs={"organization_id": self.organization.id})
        return AddMoneyForm(data, currency=self.organization.currency, total_url=total_url)

    def total(self, form: AddMoneyForm) -> dict[str, object]:
        """Return what is paid for the amount in a form; for none what comes on top of it."""
        micros = form.amount()
        amount = None if micros is None else add_tax(self.organization, micros, at=now())
        terms = amount.terms if amount else find_terms(self.organization, at=now())
        owed = get_balance(organization_id=self.organization.id).owed_micros
        settled = 0 if micros is None else min(owed, micros)
        return {
            "amount": amount,
            "owed_micros": owed,
            "settled_micros": settled,
            "credited_micros": (micros or 0) - settled,
            "tax": tax_of(terms),
            "currency": self.organization.currency,
            "may_manage_profile": self.may(Permission.MANAGE_BILLING_PROFILE),
        }

    def _places(self) -> Places:
        own = {"organization_id": self.organization.id}
        marker = UUID(int=0)
        paid = reverse("payment", kwargs={**own, "payment_id": marker})
        base = settings.PUBLIC_BASE_URL
        return Places(
            paid_url=f"{base}{paid.replace(str(marker), '{payment}')}",
            canceled_url=f"{base}{reverse('add_money', kwargs=own)}?canceled=1",
        )

    def _page(self, request: HttpRequest, form: AddMoneyForm) -> HttpResponse:
        context = {
            "form": form,
            "can_pay": is_configured() and limits_of(self.organization.currency) is not None,
            "is_sandbox": is_configured() and is_sandbox(),
            "cards": list_cards(organization_id=self.organization.id),
            "terms": find_auto_top_up(organization_id=self.organization.id),
            "is_back": "canceled" in request.GET,
            **self.total(form),
        }
        return render(request, "console/payments/add.html", context)


class AddMoneyTotalView(AddMoneyView):
    """The total with tax, drawn while the amount is being typed."""

    http_method_names = ("get",)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return the fragment."""
        context = self.total(self.form(request.GET))
        return render(request, "console/payments/total.html", context)


class PaymentsView(AdministrationView):
    """Every payment of the organization."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of them, newest first."""
        page = list_payments(
            limit=PAGE,
            organization_id=self.organization.id,
            before=moment_of(request.GET.get("cursor", "")),
            show=request.GET.get("show", ""),
        )
        context = {
            "rows": [row_of(payment) for payment in page.payments],
            "show": request.GET.get("show", ""),
            "next_cursor": page.payments[-1].created_at.isoformat() if page.more else None,
            "may_pay": self.may(Permission.TOP_UP),
            "is_first_page": "cursor" not in request.GET,
        }
        return render(request, "console/payments/list.html", context)


class PaymentPageView(AdministrationView):
    """One payment: waits for Stripe's word, then it is the receipt."""

    permission = Permission.VIEW_BALANCE
    template = "console/payments/payment.html"

    def get(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        """Show it."""
        payment = find_payment(payment_id=payment_id, organization_id=self.organization.id)
        if payment is None:
            raise Http404
        context = {
            **row_of(payment),
            "history": get_history(payment_id),
            "invoices": [row_of_invoice(one) for one in list_of_payment(payment_id=payment_id)],
            "kinds": tuple(FILES),
            "may_pay": self.may(Permission.TOP_UP),
        }
        return render(request, self.template, context)


class PaymentStateView(PaymentPageView):
    """The part of a payment's page that is asked for again and again while it waits."""

    template = "console/payments/state.html"


def _micros(request: HttpRequest) -> int | None:
    """Return the total that the form carried."""
    seen = request.POST.get("seen", "")
    return int(seen) if seen.isascii() and seen.isdigit() and len(seen) < _DIGITS else None


def row_of(payment: PaymentView) -> dict[str, object]:
    """Return a payment with its words."""
    icon, word = state_of(payment)
    return {
        "payment": payment,
        "icon": icon,
        "word": word,
        "kind": KINDS[payment.kind],
        "tax": tax_of(payment.tax),
        "failure": failure_of(payment.failure_code) if payment.failure_code else "",
    }


def moment_of(cursor: str) -> datetime | None:
    """Return the instant of a cursor; of none, or of a strange one, the first page."""
    try:
        found = datetime.fromisoformat(cursor)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
