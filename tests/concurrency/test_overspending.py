"""Two hundred requests at once, over two web processes, cannot spend more than there is."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from tests.faults.audit import balance_of, verify_ledger
from tests.faults.clients import FAL, Call, Crowd

pytestmark = pytest.mark.xdist_group("supervisor")
REQUESTS = 200
AFTER_TOP_UP = 60
UNIT = Decimal("0.042")
FIRST, MORE = 40, 20
REMAINDER = Decimal("0.0019")


def test_race_with_a_top_up_accepts_exactly_what_the_money_buys(machine):
    (organization,) = machine.organizations(str(UNIT * FIRST + REMAINDER))
    crowd = Crowd(machine)
    together = threading.Barrier(REQUESTS - AFTER_TOP_UP + 1)
    for number in range(REQUESTS - AFTER_TOP_UP):
        prompt = f"race {number} <delay=0.1>"
        crowd.send(_Together(organization, FAL, prompt, retries=False, together=together))
    together.wait()
    machine.command("top_up", organization.id, str(UNIT * MORE))
    for number in range(AFTER_TOP_UP):
        crowd.send(Call(organization, FAL, f"race late {number} <delay=0.1>", retries=False))
    calls = crowd.join()
    accepted = [call for call in calls if call.status == 200]
    refused = [call for call in calls if call.status == 402]
    assert len(accepted) == FIRST + MORE
    assert len(refused) == REQUESTS - FIRST - MORE
    assert {call.code for call in refused} == {"insufficient_balance"}
    assert balance_of(machine, organization) == {"posted": int(REMAINDER * 1_000_000), "held": 0}
    (rows,) = machine.rows(
        "SELECT count(*) FROM gateway_generation WHERE organization_id = %s", organization.id
    )
    assert rows == {"count": FIRST + MORE}
    assert len(machine.upstream.calls("race ")) == FIRST + MORE
    verify_ledger(machine, organization)


class _Together(Call):
    def __init__(self, *arguments, together, **options):
        super().__init__(*arguments, **options)
        self._together = together

    def run(self, machine):
        self._together.wait()
        super().run(machine)


def test_the_same_race_overspends_without_the_guard(machine):
    """The control: a check followed by a write lets more through than there is money for."""
    table = f"scratch_{uuid.uuid4().hex}"
    threads = 20
    together = threading.Barrier(threads)

    def spend(_):
        accepted = 0
        with machine.connect() as session:
            together.wait()
            for _ in range(REQUESTS // threads):
                (row,) = session.execute(f"SELECT available FROM {table}").fetchall()
                if row["available"] >= 1:
                    session.execute(f"UPDATE {table} SET available = {row['available'] - 1}")
                    accepted += 1
        return accepted

    with machine.connect() as session:
        session.execute(f"CREATE UNLOGGED TABLE {table} AS SELECT {FIRST} AS available")
        try:
            with ThreadPoolExecutor(threads) as pool:
                accepted = sum(pool.map(spend, range(threads)))
        finally:
            session.execute(f"DROP TABLE {table}")
    assert accepted > FIRST
