"""The currency of an organization in the console: changed until there is money."""

import pytest

from billing.services.budgets import set_limit
from billing.services.topups import top_up
from core.clock import now
from orgs.models import Organization
from orgs.permissions import Permission
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]


def test_currency_changes_until_there_is_money():
    team = Team.open()
    own = team.organization
    client, path = signed_in(team.person("admin").user), f"/o/{own.id}/settings/currency"

    def change(currency: str) -> str:
        client.post(path, {"currency": currency})
        return Organization.objects.get(id=own.id).currency

    assert 'value="MXN"' in visit(client, path)
    assert "/settings/currency" in visit(client, f"/o/{own.id}/settings")
    assert change("EUR") == "EUR"
    assert change("XYZ") == "EUR"
    set_limit(organization_id=own.id, api_key_id=None, limit_micros=1)
    page = client.post(path, {"currency": "MXN"}).content.decode()
    assert "Remove the budgets first" in page
    set_limit(organization_id=own.id, api_key_id=None, limit_micros=None)
    assert change("MXN") == "MXN"
    top_up(organization_id=own.id, amount_micros=1, idempotency_key="one", now=now())
    assert "It stays" in visit(client, path)
    assert change("EUR") == "MXN"


def test_who_changes_the_currency():
    team = Team.open()

    path = f"/o/{team.organization.id}/settings/currency"
    check_doors(team, path, Permission.MANAGE_SETTINGS)
