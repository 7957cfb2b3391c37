"""Drafts: the running month added up as it goes on says what all its entries say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.models import Statement, StatementDraft
from billing.services.statements import drafts
from billing.services.statements.issuing import (
    advance_drafts,
    issue_due_statements,
    preview_statement,
)
from orgs.models import Organization
from tests.billing.scene import Scene
from tests.billing.statements.year import add_money, charge

MARCH = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def scene(db, monkeypatch) -> Scene:
    monkeypatch.setattr(drafts, "LEAST", 2)
    scene = Scene.create()
    add_money(scene, 10_000_000, at=MARCH)
    charge(scene, images=2, at=MARCH + DAY)
    return scene


def preview(scene: Scene, at: datetime) -> dict[str, Any] | None:
    organization = Organization.objects.get(id=scene.organization_id)
    return preview_statement(organization=organization, now=at)


def test_a_draft_changes_nothing_that_is_said(scene: Scene):
    assert advance_drafts(now=MARCH + 2 * DAY) == 1
    scene.grant(500_000)
    scene.set_rate("21.5")
    charge(scene, at=MARCH + 3 * DAY)
    charge(scene, at=MARCH + 4 * DAY)
    assert advance_drafts(now=MARCH + 5 * DAY) == 1
    assert advance_drafts(now=MARCH + 5 * DAY) == 0
    charge(scene, images=3, at=MARCH + 6 * DAY)

    drawn = preview(scene, MARCH + 7 * DAY)
    StatementDraft.objects.all().delete()

    assert drawn == preview(scene, MARCH + 7 * DAY)
    assert drawn is not None
    assert sum(line["images"] for line in drawn["lines"]) == 7


def test_a_statement_is_made_of_all_its_entries_and_a_draft_ends_with_it(scene: Scene):
    advance_drafts(now=MARCH + 2 * DAY)
    StatementDraft.objects.update(usage=[])
    charge(scene, at=datetime(2026, 4, 2, tzinfo=UTC))

    issue_due_statements(now=datetime(2026, 4, 3, tzinfo=UTC))

    lines = Statement.objects.get(organization_id=scene.organization_id).content["lines"]
    assert sum(line["images"] for line in lines) == 2
    april = preview(scene, datetime(2026, 4, 3, tzinfo=UTC))
    assert april is not None
    assert sum(line["images"] for line in april["lines"]) == 1


def test_a_draft_that_was_changed_is_named_and_made_anew(scene: Scene):
    advance_drafts(now=MARCH + 2 * DAY)
    assert scene.findings() == []
    wallet, *others = StatementDraft.objects.get().accounts
    StatementDraft.objects.update(accounts=[{**wallet, "opening_micros": 1}, *others])

    assert [one.check for one in scene.findings()] == ["statement_draft"]

    drafts.forget_drafts()
    assert advance_drafts(now=MARCH + 2 * DAY) == 1
    assert scene.findings() == []
