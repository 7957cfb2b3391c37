"""The request log."""

import csv
import io
from datetime import timedelta

import pytest

from core.clock import now
from core.ids import request_id
from gateway.models import Artifact, Generation
from gateway.selectors.pages import Order, Place
from gateway.selectors.requests import (
    RequestFilters,
    Stages,
    export_requests,
    list_requests,
)
from orgs.models import ApiKey
from tests.gateway.console_services.scene import deliver
from tests.gateway.services.rows import add_attempt, add_generation, open_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    return open_key()


def log(key: ApiKey, limit=50, after=None, **filters):
    return list_requests(
        organization_id=key.organization_id,
        filters=RequestFilters(**filters),
        limit=limit,
        after=after,
    )


def fail(key: ApiKey, code: str, **fields):
    moment = now()
    return add_generation(
        key,
        status="failed",
        finished_at=moment,
        parameters={"n": 1, "prompt": "a cat"},
        error={"code": code, "message": "It failed."},
        **fields,
    )


def test_a_line_has_its_stages_its_attempts_and_plain_words(key):
    generation = fail(key, "generation_timeout", started_at=None)
    add_attempt(
        generation,
        number=1,
        ended_at=now(),
        seconds=2.0,
        status="failed",
        upstream_id="job-1",
        error_kind="RateLimited",
        error_code="429",
    )
    done = deliver(key)

    newest, failed = log(key).requests

    assert (newest.id, newest.stages.waiting_s, newest.stages.working_s) == (done.id, 1.0, 3.0)
    assert newest.reason is None
    assert "did not finish in time" in str(failed.reason)
    assert (failed.stages.working_s, failed.attempts[0].upstream_id) == (None, "job-1")
    assert failed.attempts[0].seconds == pytest.approx(2.0)
    assert "too many requests" in str(failed.attempts[0].reason)


def test_storing_is_a_stage_of_its_own_where_the_last_byte_is_known(key):
    done = deliver(key)
    assert done.finished_at is not None
    for number, before_s in ((1, 2.0), (2, 0.5)):
        received_at = done.finished_at - timedelta(seconds=before_s)
        add_attempt(done, number=number, ended_at=done.finished_at, received_at=received_at)

    [newest] = log(key).requests

    assert newest.stages == Stages(
        waiting_s=1.0, working_s=3.0, provider_s=2.5, storing_s=0.5, total_s=4.0
    )


def test_filters_and_ids_choose(key):
    late = fail(key, "generation_timeout", client_request_id="mine-7")
    refused = fail(key, "moderation_blocked")
    done = deliver(key)
    add_attempt(done, number=1, ended_at=now(), upstream_id="up-1", upstream_request_id="req-up")
    foreign = deliver(open_key())
    image = Artifact.objects.get(generation=done)

    def found(**filters):
        return [one.id for one in log(key, **filters).requests]

    assert found(status="succeeded") == [done.id]
    assert found(status="failed") == [refused.id, late.id]
    assert found(error_code="moderation_blocked") == [refused.id]
    for text in (request_id(done.id), str(done.id), str(image.id), "up-1", " req-up "):
        assert found(search=text) == [done.id], text
    assert found(search="mine-7") == [late.id]
    assert found(search=request_id(foreign.id)) == []
    assert found(search="nothing") == []


def test_pages_go_on_where_they_ended_and_the_export_has_all(key):
    moment = now()
    ids = [deliver(key, at=moment - timedelta(seconds=age), user="=1+1").id for age in range(5)]

    first = log(key, limit=3)
    second = log(key, limit=3, after=first.next_place)

    assert [one.id for one in (*first.requests, *second.requests)] == ids
    assert second.next_place is None
    text = "".join(
        export_requests(organization_id=key.organization_id, filters=RequestFilters(), limit=4)
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["id"] for row in rows] == [request_id(one) for one in ids[:4]]
    assert (rows[0]["user"], rows[0]["working_s"], rows[0]["storing_s"]) == ("'=1+1", "3.000", "")


@pytest.mark.parametrize("order", [Order.DURATION, Order.COST])
def test_other_orders_have_every_line_once_and_ties_by_their_age(key, order):
    moment = now()
    figures = [(3, 10), (9, 40), (3, 10), (1, 90), (9, 40)]
    ids = []
    for age, (seconds, micros) in enumerate(figures):
        at = moment - timedelta(minutes=age)
        finished_at = at + timedelta(seconds=seconds)
        done = deliver(key, at=at, finished_at=finished_at, charged_micros=micros)
        ids.append(done.id)
    if order is Order.COST:
        Generation.objects.filter(id=ids[3]).update(livemode=False)
    add_generation(key, parameters={"n": 1, "prompt": "a cat"}, created_at=moment)

    found, place = [], None
    while True:
        page = list_requests(
            organization_id=key.organization_id,
            filters=RequestFilters(status="succeeded"),
            limit=2,
            after=place and Place.parse(place.as_text()),
            order=order,
        )
        found += [one.id for one in page.requests]
        place = page.next_place
        if place is None:
            break

    assert found == [ids[one] for one in (1, 4, 0, 2, 3)]
    assert len(log(key).requests) == 6
