"""Seed the database of the environment, check it, and time what reads it, request by request."""

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

# Sets Django up, which the imports below need.
from bench.requests import HEADING, Case, request, time_case  # isort: skip

from django.db import connection

from bench.journal.seeding import Reader, seed_ledger
from billing.services.reports.account_days import check_account_days
from billing.services.statements.issuing import preview_statement
from core.clock import now
from gateway.services.reports.margin_days import check_margin_days
from gateway.services.verification import verify_money
from orgs.models import Organization

# Checked row by row; what is summed up is checked of all.
SAMPLED: Final = 3
PAGE_MS: Final = 500
SLOW_MS: Final = 1000
DAY: Final = timedelta(days=1)


def main() -> int:
    """Seed, check, print a line for each case; return 1 if the ledger is not sound."""
    postings, seed = int(sys.argv[1]), int(sys.argv[2])
    began = time.perf_counter()
    reader = seed_ledger(postings=postings, seed=seed)
    print(f"Seeded {_postings()} postings in {time.perf_counter() - began:.0f} s.", flush=True)
    began = time.perf_counter()
    findings = _findings()
    print(f"Checked in {time.perf_counter() - began:.0f} s: {len(findings)} findings.", flush=True)
    for finding in findings[:10]:
        print(finding)
    print(HEADING)
    for case in _cases(reader):
        print(time_case(case), flush=True)
    print(f"\n{'':<58}{'MB':>8}{'s':>8}{'MiB more':>10}")
    for name, path, cookie in _files(reader):
        print(_memory(name, path, cookie), flush=True)
    return 1 if findings else 0


def _findings() -> list[object]:
    """Verify some organizations entirely, and of all that sums are those of the postings."""
    sample = Organization.objects.order_by("-id")[:SAMPLED]
    found: list[object] = []
    for one in sample:
        found += verify_money(now=now(), organization_id=one.id)
    found += check_account_days(organization_id=None)
    found += check_margin_days(organization_id=None)
    return found


def _postings() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM billing_posting")
        return int(cursor.fetchone()[0])


def _cases(reader: Reader) -> Iterator[Case]:
    today = now().date()
    month = f"since={reader.month}&until={_last_day(reader)}"
    quarter = f"since={today - 89 * DAY}&until={today}"
    reports = "/finance/reports"
    small = f"organization={_small()}"
    finance = {
        "overview": "/finance/overview",
        "price book": "/finance/prices",
        "price book: costs": "/finance/prices?kind=cost",
        "markups": "/finance/prices/markups",
        "rates": "/finance/rates",
        "top-ups": "/finance/top-ups",
        "trial balance, this month": reports,
        "trial balance, a past month": f"{reports}?{month}",
        "trial balance, 90 days": f"{reports}?{quarter}",
        "account: revenue, 90 days": f"{reports}/accounts/revenue/USD?{quarter}",
        "account: wallets MXN, 90 days": f"{reports}/accounts/wallet/MXN?{quarter}",
        "postings of revenue, 90 days": f"{reports}/accounts/revenue/USD/postings?{quarter}",
        "postings of wallets, 90 days": f"{reports}/accounts/wallet/MXN/postings?{quarter}",
        "postings of cash, 90 days": f"{reports}/accounts/cash/EUR/postings?{quarter}",
        "entry": f"{reports}/entries/{reader.entry_id}",
        "journal, 90 days": f"{reports}/journal?{quarter}",
        "liability, a past month": f"{reports}/liability?{month}",
        "liability, 90 days": f"{reports}/liability?{quarter}",
        "holds": f"{reports}/holds",
        "margin, 90 days": f"{reports}/margin?{quarter}",
        "margin by organization, 90 days": f"{reports}/margin?{quarter}&by=organization",
        "margin by model, 90 days": f"{reports}/margin?{quarter}&by=model",
        "margin of an organization, 90 days": f"{reports}/margin?{quarter}&{small}",
        "postings of margin, 90 days": f"{reports}/margin/revenue?{quarter}",
        "the same of an organization": f"{reports}/margin/revenue?{quarter}&{small}",
        "losses, 90 days": f"{reports}/losses?{quarter}",
        "close": "/finance/close",
        "reconciliation": "/finance/reconciliation",
    }
    for name, path in finance.items():
        goal = SLOW_MS if "trial balance" in name else PAGE_MS
        yield Case(f"finance: {name}", request(path, cookie=reader.finance), goal, is_page=True)
    own = f"/o/{reader.organization_id}"
    statement = f"{own}/statements/{reader.statement}"
    customer = {
        "billing": f"{own}/billing",
        "transaction": f"{own}/billing/{reader.entry_id}",
        "statements": f"{own}/statements",
        "statement": statement,
    }
    for name, path in customer.items():
        yield Case(f"customer: {name}", request(path, cookie=reader.owner), PAGE_MS, is_page=True)
    for kind in ("pdf", "csv", "json"):
        run = request(f"{statement}/{kind}", cookie=reader.owner)
        yield Case(f"customer: statement as {kind}", run, SLOW_MS)
    organization = Organization.objects.get(id=reader.organization_id)
    preview = lambda: preview_statement(organization=organization, now=now())  # noqa: E731
    yield Case("statement of this month so far, made anew", preview)


def _small() -> object:
    """Return an organization that has a small part of all."""
    return Organization.objects.order_by("-id").values_list("id", flat=True)[0]


def _last_day(reader: Reader) -> object:
    return (reader.month + 32 * DAY).replace(day=1) - DAY


def _files(reader: Reader) -> Iterator[tuple[str, str, str]]:
    """Yield exports, each small and large."""
    today = now().date()
    reports = "/finance/reports"
    short = f"since={today - 6 * DAY}&until={today - 4 * DAY}"
    long = f"since={today - 34 * DAY}&until={today - 5 * DAY}"
    for kind in ("csv", "xlsx"):
        for name, period in (("3 days", short), ("30 days", long)):
            path = f"{reports}/journal.{kind}?{period}"
            yield f"journal as {kind}, {name}", path, reader.finance
    own = f"/o/{reader.organization_id}"
    yield (
        "transactions as csv, those of money added",
        f"{own}/billing/csv?show=credits",
        reader.owner,
    )
    yield "transactions as csv, all", f"{own}/billing/csv", reader.owner
    yield "statement as pdf", f"{own}/statements/{reader.statement}/pdf", reader.owner


def _memory(name: str, path: str, cookie: str) -> str:
    """Return a line: how large a file is, how long it takes, and by how much memory grew."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    began = time.perf_counter()
    size = request(path, cookie=cookie)()
    took = time.perf_counter() - began
    grown = (_status("VmHWM") - before) / 1024
    return f"{name:<58}{size / 1e6:>8.1f}{took:>8.1f}{grown:>10.1f}"


def _status(name: str) -> int:
    """Return a figure of this process, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    sys.exit(main())
