"""Web says from memory whether it is ready: no burst on the database's pool makes it seem down."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.test import RequestFactory

from billing.services.prices import set_price
from core.clock import now
from gateway.api.views import ReadinessView, require_prices
from gateway.services.processes import LEASE_S, Kind, current_process


def ask() -> tuple[int, str]:
    answer = ReadinessView().get(RequestFactory().get("/readyz"))
    return answer.status_code, json.loads(answer.content).get("database", "")


@pytest.fixture
def unpriced(db, monkeypatch) -> Iterator[None]:
    """A web process that has just renewed its lease, and has seen no prices."""
    monkeypatch.setattr(current_process(Kind.WEB), "_renewed_s", time.monotonic())
    require_prices.cache_clear()
    yield
    require_prices.cache_clear()


@pytest.mark.usefixtures("unpriced")
def test_web_is_ready_with_a_lease_and_prices_and_asks_the_database_no_more(
    django_assert_num_queries, monkeypatch
):
    assert ask() == (503, "no prices")
    set_price(model_key="first", amount=Decimal("0.04"), now=now())
    assert ask() == (200, "")

    with django_assert_num_queries(0):
        assert ask() == (200, "")
        lost_s = time.monotonic() - LEASE_S
        monkeypatch.setattr(current_process(Kind.WEB), "_renewed_s", lost_s)
        assert ask() == (503, "unreachable")
