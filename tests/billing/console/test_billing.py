"""The wallet in the console: every transaction, the balance after it, and what it is made of."""

import csv
import io
import re
from decimal import Decimal

import pytest
from django.db import connections

from billing.models import Balance
from billing.selectors import wallet
from billing.selectors.budgets import get_balance_alert
from billing.selectors.wallet import list_transactions
from billing.services.ledger import reverse_entry
from core.clock import now
from orgs.models import AuditEvent, Organization
from orgs.permissions import Permission
from tests.billing.scene import UNIT, Scene
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]


@pytest.fixture
def booked(scene: Scene) -> Scene:
    """A wallet with a top-up, an image, two images, a reversed image and another top-up."""
    scene.top_up(10_000_000)
    scene.capture(scene.authorize().reference)
    scene.capture(scene.authorize(3).reference, images=2)
    wrong = scene.capture(scene.authorize().reference)
    reverse_entry(entry_id=wrong.entry_id, now=now())
    scene.top_up(1_000_000)
    return scene


def client_of(scene: Scene, role: str = "billing", **how):
    team = Team(Organization.objects.get(id=scene.organization_id))
    return signed_in(team.person(role).user, **how)


def pages_of(scene: Scene, limit: int, **how):
    place = None
    while True:
        page = list_transactions(
            organization_id=scene.organization_id, limit=limit, place=place, **how
        )
        yield from page.transactions
        place = page.next_place
        if place is None:
            return


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_each_balance_is_the_one_before_and_the_amount(limit, booked):
    rows = list(pages_of(booked, limit))

    assert [row.amount_micros for row in rows] == [
        1_000_000,
        UNIT,
        -UNIT,
        -2 * UNIT,
        -UNIT,
        10_000_000,
    ]
    assert [row.balance_micros - row.amount_micros for row in rows] == [
        *[row.balance_micros for row in rows[1:]],
        0,
    ]
    assert rows[0].balance_micros == booked.balance()[0]
    added = list(pages_of(booked, limit, only_credits=True))
    assert [row.amount_micros for row in added] == [1_000_000, UNIT, 10_000_000]


def test_pages_go_on_where_the_one_before_ended_while_more_is_booked(booked, monkeypatch):
    monkeypatch.setattr("billing.console.billing.PAGE", 2)
    client, path = client_of(booked), f"/o/{booked.organization_id}/billing"

    first = visit(client, path)
    booked.top_up(5_000_000)
    [cursor] = re.findall(r"cursor=([^&\"]+)", first)
    second = visit(client, f"{path}?cursor={cursor}")

    assert re.findall(r"Balance after.*?> *([\d.]+) <", second, re.DOTALL) == ["6.64", "7.48"]
    tampered = visit(client, f"{path}?cursor=x{cursor}")
    assert "Balance after" in tampered


def test_an_image_shows_the_way_of_its_money(booked):
    rows = list(pages_of(booked, 50))
    client, path = client_of(booked), f"/o/{booked.organization_id}/billing"

    page = visit(client, f"{path}/{rows[3].entry_id}")

    for text in ("0.04 ", "5\u00a0%", "20.00 ", "Charged for 2 delivered images", "Given back"):
        assert text in page, text
    assert [one in page for one in ("wallet", "fx_clearing", "revenue")] == [True] * 3
    assert f"/billing/{rows[2].entry_id}" in page
    assert f"/billing/{rows[4].entry_id}" in page
    reversal = visit(client, f"{path}/{rows[1].entry_id}")
    assert reversal.count("<h3>Postings") == 2
    assert "Money added" in visit(client, f"{path}/{rows[-1].entry_id}?show=credits")


def test_what_is_set_aside_adds_up(booked):
    booked.authorize(2)

    page = visit(client_of(booked), f"/o/{booked.organization_id}/billing")

    assert page.count("1.68 <span") >= 2
    assert "Set aside now" in page


