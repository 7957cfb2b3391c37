"""Many at once, on connections of their own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from billing.errors import BudgetExceededError, HoldClosedError, InsufficientBalanceError
from billing.models import Grant, Hold, JournalEntry
from billing.services.budgets import set_limit
from billing.services.credits.expiring import expire_grants
from billing.services.transactions import retrying
from core.clock import now
from tests.billing.scene import UNIT, Scene

CALLERS = 200
AFFORDABLE = 37


def at_once(work: Callable[[], Any], callers: int = CALLERS) -> list[Any]:
    """Run `work` in so many threads, started together; an error is its result."""
    start = threading.Barrier(callers)

    def run(_: int) -> Any:
        start.wait()
        try:
            return work()
        except (InsufficientBalanceError, BudgetExceededError, HoldClosedError) as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=callers) as threads:
        return list(threads.map(run, range(callers)))


def accepted(results: list[Any]) -> int:
    return sum(1 for result in results if not isinstance(result, Exception))


def test_money_for_k_lets_exactly_k_of_two_hundred_pass(committed):
    scene = Scene.create()
    scene.top_up(AFFORDABLE * UNIT)
    quote = scene.quote()

    results = at_once(lambda: scene.authorize(quote=quote))

    refused = [result for result in results if isinstance(result, Exception)]
    assert accepted(results) == AFFORDABLE
    assert {type(error) for error in refused} == {InsufficientBalanceError}
    assert Hold.objects.filter(organization_id=scene.organization_id).count() == AFFORDABLE
    assert scene.balance() == (AFFORDABLE * UNIT, AFFORDABLE * UNIT)
    assert scene.findings() == []


def test_credit_and_money_for_k_let_exactly_k_of_two_hundred_pass(committed):
    scene = Scene.create()
    # No image is paid for by one of them alone at the borders.
    grants = [scene.grant(part * UNIT // 2) for part in (7, 20, 15)]
    credit = 21 * UNIT
    scene.top_up((AFFORDABLE - 21) * UNIT + UNIT // 2)
    quote = scene.quote()

    results = at_once(lambda: scene.authorize(quote=quote))

    assert accepted(results) == AFFORDABLE
    assert scene.promo() == (credit, credit)
    assert scene.balance()[1] == (AFFORDABLE - 21) * UNIT
    held = Grant.objects.filter(id__in=[grant.id for grant in grants]).values_list("held_micros")
    assert sorted(held) == sorted((grant.amount_micros,) for grant in grants)
    assert scene.findings() == []


def test_credit_holds_captures_releases_and_expiries_in_parallel_keep_the_books(committed):
    scene = Scene.create()
    scene.top_up(10 * UNIT)
    soon = now() + timedelta(seconds=2)
    for expires_at in (soon, None):
        scene.grant(8 * UNIT + 7, expires_at=expires_at)
    quote = scene.quote()

    def work() -> object:
        hold = retrying(lambda: scene.authorize(2, quote=quote))
        expire_grants(now=soon)
        if hold.id.int % 3:
            return retrying(lambda: scene.capture(hold.reference))
        return retrying(lambda: scene.release(hold.reference))

    at_once(work, callers=40)
    expire_grants(now=soon)

    captured = Hold.objects.filter(organization_id=scene.organization_id, status="captured")
    paid = sum(hold.captured_micros for hold in captured)
    given = sum(
        grant.amount_micros - grant.expired_micros
        for grant in Grant.objects.filter(organization_id=scene.organization_id)
    )
    assert paid > 0
    assert scene.balance()[0] + scene.promo()[0] == 10 * UNIT + given - paid
    assert (scene.balance()[1], scene.promo()[1]) == (0, 0)
    assert scene.findings() == []


def test_the_race_is_real_when_the_guard_is_off(committed):
    """The control: checked first and updated after, the same money is spent several times."""
    table = f"billing_unguarded_{uuid4().hex}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {table} (posted bigint, held bigint)")
        cursor.execute(f"INSERT INTO {table} VALUES (%s, 0)", [AFFORDABLE * UNIT])

    def check_then_update() -> bool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT posted - held >= %s, pg_sleep(0.01) FROM {table}", [UNIT])
            if not cursor.fetchone()[0]:
                raise InsufficientBalanceError("")
            cursor.execute(f"UPDATE {table} SET held = held + %s", [UNIT])
            return True

    try:
        assert accepted(at_once(check_then_update)) > AFFORDABLE
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {table}")


def test_a_budget_for_k_lets_exactly_k_pass_from_the_months_first_hold_on(committed):
    scene = Scene.create()
    scene.top_up(CALLERS * UNIT)
    set_limit(
        organization_id=scene.organization_id,
        api_key_id=scene.api_key_id,
        limit_micros=AFFORDABLE * UNIT,
    )
    quote = scene.quote()

    results = at_once(lambda: scene.authorize(quote=quote), callers=60)

    assert accepted(results) == AFFORDABLE
    assert scene.balance() == (CALLERS * UNIT, AFFORDABLE * UNIT)
    assert scene.findings() == []


@pytest.mark.parametrize("ends", [("capture",), ("release",), ("capture", "release")])
def test_one_of_many_ends_a_hold(committed, ends):
    scene = Scene.create()
    scene.top_up(UNIT)
    reference = scene.authorize().reference
    turns = iter(ends * 12)
    lock = threading.Lock()

    def end() -> object:
        with lock:
            verb = next(turns)
        return getattr(scene, verb)(reference)

    results = at_once(end, callers=12)

    assert accepted(results) == 1
    captured = scene.hold(reference).captured_micros
    assert scene.balance() == (UNIT - captured, 0)
    assert scene.findings() == []


def test_one_key_books_one_top_up_however_many_ask(committed):
    scene = Scene.create()
    key = uuid4().hex

    results = at_once(lambda: retrying(lambda: scene.top_up(UNIT, key)), callers=20)

    assert sum(result.created for result in results) == 1
    assert scene.balance() == (UNIT, 0)
    assert JournalEntry.objects.filter(idempotency_key=f"top_up:{key}").count() == 1


def test_top_ups_authorizations_and_captures_in_parallel_keep_the_books(committed):
    scene = Scene.create()
    scene.top_up(10 * UNIT)
    quote = scene.quote()

    def work() -> object:
        scene.top_up(UNIT)
        hold = scene.authorize(2, quote=quote)
        return scene.capture(hold.reference)

    results = at_once(work, callers=40)

    done = accepted(results)
    assert done > 0
    assert scene.balance() == (10 * UNIT + 40 * UNIT - done * UNIT, 0)
    assert scene.findings() == []
