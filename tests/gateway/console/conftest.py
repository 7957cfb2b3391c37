from uuid import uuid4

import pytest

from billing.services.prices import sync_list_prices
from billing.services.topups import top_up
from core.clock import now
from gateway.catalog.prices import list_prices
from gateway.management.commands.bootstrap import price_row
from orgs.models import Organization
from tests.orgs.people import Team


@pytest.fixture
def team(committed, pages, settings) -> Team:
    """A demo organization with USD 1: the sandbox would draw, and the wallet pays."""
    settings.SANDBOX_BASE_URL, settings.LIENZO_SANDBOX = "http://127.0.0.1:9", "auto"
    sync_list_prices(rows=[price_row(price) for price in list_prices()], now=now())
    opened = Team.open()
    Organization.objects.filter(id=opened.organization.id).update(is_demo=True)
    top_up(
        organization_id=opened.organization.id,
        amount_micros=1_000_000,
        idempotency_key=uuid4().hex,
        now=now(),
    )
    return opened
