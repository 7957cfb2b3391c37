"""Margin days and facts together are all postings of revenue, spread and cost."""

import random
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Sum

from billing.models import AccountDay, JournalEntry, PostingFact
from billing.services.costs import post_attempt_cost
from billing.services.ledger import reverse_entry
from core.clock import now
from gateway.models import MarginDay, MarginFact, MarginSum
from gateway.selectors.reports.margin_sql import CODES, COUNTED
from gateway.services.reports.margin_days import (
    check_margin_days,
    count_margins,
    rebuild_margin_days,
)
from orgs.models import ApiKey
from tests.gateway.services.rows import add_attempt, open_key
from tests.gateway.services.test_rollups import charge

MODELS = ("fal/flux-1.1-pro", "google/imagen-4")


def sell(key: ApiKey, chance: random.Random, *, model: str = "") -> None:
    """Charge an image that the second of two providers made, and book what both cost."""
    instant = now() - timedelta(days=chance.randint(0, 9))
    generation = charge(key, instant, model=model or chance.choice(MODELS))
    made = chance.choice(("fal", "gemini"))
    for number, (provider, status) in enumerate((("bfl", "failed"), (made, "succeeded")), 1):
        cost = chance.randint(1, 30_000)
        attempt = add_attempt(
            generation,
            number=number,
            ended_at=instant,
            provider=provider,
            status=status,
            cost_micros=cost,
        )
        post_attempt_cost(
            attempt_reference=str(attempt.id),
            provider=provider,
            amount=Decimal(cost) / 10**6,
            now=instant,
        )
    if chance.random() < 0.2:
        entry = JournalEntry.objects.get(idempotency_key=f"generation:{generation.id}")
        reverse_entry(entry_id=entry.id, now=now())


def by_account() -> tuple[Counter[tuple[object, ...]], Counter[tuple[object, ...]]]:
    """Return sums by day, account and currency: of margins, and of all account days."""
    margins: Counter[tuple[object, ...]] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT day, code, currency, sum(micros) FROM ({COUNTED}) c GROUP BY 1,2,3")
        for *key, micros in cursor.fetchall():
            margins[tuple(key)] += int(micros)
        cursor.execute(
            "SELECT id, code, currency FROM billing_account WHERE code = ANY(%s)", [list(CODES)]
        )
        accounts = {row[0]: row[1:] for row in cursor.fetchall()}
    days: Counter[tuple[object, ...]] = Counter()
    for table in (AccountDay, PostingFact):
        for row in table.objects.filter(account_id__in=accounts):
            change = row.credit_micros - row.debit_micros
            code, currency = accounts[row.account_id]
            days[row.day, code, currency] += -change if code == "provider_cost" else change
    return margins, days


@pytest.mark.django_db
def test_sums_by_day_are_those_of_the_accounts_however_much_is_counted():
    chance = random.Random(17)
    key = open_key()
    for _ in range(15):
        sell(key, chance)
        count_margins(limit=chance.randint(0, 4))

    margins, days = by_account()

    assert margins == days
    assert MarginFact.objects.exists()
    while count_margins():
        pass
    assert by_account() == (margins, days)
    assert list(check_margin_days(organization_id=None)) == []
    mine = MarginDay.objects.filter(organization_id=key.organization_id)
    assert {row.model for row in mine} == set(MODELS)
    assert {row.provider for row in mine.filter(code="revenue")} == {"fal", "gemini"}
    assert {row.provider for row in mine.filter(code="provider_cost")} == {"bfl", "fal", "gemini"}


@pytest.mark.django_db
@pytest.mark.parametrize("counted", [True, False])
def test_a_sum_unlike_its_postings_is_named(counted):
    key = open_key()
    sell(key, random.Random(1))
    while counted and count_margins():
        pass
    table = MarginDay if counted else MarginFact
    row = table.objects.filter(code="provider_cost").order_by("-pk").first()
    assert row is not None
    table.objects.filter(pk=row.pk).update(micros=row.micros + 1)

    [found] = check_margin_days(organization_id=None)

    assert (found.check, found.table) == ("rollup", "gateway_marginday")
    assert "provider_cost USD" in found.message


@pytest.mark.django_db
def test_sums_without_organizations_or_models_are_those_of_the_days():
    key = open_key()
    sell(key, random.Random(3))
    assert count_margins(limit=7)
    while count_margins(limit=50):
        pass
    for name in ("models", "organizations"):
        whole = MarginSum.objects.filter(slice=name).aggregate(Sum("micros"), Sum("lines"))
        assert whole == MarginDay.objects.aggregate(Sum("micros"), Sum("lines"))
        row = MarginSum.objects.filter(slice=name).earliest("pk")
        MarginSum.objects.filter(pk=row.pk).update(images=row.images + 1)

    found = list(check_margin_days(organization_id=None))

    assert [one.table for one in found] == ["gateway_marginsum"] * 2


@pytest.mark.usefixtures("committed")
def test_sums_made_anew_say_the_same():
    key = open_key()
    sell(key, random.Random(uuid4().int))
    count_margins(limit=1)
    before = by_account()

    rebuild_margin_days()

    assert by_account() == before
    assert list(check_margin_days(organization_id=None)) == []
    assert list(check_margin_days(organization_id=key.organization_id)) == []
