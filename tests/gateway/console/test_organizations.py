"""Organizations as operators see them: the list, one of them, and what is done to it."""

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.selectors.markups import organization_markup
from billing.services.prices import set_price
from billing.services.quotes import Cell, quote_unit
from core.clock import now
from gateway.services.rollups import roll_up
from orgs.models import Organization
from orgs.services.audit import SYSTEM
from orgs.services.lifecycle import request_deletion, suspend
from tests.gateway.services.rows import add_attempt, add_generation
from tests.gateway.services.test_rollups import charge
from tests.orgs.people import Team, person
from tests.visits import signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]
LIST = "/operations/organizations"


def operator_client() -> Client:
    return signed_in(person(staff_role="operator").user)


def path(team: Team, rest: str = "") -> str:
    return f"{LIST}/{team.organization.id}{rest}"


def named(name: str) -> Team:
    team = Team.open()
    Organization.objects.filter(id=team.organization.id).update(name=name)
    team.organization.name = name
    return team


def names(page: str) -> list[str]:
    return re.findall(r"<strong>(Org \w+)</strong>", page)


def test_list_is_searched_filtered_and_paged():
    teams = {name: named(f"Org {name}") for name in ("one", "two", "three", "four")}
    owner = teams["one"].person("owner")
    key = teams["two"].key_of(teams["two"].person("owner"))
    own = {"organization_id": teams["three"].organization.id}
    suspend(**own, reason="Unpaid", actor=SYSTEM, now=now())
    four = teams["four"].organization
    request_deletion(organization_id=four.id, name="Org four", actor=SYSTEM, now=now())
    Organization.objects.filter(id=teams["two"].organization.id).update(is_demo=True)
    client = operator_client()

    for query, expected in (
        ("q=Org+t", {"Org two", "Org three"}),
        (f"q={owner.user.email}", {"Org one"}),
        (f"q={four.id}", {"Org four"}),
        (f"q=lz_sk_live_{key.lookup[:6]}", {"Org two"}),
        ("q=Org&state=suspended", {"Org three"}),
        ("q=Org&state=closing", {"Org four"}),
        ("q=Org&state=demo", {"Org two"}),
        ("q=Org&state=active", {"Org one", "Org two"}),
    ):
        assert set(names(visit(client, f"{LIST}?{query}"))) == expected, query
    assert "No organization fits" in visit(client, f"{LIST}?q=nobody%00")
    assert client.get(f"{LIST}?state=odd").status_code == 404


def test_list_pages_by_cursor():
    for number in range(52):
        named(f"Org x{number}")
    client = operator_client()

    first = visit(client, f"{LIST}?q=Org+x")
    cursor = re.search(r"cursor=([0-9a-f-]{36})", first)
    assert cursor
    second = visit(client, f"{LIST}?q=Org+x&cursor={cursor[1]}")

    assert names(first)[0] == "Org x51"
    assert names(second) == ["Org x1", "Org x0"]


@pytest.mark.parametrize("is_counted", [True, False])
def test_figures_are_those_of_the_last_thirty_days(is_counted):
    team = named("Org figures")
    Organization.objects.filter(id=team.organization.id).update(time_zone="America/Mexico_City")
    key = team.key_of(team.person("owner"))
    for days in (0, 0, 3, 40):
        charge(key, now() - timedelta(days=days))
    while is_counted and roll_up():
        pass

    page = visit(operator_client(), f"{LIST}?q=Org+figures").partition("<tbody>")[2]

    cells = re.sub(r"<[^>]+>|\s+", " ", page)
    assert re.search(r"Org figures .* 3\.832\s+USD\s+0\.00\s+USD\s+1\s+0\.126\s+USD\s+3 ", cells)
    overview = visit(operator_client(), path(team))
    assert "0.126" in overview


def test_overview_and_people_show_no_secret_and_no_prompt():
    team = Team.open()
    owner = team.person("owner")
    key = team.key_of(owner)
    failed = add_generation(
        key,
        status="failed",
        parameters={"n": 1, "prompt": "a secret hare"},
        finished_at=now(),
        error={"code": "generation_timeout", "message": "late"},
    )
    add_attempt(failed, number=1, ended_at=now(), upstream_id="job-1", cost_micros=40_000)
    client = operator_client()

    overview = visit(client, path(team))
    people = visit(client, path(team, "/people"))
    request = visit(client, f"/operations/requests/{failed.id}")

    assert "generation_timeout" in overview
    assert "API key created" in overview
    assert f"/operations/requests/{failed.id}" in overview
    assert owner.user.email in people
    assert key.lookup[:4] in people
    assert "job-1" in request
    for page in (overview, people, request):
        assert "a secret hare" not in page
        assert key.lookup not in page
    assert client.get(f"/operations/requests/{team.organization.id}").status_code == 404
    assert client.get(path(team).replace("-", "0", 1)).status_code == 404