def test_balance_of_the_top_bar_warns_and_hides_from_viewers(booked):
    path = f"/o/{booked.organization_id}/balance"
    # Enough for three days of what was spent, if today is the first of the month, too.
    booked.top_up(100_000_000)
    assert "is-low" not in visit(client_of(booked), path)

    Balance.objects.filter(account__organization_id=booked.organization_id).update(
        posted_micros=0, held_micros=0
    )

    assert "is-low" in visit(client_of(booked), path)
    assert visit(client_of(booked, "viewer"), path) == ""


def test_amounts_are_written_in_the_readers_language(booked):
    page = visit(client_of(booked, language="es"), f"/o/{booked.organization_id}/billing")

    assert "7,48 <span" in page
    assert "8.48 <span" not in page
    assert "\u22120,84 <span" in page


def test_who_sees_the_wallet(scene):
    team, other = Team(Organization.objects.get(id=scene.organization_id)), Scene.create()
    path = f"/o/{scene.organization_id}/billing"
    assert "No transactions yet" in visit(client_of(scene), path)
    entry = scene.top_up(1_000_000)

    check_doors(team, path, Permission.VIEW_BALANCE)
    check_doors(team, f"{path}/{entry.id}", Permission.VIEW_BALANCE)
    foreign = other.top_up(1_000_000)
    assert client_of(scene).get(f"{path}/{foreign.id}").status_code == 404
    assert visit(client_of(other), f"/o/{other.organization_id}/billing").count("Top-up") == 1


def test_file_has_every_transaction_with_the_balance_after_it(booked, monkeypatch):
    monkeypatch.setattr(wallet, "MAX_LIMIT", 2)
    # The test's transaction is on it.
    monkeypatch.setattr(connections["default"], "close", lambda: None)
    client, path = client_of(booked), f"/o/{booked.organization_id}/billing/csv"

    answer = client.get(path)
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))

    assert answer.headers["Cache-Control"] == "no-store"
    listed = list(pages_of(booked, 50))
    assert [(row["entry"], row["kind"]) for row in rows] == [
        (str(one.entry_id), one.kind) for one in listed
    ]
    for row, one in zip(rows, listed, strict=True):
        assert one.balance_micros is not None
        assert Decimal(row["amount"]) * 1_000_000 == one.amount_micros
        assert Decimal(row["balance_after"]) * 1_000_000 == one.balance_micros
    added = list(csv.DictReader(io.StringIO(b"".join(client.get(f"{path}?show=credits")).decode())))
    assert [row["balance_after"] for row in added] == [""] * 3


def test_line_of_a_low_balance_is_set_warned_of_and_removed(scene):
    scene.top_up(10_000_000)
    client, home = client_of(scene), f"/o/{scene.organization_id}"
    path = f"{home}/billing/alert"

    assert "Set a line" in visit(client, f"{home}/billing")
    assert "is-low" not in visit(client, f"{home}/balance")
    for wrong in ("0", "-1", "x", ""):
        assert client.post(path, {"below": wrong}).status_code == 200
        assert get_balance_alert(organization_id=scene.organization_id) is None
    assert client.post(path, {"below": "10.01"}).status_code == 302

    page = visit(client, f"{home}/billing")
    assert "The balance is below your line of 10.01 MXN" in page
    assert "is-low" in visit(client, f"{home}/balance")
    assert "10.01" in visit(client, path)
    scene.top_up(10_000)
    assert "is-low" not in visit(client, f"{home}/balance")
    client.post(path, {"remove": "1"})
    assert get_balance_alert(organization_id=scene.organization_id) is None
    logged = AuditEvent.objects.filter(organization_id=scene.organization_id)
    changes = logged.filter(action="balance_alert.changed").order_by("created_at")
    assert [one.changes["below"]["after"] for one in changes] == ["10.01 MXN", None]


def test_who_sets_the_line():
    team = Team.open()
    check_doors(team, f"/o/{team.organization.id}/billing/alert", Permission.MANAGE_BUDGETS)
    check_doors(team, f"/o/{team.organization.id}/billing/csv", Permission.VIEW_BALANCE)
