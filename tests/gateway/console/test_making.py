"""Who drew what was charged, for people who see the balance and no requests."""

from uuid import uuid4

from core.clock import now
from core.ids import request_id
from orgs.permissions import Permission
from tests.gateway.console_services.scene import deliver
from tests.gateway.services.rows import add_attempt
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit


def test_billing_people_see_who_drew_a_charge_and_not_what_was_asked(db, pages):
    team = Team.open()
    key = team.key_of(team.person("owner"))
    drawn = deliver(key, prompt="a secret lighthouse")
    add_attempt(
        drawn, number=1, ended_at=now(), status="failed", error_code="rate_limited",
        provider="fal", cost_micros=40_000,
    )  # fmt: skip
    add_attempt(drawn, number=2, ended_at=now(), status="succeeded", provider="bfl")
    page = f"/o/{team.organization.id}/billing/requests/{drawn.id}/making"
    check_doors(team, page, Permission.VIEW_BALANCE)

    text = visit(signed_in(team.person("billing").user), page)

    assert all(word in text for word in (request_id(drawn.id), "Attempt 1: fal", "Attempt 2: bfl"))
    assert "secret" not in text
    assert "0.04" not in text
    other = Team.open()
    theirs = deliver(other.key_of(other.person("owner")))
    for nothing in (theirs.id, uuid4()):
        path = f"/o/{team.organization.id}/billing/requests/{nothing}/making"
        assert signed_in(team.person("owner").user).get(path).status_code == 404
