"""The request log: live, filtered, explained, run again, and as CSV."""

import csv
import re
from datetime import timedelta
from http import HTTPStatus
from uuid import uuid4

import pytest

from core.clock import now
from core.ids import request_id
from gateway.models import Generation
from orgs.models import ApiKey
from orgs.permissions import Permission
from tests.gateway.console_services.scene import deliver
from tests.gateway.services.rows import add_attempt, add_generation
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

TIMED_OUT = "The provider did not finish in time. You were not charged; try again."


@pytest.fixture
def key(team: Team) -> ApiKey:
    return team.key_of(team.person("owner"))


def path(team: Team, rest: str = "") -> str:
    return f"/o/{team.organization.id}/requests{rest}"


def fail(key: ApiKey, **fields) -> Generation:
    moment = now()
    return add_generation(
        key,
        status="failed",
        parameters={"n": 1, "prompt": "a late hare"},
        started_at=moment,
        finished_at=moment + timedelta(seconds=2),
        error={"code": "generation_timeout", "message": "late"},
        **fields,
    )


def test_log_filters_finds_ids_and_opens_a_request_beside_it(team, key):
    good, bad = deliver(key, prompt="a swift hare"), fail(key)
    attempt = add_attempt(bad, number=1, ended_at=now(), upstream_id=f"job-{uuid4()}")
    client = signed_in(team.person("owner").user)

    every = visit(client, path(team))
    failed = visit(client, path(team, "?status=failed&from=2020-01-01&model=fal/flux-1.1-pro"))
    found = visit(client, path(team, f"?q={attempt.upstream_id}"))
    beside = visit(client, path(team, f"/{bad.id}"))

    assert TIMED_OUT in every
    assert "a swift hare" in every
    for page in (failed, found):
        assert (str(bad.id) in page, str(good.id) in page) == (True, False)
    assert failed.count('class="chip is-on"') == 3
    assert f'data-next-url="{path(team)}/{good.id}"' in beside
    assert "generation_timeout" in beside
    detail = visit(client, path(team, f"/{bad.id}/detail"))
    assert attempt.upstream_id in detail
    assert "No request is like that" in visit(client, path(team, "?q=nothing"))


def test_live_log_sends_nothing_until_a_line_changes_and_can_be_paused(team, key):
    row = add_generation(key, parameters={"n": 1, "prompt": "x"})
    client = signed_in(team.person("owner").user)
    again = re.findall(r'hx-get="([^"]+seen=[^"]+)"', visit(client, path(team)))[0]

    assert client.get(again).status_code == HTTPStatus.NO_CONTENT
    Generation.objects.filter(id=row.id).update(status="canceled", finished_at=now())
    assert "Canceled" in visit(client, again)
    assert 'hx-trigger="every' not in visit(client, path(team, "?live=off"))


def test_running_again_is_a_new_request_of_whoever_may_read_the_prompt(team, key):
    client = signed_in(team.person("owner").user)
    form = {"submission_key": "form", "prompt": "a hare", "model": "fal/flux-1.1-pro"}
    client.post(f"/o/{team.organization.id}/playground", form)
    first = Generation.objects.get(organization_id=team.organization.id)

    client.post(path(team, f"/{first.id}/again"), {"submission_key": "again"})
    answer = client.post(path(team, f"/{first.id}/again"), {"submission_key": "again"})
    others = signed_in(team.person("developer").user)
    refused = others.post(path(team, f"/{first.id}/again"), {"submission_key": "mine"})

    second = Generation.objects.exclude(id=first.id).get(organization_id=team.organization.id)
    assert answer["Location"] == path(team, f"/{second.id}")
    assert second.parameters == first.parameters
    assert refused.status_code == HTTPStatus.NOT_FOUND
    viewer = signed_in(team.person("viewer").user)
    assert viewer.post(path(team, f"/{first.id}/again")).status_code == HTTPStatus.FORBIDDEN


def test_csv_has_what_the_filters_say_and_no_prompt(team, key):
    deliver(key, prompt="a swift hare")
    bad = fail(key)
    client = signed_in(team.person("viewer").user)

    answer = client.get(path(team, "/csv?status=failed"))
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined] # a stream

    assert [row["id"] for row in csv.DictReader(text.splitlines())] == [request_id(bad.id)]
    assert "hare" not in text


def test_search_leads_ids_to_requests_and_words_to_the_gallery(team):
    client = signed_in(team.person("viewer").user)
    search = f"/o/{team.organization.id}/search?q="

    assert client.get(search + request_id(uuid4()))["Location"].startswith(path(team, "?q=req_"))
    assert client.get(search + "a+hare")["Location"].endswith("/gallery?q=a+hare")


def test_who_may_see_requests_comes_in(team, key):
    row = deliver(key)
    for rest in ("", f"/{row.id}", "/csv"):
        check_doors(team, path(team, rest), Permission.VIEW_GENERATIONS)
    other = Team.open()
    member = signed_in(other.person("owner").user)
    for rest in (f"/{row.id}", f"/{row.id}/detail"):
        assert member.get(path(other, rest)).status_code == HTTPStatus.NOT_FOUND
    assert "No requests yet" in visit(member, path(other))


def test_log_is_sorted_by_its_headings_and_keeps_the_columns_somebody_chose(team, key):
    slow, quick = fail(key, user="jane"), deliver(key)
    Generation.objects.filter(id=slow.id).update(finished_at=slow.created_at + timedelta(hours=1))
    old = deliver(key, at=now() - timedelta(days=40))
    client = signed_in(team.person("owner").user)

    by_time, by_duration = visit(client, path(team)), visit(client, path(team, "?sort=duration"))
    kept = client.post(
        path(team, "/columns"), {"columns": ["user", "key"], "query": "sort=duration"}
    )
    chosen = visit(client, kept["Location"])

    assert by_time.index(str(quick.id)) < by_time.index(str(slow.id)) < by_time.index(str(old.id))
    assert by_duration.index(str(slow.id)) < by_duration.index(str(quick.id))
    assert str(old.id) not in by_duration
    assert "hx-trigger" not in by_duration.partition('id="log"')[2].partition(">")[0]
    assert kept["Location"] == path(team, "?sort=duration")
    assert ('data-label="User">jane' in chosen, 'data-label="Stages"' in chosen) == (True, False)
    assert "jane" not in by_time
    csv_link = re.search(r'href="([^"]*requests\.csv[^"]*|[^"]*/csv[^"]*)"', by_duration)
    assert csv_link is not None
    assert "sort=duration" in csv_link[1]
