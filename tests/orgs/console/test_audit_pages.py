"""The page of the audit log and its export."""

import csv
import io
import re

import pytest

from orgs.console.administration.audit import AuditExportView, AuditLogView
from orgs.console.administration.words import ACTIONS
from orgs.models import AuditEvent
from orgs.services.audit import Action, Target, record
from orgs.services.members import change_role
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]


def log_of(team: Team, path: str = "") -> str:
    return f"/o/{team.organization.id}/audit-log{path}"


def test_line_shows_who_changed_what_and_leads_to_everything_about_it():
    team = Team.open()
    owner, viewer = team.person("owner"), team.person("viewer")
    organization_id, user_id = team.organization.id, viewer.user.id
    change_role(organization_id=organization_id, user_id=user_id, role="billing", actor=owner.actor)
    event = team.last()
    client = signed_in(owner.user)

    assert "Role changed" in visit(client, log_of(team))
    drawer = visit(client, log_of(team, f"/{event.id}?action=member"))
    for text in (
        owner.user.email,
        viewer.user.email,
        "203.0.113.7",
        "<td>viewer</td><td>billing</td>",
    ):
        assert text in drawer
    # A name of the page's that is one of the drawer's, too, would be drawn there.
    assert "Webhook secret rotated" not in drawer.partition('<aside id="drawer"')[2]
    about = visit(client, log_of(team, f"?object={user_id}"))
    rows = about.partition("<tbody>")[2]
    assert "Role changed" in rows
    assert "Organization created" not in rows


def test_log_is_filtered_by_its_address_and_paged():
    team = Team.open()
    owner = team.person("owner")
    for number in range(51):
        record(
            action=Action.WEBHOOK_CHANGED,
            actor=owner.actor,
            organization_id=team.organization.id,
            target=Target("webhook", team.organization.id, f"hook {number}"),
        )
    client = signed_in(owner.user)

    page = visit(client, log_of(team, "?action=webhook"))
    assert "hook 50" in page
    assert "hook 0" not in page
    cursor = re.search(r"cursor=([0-9a-f-]{36})", page)
    assert cursor
    older = visit(client, log_of(team, f"?action=webhook&cursor={cursor[1]}"))
    assert re.findall(r"hook \d+", older) == ["hook 0"]
    assert "hook 50" in visit(client, log_of(team, f"?actor={owner.user.id}"))
    assert "No line fits" in visit(client, log_of(team, "?until=2020-01-01"))
    for wrong in ("?actor=x", "?since=yesterday", f"?cursor={team.organization.id}"):
        assert client.get(log_of(team, wrong)).status_code == 404


def test_export_has_what_the_filters_leave_and_no_formulas():
    team = Team.open()
    owner = team.person("owner")
    for label in ("=1+1", "plain"):
        record(
            action=Action.API_KEY_CREATED,
            actor=owner.actor,
            organization_id=team.organization.id,
            target=Target("api_key", team.organization.id, label),
        )

    answer = signed_in(owner.user).get(log_of(team, "/export?action=api_key"))

    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["object_label"] for row in rows] == ["plain", "'=1+1"]
    assert {row["actor"] for row in rows} == {owner.user.email}
    assert "audit-log.csv" in answer["Content-Disposition"]


def test_log_is_for_owners_and_admins_of_this_organization():
    team, other = Team.open(), Team.open()
    check_doors(team, log_of(team), AuditLogView.permission)
    check_doors(team, log_of(team, "/export"), AuditExportView.permission)
    foreign = AuditEvent.objects.filter(organization=other.organization)[0]
    client = signed_in(team.person("owner").user)
    assert client.get(log_of(team, f"/{foreign.id}")).status_code == 404


def test_every_action_has_a_name():
    assert set(Action) <= set(ACTIONS)
