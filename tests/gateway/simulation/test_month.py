"""A simulated month agrees with an independent computation, and what is spoiled in it is named."""

from datetime import UTC, date, datetime
from pathlib import Path

from gateway.services.simulation.month import simulate_month
from gateway.services.verification import verify_money
from tests.recompute.__main__ import differences

MONTH = date(2019, 5, 1)
"""Long before whatever else is in the database of tests."""


def test_a_simulated_month_agrees_to_the_micro(db, tmp_path: Path):
    done = simulate_month(seed=11, month=MONTH, organizations=3, generations=60, folder=tmp_path)
    print(done)

    assert list(differences(tmp_path)) == []
    findings = [
        finding
        for one in done.organizations
        for finding in verify_money(now=datetime(2019, 6, 3, tzinfo=UTC), organization_id=one)
    ]
    assert findings == []
