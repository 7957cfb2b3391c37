import pytest
from django.db import OperationalError, connection, transaction

from billing.models import JournalEntry
from billing.selectors.holds import find_capture
from billing.services.transactions import MAX_TRIES, retrying
from billing.services.verification import snapshot
from billing.types import Captured
from tests.billing.scene import UNIT, Scene


def lose_connection() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_lost_connection_is_tried_again(committed):
    scene = Scene.create()
    tries = []

    def work():
        tries.append(1)
        with transaction.atomic():
            entry = scene.top_up(UNIT, "lost")
            if len(tries) < 3:
                lose_connection()
            return entry

    assert retrying(work).created
    assert len(tries) == 3
    assert scene.balance() == (UNIT, 0)


def test_a_commit_whose_answer_was_lost_is_not_repeated(committed):
    scene = Scene.create()
    scene.top_up(UNIT)
    reference = scene.authorize().reference
    tries = []

    def work() -> Captured:
        tries.append(1)
        captured = scene.capture(reference)
        lose_connection()
        return captured

    captured = retrying(work, committed=lambda: find_capture(reference=reference))

    assert len(tries) == 1
    assert captured.amount_micros == UNIT
    assert scene.balance() == (0, 0)
    assert JournalEntry.objects.filter(reference=reference).count() == 1


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_serialization_failure_or_deadlock_is_given_up_after_five_tries(committed, state):
    tries = []

    def work():
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")

    with pytest.raises(OperationalError):
        retrying(work)
    assert len(tries) == MAX_TRIES


def test_another_failure_is_not_tried_again(committed):
    tries = []

    def work():
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 1; SELECT pg_sleep(1)")

    with pytest.raises(OperationalError):
        retrying(work)
    assert len(tries) == 1


def test_inside_a_transaction_it_runs_once(db):
    tries = []

    def work():
        tries.append(1)
        raise OperationalError("lost")

    with pytest.raises(OperationalError):
        retrying(work)
    assert len(tries) == 1


def test_limits_of_requests_do_not_end_a_snapshot(committed):
    def limits() -> list[str]:
        names = ("statement_timeout", "idle_in_transaction_session_timeout")
        with connection.cursor() as cursor:
            return [cursor.execute(f"SHOW {name}").fetchone()[0] for name in names]

    before = limits()
    with snapshot():
        within = limits()

    assert within == ["0", "0"]
    assert limits() == before == ["1min", "1min"]
