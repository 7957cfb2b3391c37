"""The trial balance of a period, and down from it to days, entries and postings."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from billing.console.finance.reports.files import report_file
from billing.console.finance.reports.journal import journal_rows, read_place
from billing.console.finance.reports.period import Period, parse_period
from billing.console.finance.reports.words import account_name, entry_name
from billing.console.finance.topups import FinanceView
from billing.selectors.reports.accounts import (
    DaySum,
    find_entry,
    find_side,
    list_account_days,
)
from billing.selectors.reports.journal import list_journal
from billing.selectors.reports.trial_balance import AccountMovement, list_movements
from core.workbooks import Column

PAGE: Final = 50
COLUMNS: Final = (
    Column("from", "date"), Column("to", "date"), Column("account"), Column("kind"),
    Column("currency"), Column("opening", "amount"), Column("debit", "amount"),
    Column("credit", "amount"), Column("closing", "amount"),
)  # fmt: skip
DAY_COLUMNS: Final = (
    Column("date", "date"), Column("account"), Column("currency"), Column("debit", "amount"),
    Column("credit", "amount"), Column("balance", "amount"), Column("postings", "count"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CurrencyBalance:
    """All accounts of a currency, and the sums of both sides, which agree."""

    currency: str
    rows: Sequence[AccountMovement]

    @property
    def debit(self) -> int:
        """Return what was debited in the period."""
        return sum(row.debit for row in self.rows)

    @property
    def credit(self) -> int:
        """Return what was credited in the period."""
        return sum(row.credit for row in self.rows)

    @property
    def agrees(self) -> bool:
        """Say whether both sides are equal, before the period and within it."""
        before = sum(row.opening_debit - row.opening_credit for row in self.rows)
        return before == 0 and self.debit == self.credit


@dataclass(frozen=True, slots=True)
class AccountDayRow:
    """A day of an account, with its balance after it on the side it grows on."""

    moved: DaySum
    balance: int


class TrialBalanceView(FinanceView):
    """What every account was debited and credited in a period."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the accounts, by currency."""
        period = parse_period(request.GET)
        rows = list_movements(begins=period.first, ends=period.last)
        currencies = [
            CurrencyBalance(currency, list(group))
            for currency, group in groupby(rows, key=lambda row: row.currency)
        ]
        context = {
            "period": period,
            "report": "trial_balance",
            "currencies": [
                {"of": one, "rows": [(row, account_name(row.code)) for row in one.rows]}
                for one in currencies
            ],
        }
        return render(request, "console/finance/reports/trial_balance.html", context)


class TrialBalanceFileView(FinanceView):
    """The trial balance as a file."""

    def get(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Send it."""
        period = parse_period(request.GET)
        rows = (
            (
                period.first, period.last, row.code, row.kind, row.currency, row.opening,
                row.debit, row.credit, row.closing,
            )
            for row in list_movements(begins=period.first, ends=period.last)
        )  # fmt: skip
        name = f"trial_balance-{period.first}-{period.last}"
        return report_file(kind, name=name, columns=COLUMNS, rows=rows)


class AccountView(FinanceView):
    """The days of accounts of one code and currency."""

    def get(self, request: HttpRequest, code: str, currency: str) -> HttpResponse:
        """Show them."""
        period = parse_period(request.GET)
        movement, days = self.days(code, currency, period)
        context = {
            "period": period,
            "code": code,
            "currency": currency,
            "name": account_name(code),
            "movement": movement,
            "days": days,
        }
        return render(request, "console/finance/reports/account.html", context)

    def days(
        self, code: str, currency: str, period: Period
    ) -> tuple[AccountMovement | None, list[AccountDayRow]]:
        """Return the account's movement, None where it never moved, and its days.

        Raises:
            Http404: There is no such account.
        """
        grows_by_debit = find_side(code=code, currency=currency)
        if grows_by_debit is None:
            raise Http404
        movements = list_movements(begins=period.first, ends=period.last)
        movement = next((m for m in movements if (m.code, m.currency) == (code, currency)), None)
        balance = movement.opening if movement else 0
        rows = []
        for moved in list_account_days(
            code=code, currency=currency, begins=period.first, ends=period.last
        ):
            change = moved.debit - moved.credit
            balance += change if grows_by_debit else -change
            rows.append(AccountDayRow(moved, balance))
        return movement, rows


class AccountFileView(AccountView):
    """The same days as a file."""

    def get(  # type: ignore[override] # one file's path
        self, request: HttpRequest, code: str, currency: str, kind: str
    ) -> HttpResponseBase:
        """Send them."""
        period = parse_period(request.GET)
        _, days = self.days(code, currency, period)
        rows = (
            (
                row.moved.day, code, currency, row.moved.debit, row.moved.credit, row.balance,
                row.moved.lines,
            )
            for row in days
        )  # fmt: skip
        name = f"{code}-{currency}-{period.first}-{period.last}"
        return report_file(kind, name=name, columns=DAY_COLUMNS, rows=rows)


class PostingsView(FinanceView):
    """The postings that a day of an account, or a period, sums up."""

    def get(self, request: HttpRequest, code: str, currency: str) -> HttpResponse:
        """Show a page of them, in order of effect."""
        if find_side(code=code, currency=currency) is None:
            raise Http404
        period = parse_period(request.GET)
        after = read_place(request.GET.get("cursor", ""))
        lines = list_journal(
            begins=period.first,
            ends=period.last,
            limit=PAGE + 1,
            after=after,
            code=code,
            currency=currency,
        )
        context: dict[str, Any] = {
            "period": period,
            "code": code,
            "currency": currency,
            "name": account_name(code),
            **journal_rows(lines, limit=PAGE),
        }
        return render(request, "console/finance/reports/postings.html", context)


class EntryView(FinanceView):
    """One entry with all its postings."""

    def get(self, request: HttpRequest, entry_id: UUID) -> HttpResponse:
        """Show it.

        Raises:
            Http404: There is no such entry.
        """
        lines = find_entry(entry_id)
        if not lines:
            raise Http404
        context = {
            "entry": lines[0],
            "kind": entry_name(lines[0].kind),
            "day": lines[0].effective_at.date(),
            "lines": [(line, account_name(line.code)) for line in lines],
        }
        return render(request, "console/finance/reports/entry.html", context)
