"""Who is told how much of a budget is spent, and how often."""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.models import Budget, BudgetAlert
from billing.selectors.budgets import get_budgets, month_of
from billing.services.alerts import announce_low_balances, set_balance_alert
from billing.services.budget_alerts import announce_budgets
from billing.services.budgets import set_limit
from core.clock import now
from orgs.models import Mail, Organization, OutboxEvent, WebhookEndpoint
from orgs.services.audit import SYSTEM
from orgs.services.signing import unseal
from tests.billing.scene import UNIT, Scene
from tests.billing.test_races import at_once
from tests.orgs.people import Team
from tests.visits import signed_in, visit


def hook(scene: Scene) -> None:
    WebhookEndpoint.objects.create(
        organization_id=scene.organization_id,
        url="https://example.com/",
        events=["budget.reached"],
        secret=b"",
    )


def announce(scene: Scene, *, at: datetime | None = None) -> int:
    """Return how many shares of the scene's budgets were told of just now."""
    own = BudgetAlert.objects.filter(budget__organization_id=scene.organization_id)
    before = own.count()
    announce_budgets(now=at or now())
    return own.count() - before


def events(scene: Scene) -> list[dict[str, Any]]:
    rows = OutboxEvent.objects.filter(organization_id=scene.organization_id)
    return list(rows.order_by("created_at", "data__percent").values_list("data", flat=True))


def mails(scene: Scene) -> list[tuple[str, str]]:
    rows = Mail.objects.filter(organization_id=scene.organization_id)
    return sorted(rows.values_list("recipient", "subject"))


def spend(scene: Scene, images: int, *, at: datetime | None = None) -> None:
    scene.capture(scene.authorize(images, at=at).reference, images=images)


def limit(scene: Scene, units: int, *, of_key: bool = False) -> None:
    owner = scene.api_key_id if of_key else None
    set_limit(organization_id=scene.organization_id, api_key_id=owner, limit_micros=units * UNIT)


def test_each_share_of_each_budget_is_told_once_by_mail_and_webhook(scene: Scene):
    team = Team(Organization.objects.get(id=scene.organization_id))
    owner, billing = team.person("owner").user, team.person("billing").user
    team.person("developer")
    billing.language = "es"
    billing.save()
    hook(scene)
    scene.top_up(100 * UNIT)
    limit(scene, 20)
    limit(scene, 4, of_key=True)
    spend(scene, 1)
    scene.authorize(2)  # what is only set aside may come back
    assert announce(scene) == 0

    spend(scene, 1)
    assert announce(scene) == 1
    assert announce(scene) == 0

    assert events(scene) == [
        {
            "object": "budget",
            "api_key_id": str(scene.api_key_id),
            "month": f"{now():%Y-%m}",
            "percent": 50,
            "limit": "3.36",
            "spent": "1.68",
            "currency": "MXN",
        }
    ]
    assert mails(scene) == sorted(
        [
            (owner.email, 'Scene: 50 % of the budget of the key "key" is spent'),
            (billing.email, "Scene: se gastó el 50 % del presupuesto de la clave «key»"),
        ]
    )

    limit(scene, 2, of_key=True)
    limit(scene, 4)
    assert announce(scene) == 3
    limit(scene, 8, of_key=True)
    assert announce(scene) == 0
    told = [(one["api_key_id"] is None, one["percent"]) for one in events(scene)]
    assert sorted(told) == [(False, 50), (False, 80), (False, 100), (True, 50)]
    last = Mail.objects.get(recipient=owner.email, subject__contains="100 %")
    assert "Requests are refused until the next month" in unseal(bytes(last.body))


def test_each_month_counts_anew_and_the_last_minutes_of_one_are_told_of(scene: Scene):
    scene.top_up(100 * UNIT)
    limit(scene, 2)
    last = datetime(2031, 3, 31, 23, 59, tzinfo=UTC)
    first = datetime(2031, 4, 1, 0, 1, tzinfo=UTC)
    spend(scene, 1, at=last)
    assert announce(scene, at=first) == 1
    spend(scene, 1, at=first)
    assert announce(scene, at=first) == 1
    spend(scene, 1, at=last)
    assert announce(scene, at=datetime(2031, 4, 3, tzinfo=UTC)) == 0

    rows = BudgetAlert.objects.filter(budget__organization_id=scene.organization_id)
    found = rows.order_by("period").values_list("period__month", "percent", "captured_micros")
    assert list(found) == [(3, 50, UNIT), (4, 50, UNIT)]


def test_of_many_that_look_at_once_one_tells(committed):
    scene = Scene.create()
    Team(Organization.objects.get(id=scene.organization_id)).person("owner")
    hook(scene)
    scene.top_up(10 * UNIT)
    limit(scene, 2)
    spend(scene, 2)

    at_once(lambda: announce_budgets(now=now()), callers=12)

    assert [one["percent"] for one in events(scene)] == [50, 80, 100]
    assert len(mails(scene)) == 3


@pytest.mark.usefixtures("pages")
def test_pages_say_what_was_told(scene: Scene):
    scene.top_up(10 * UNIT)
    limit(scene, 2)
    spend(scene, 2)
    announce_budgets(now=now())
    client = signed_in(
        Team(Organization.objects.get(id=scene.organization_id)).person("owner").user
    )

    month = month_of(now(), time_zone="UTC")
    own = get_budgets(organization_id=scene.organization_id, month=month).own
    assert own.told == (50, 80, 100)
    page = visit(client, f"/o/{scene.organization_id}/budgets")
    assert "told at 50\u00a0%, 80\u00a0%, 100\u00a0%" in page
    assert Budget.objects.filter(organization_id=scene.organization_id).count() == 2


def test_a_low_balance_is_told_by_mail_once(scene: Scene):
    owner = Team(Organization.objects.get(id=scene.organization_id)).person("owner").user
    scene.top_up(UNIT)
    scene.grant(UNIT)
    line = 2 * UNIT - 1
    set_balance_alert(organization_id=scene.organization_id, below_micros=line, actor=SYSTEM)
    announce_low_balances(now=now())
    assert mails(scene) == []  # promotional credit counts

    scene.authorize()
    for _ in range(2):
        announce_low_balances(now=now())

    assert mails(scene) == [(owner.email, "Scene: the balance is low")]
