"""Wallets in currencies of none, three and four decimals: one call, to the micro."""

from decimal import Decimal

import pytest

from billing.money import format_amount
from billing.services.fx import set_rate
from core.clock import now
from tests.tenants import new_prompt


@pytest.mark.parametrize(
    ("currency", "rate", "cost", "left"),
    [
        # 0.040 x 1.05 x rate, of a wallet of 1,000.
        ("JPY", "500", "21", "979"),
        ("JPY", "150.4737", "6.319895", "993.680105"),
        ("KWD", "10", "0.420", "999.580"),
        ("KWD", "0.3075", "0.012915", "999.987085"),
        ("CLF", "0.5", "0.0210", "999.9790"),
    ],
)
def test_a_call_costs_and_leaves_exact_amounts(open_tenant, currency, rate, cost, left):
    tenant = open_tenant(currency=currency, amount="1000")
    moment = now()
    with tenant.stack.database():
        set_rate(
            base="USD",
            quote=currency,
            rate=Decimal(rate),
            source="manual",
            as_of=moment,
            now=moment,
        )

    answer = tenant.generate(new_prompt())

    assert (answer.status_code, answer.headers["X-Cost"]) == (200, cost)
    assert tenant.balance() == (left, format_amount(0, currency))
    assert tenant.ledger_findings() == []
