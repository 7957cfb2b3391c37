"""The currency of an organization changes until there is something in it."""

from uuid import uuid4

import pytest

from billing.services.accounts import change_currency
from billing.services.budgets import set_limit
from billing.services.topups import top_up
from core.clock import now
from orgs.errors import CurrencyFixedError, PermissionDeniedError
from orgs.models import Organization
from orgs.services.audit import SYSTEM
from tests.orgs.people import Team

pytestmark = pytest.mark.django_db


def change(team, currency, actor=SYSTEM, *, has_quotes=False):
    return change_currency(
        organization_id=team.organization.id,
        currency=currency,
        has_quotes=has_quotes,
        actor=actor,
    )


def credit(team, currency):
    top_up(
        organization_id=team.organization.id,
        amount_micros=1_000_000,
        idempotency_key=uuid4().hex,
        currency=currency,
        now=now(),
    )


def test_currency_changes_before_the_first_money_and_not_after():
    team = Team.open()
    admin = team.person("admin")

    assert change(team, "mxn", admin.actor).currency == "MXN"
    assert team.last().changes == {"currency": {"before": "USD", "after": "MXN"}}
    credit(team, "MXN")
    with pytest.raises(CurrencyFixedError):
        change(team, "EUR", admin.actor)

    assert Organization.objects.get(id=team.organization.id).currency == "MXN"


def test_quotes_budgets_and_roles_keep_the_currency():
    team = Team.open()
    billing = team.person("billing")

    with pytest.raises(PermissionDeniedError):
        change(team, "EUR", billing.actor)
    with pytest.raises(CurrencyFixedError):
        change(team, "EUR", has_quotes=True)
    set_limit(organization_id=team.organization.id, api_key_id=None, limit_micros=1)
    with pytest.raises(CurrencyFixedError):
        change(team, "EUR")

    assert Organization.objects.get(id=team.organization.id).currency == "USD"
