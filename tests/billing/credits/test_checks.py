"""Changes of promotional credit behind the triggers' back are found, and named."""

from typing import Any

import pytest
from django.db import connection

from billing.models import Grant, GrantPart, Hold, JournalEntry
from billing.services.credits.expiring import expire_grants
from tests.billing.scene import UNIT, Scene, check_deferred


@pytest.fixture
def books(scene: Scene) -> Scene:
    """A grant that expired in part, one that is spent and held in part, and the triggers off."""
    scene.top_up(10 * UNIT)
    early = scene.grant(UNIT + 7)
    scene.capture(scene.authorize().reference)
    expire_grants(now=early.expires_at)
    scene.grant(4 * UNIT)
    scene.capture(scene.authorize(2).reference)
    scene.release(scene.authorize().reference)
    scene.authorize(2)
    check_deferred()
    assert scene.findings() == []
    for table in ("grant", "grantpart", "hold", "journalentry", "posting", "balance"):
        tamper(f"ALTER TABLE billing_{table} DISABLE TRIGGER USER")
    return scene


def tamper(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def named(scene: Scene) -> set[tuple[str, str]]:
    return {(finding.table, finding.row_id) for finding in scene.findings()}


def grants(scene: Scene) -> list[Grant]:
    return list(Grant.objects.filter(organization_id=scene.organization_id).order_by("created_at"))


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(
    "change",
    [
        "amount_micros = amount_micros + 1",
        "expires_at = expires_at + interval '1 day'",
        "reason = 'other'",
        "created_at = created_at - interval '1 day'",
        "decided_at = decided_at + interval '1 day'",
        "captured_micros = captured_micros - 1",
        "held_micros = held_micros + 1, captured_micros = captured_micros - 1",
        "expired_micros = expired_micros + 1, captured_micros = captured_micros - 1",
        "digest = '\\x00'",
    ],
)
def test_a_changed_grant_is_named(books: Scene, index: int, change: str):
    grant = grants(books)[index]

    tamper(f"UPDATE billing_grant SET {change} WHERE id = %s", grant.id)

    assert ("billing_grant", str(grant.id)) in named(books)


@pytest.mark.parametrize(
    "change", ["amount_micros = amount_micros + 1", "captured_micros = captured_micros - 1", None]
)
def test_a_changed_or_deleted_part_is_seen_in_its_hold_and_grant(books: Scene, change):
    part = GrantPart.objects.filter(
        hold__organization_id=books.organization_id, captured_micros__gt=0
    ).latest("id")

    verb = f"UPDATE billing_grantpart SET {change}" if change else "DELETE FROM billing_grantpart"
    tamper(f"{verb} WHERE id = %s", part.id)

    found = named(books)
    assert ("billing_hold", str(part.hold_id)) in found
    assert (("billing_grant", str(part.grant_id)) in found) == (
        change != "amount_micros = amount_micros + 1"
    )


def test_a_part_moved_to_another_grant_is_seen_in_both(books: Scene):
    first, second = grants(books)
    part = GrantPart.objects.get(grant=first)

    tamper("UPDATE billing_grantpart SET grant_id = %s WHERE id = %s", second.id, part.id)

    both = {("billing_grant", str(grant.id)) for grant in (first, second)}
    assert both <= named(books)


@pytest.mark.parametrize("status", ["authorized", "captured", "released"])
def test_a_hold_that_says_another_part_of_credit_is_named(books: Scene, status: str):
    hold = Hold.objects.filter(organization_id=books.organization_id, status=status).latest(
        "authorized_at"
    )

    tamper("UPDATE billing_hold SET promo_micros = promo_micros - 1 WHERE id = %s", hold.id)

    assert ("billing_hold", str(hold.id)) in named(books)


@pytest.mark.parametrize("kind", ["promotion", "expiry"])
def test_a_deleted_entry_is_missed_by_its_grant(books: Scene, kind: str):
    entry = JournalEntry.objects.get(kind=kind, reference=str(grants(books)[0].id))
    tamper("DELETE FROM billing_posting WHERE entry_id = %s", entry.id)
    tamper("DELETE FROM billing_journalentry WHERE id = %s", entry.id)

    assert ("billing_grant", entry.reference) in named(books)


def test_a_deleted_grant_is_missed_by_its_entries(books: Scene):
    grant = grants(books)[0]
    entries = JournalEntry.objects.filter(reference=str(grant.id))
    assert entries.count() == 2
    tamper("DELETE FROM billing_grantpart WHERE grant_id = %s", grant.id)
    tamper("DELETE FROM billing_grant WHERE id = %s", grant.id)

    assert {("billing_journalentry", str(entry.id)) for entry in entries} <= named(books)