def test_operator_suspends_with_a_reason_and_resumes():
    team, client = Team.open(), operator_client()
    assert "Suspend Acme" in visit(client, path(team, "/actions"))
    assert "field-error" in client.post(path(team, "/suspend"), {"reason": ""}).content.decode()

    client.post(path(team, "/suspend"), {"reason": "Unpaid"})

    assert Organization.objects.get(id=team.organization.id).suspension_reason == "Unpaid"
    assert team.last().changes == {"reason": {"before": "", "after": "Unpaid"}}
    assert "Unpaid" in visit(client, path(team))
    client.post(path(team, "/resume"), {"reason": "Paid"})
    assert Organization.objects.get(id=team.organization.id).suspended_at is None
    assert team.last().action == "organization.resumed"


def test_operator_sets_limits_and_markup():
    team, client = Team.open(), operator_client()

    client.post(path(team, "/limits"), {"requests_per_minute": "600", "max_concurrent": "50"})
    client.post(path(team, "/markup"), {"percent": "-12.5"})

    kept = Organization.objects.get(id=team.organization.id)
    assert (kept.requests_per_minute, kept.images_per_minute, kept.max_concurrent) == (
        600,
        None,
        50,
    )
    assert team.log()[-2:] == ["organization.settings_changed", "organization.markup_changed"]
    assert team.last().changes["markup"]["after"] == "-0.125"
    own: dict[str, Any] = {"organization_id": team.organization.id, "now": now()}
    assert organization_markup(**own) == Decimal("-0.125")
    set_price(model_key="marked", amount=Decimal("0.04"), now=own["now"])
    cell = Cell("marked", "1024x1024", quality="", pixels=1024 * 1024)
    assert quote_unit(**own, currency="USD", cell=cell).unit_micros == 35_000
    page = visit(client, path(team, "/actions"))
    assert 'value="-12.5"' in page
    assert 'value="600"' in page
    client.post(path(team, "/markup"), {"percent": ""})
    own["now"] = now()
    assert organization_markup(**own) is None
    assert team.last().changes["markup"] == {"before": "-0.125000", "after": None}
    assert quote_unit(**own, currency="USD", cell=cell).unit_micros == 42_000
    before = team.log()
    for what, sent in (("limits", {"max_concurrent": "0"}), ("markup", {"percent": "-100"})):
        answer = client.post(path(team, f"/{what}"), sent)
        assert "field-error" in answer.content.decode(), what
    assert team.log() == before


def test_operator_asks_for_deletion_by_name_and_cancels():
    team, client = Team.open(), operator_client()
    client.post(path(team, "/deletion"), {"name": "Another"})
    assert Organization.objects.get(id=team.organization.id).deletion_requested_at is None

    client.post(path(team, "/deletion"), {"name": "Acme"})
    assert "is to be deleted" in visit(client, path(team, "/actions"))
    client.post(path(team, "/deletion/cancel"))

    assert team.log()[-2:] == ["organization.deletion_requested", "organization.deletion_canceled"]


def test_pages_are_for_operators_alone():
    team = Team.open()
    owner, finance = team.person("owner"), person(staff_role="finance")
    for rest in ("", "/people", "/actions"):
        for who in (owner, finance):
            assert signed_in(who.user).get(path(team, rest)).status_code == 404
            assert signed_in(who.user).get(LIST).status_code == 404
    for rest in ("/suspend", "/limits", "/markup", "/deletion"):
        for who in (owner, finance):
            sent = {"reason": "x", "percent": "0", "name": "Acme"}
            assert signed_in(who.user).post(path(team, rest), sent).status_code == 404
    assert team.log() == ["organization.created", "member.added"]


def test_log_of_all_organizations_is_filtered_and_exported():
    team, other = named("Org log"), named("Org other")
    owner = team.person("owner")
    team.key_of(owner)
    suspend(organization_id=other.organization.id, reason="Unpaid", actor=SYSTEM, now=now())
    client = operator_client()
    log = "/operations/audit-log"

    def rows(query: str) -> str:
        return visit(client, f"{log}?{query}").partition("<tbody>")[2].partition("</tbody>")[0]

    every = rows("")
    assert "Org log" in every
    assert "Org other" in every
    for query in (
        f"organization={team.organization.id}",
        "organization=Org+log",
        f"actor={owner.user.email.upper()}",
        f"actor={owner.user.id}",
        "action=api_key",
    ):
        assert "API key created" in rows(query), query
        assert "Org other" not in rows(query), query
    assert rows("actor=nobody@example.com") == ""
    line = re.search(rf"{log}/[0-9a-f-]+", every)
    assert line
    assert path(other) in visit(client, line[0])
    answer = client.get(f"{log}/export?organization=Org+log&action=api_key")
    found = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [(one["organization"], one["action"]) for one in found] == [
        ("Org log", "api_key.created")
    ]
    assert found[0]["organization_id"] == str(team.organization.id)
    for who in (owner, person(staff_role="finance")):
        for rest in ("", "/export"):
            assert signed_in(who.user).get(f"{log}{rest}").status_code == 404
