"""Operators' pages of models, providers, queues and findings."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from billing.services.prices import sync_list_prices
from core.clock import now
from gateway.catalog.prices import list_prices
from gateway.management.commands.bootstrap import price_row
from gateway.models import Breaker, Check, Finding, Pause, Process
from gateway.services.operations.findings import Found, Kind, report
from gateway.services.routing import real_endpoints
from orgs.models import AuditEvent
from tests.gateway.services.rows import add_attempt, add_generation, open_key
from tests.orgs.people import Team, person
from tests.visits import signed_in, visit

pytestmark = pytest.mark.django_db

MODEL = "fal/flux-1.1-pro"
PAGES = (
    "/operations/models",
    f"/operations/models/{MODEL}",
    f"/operations/models/{MODEL}/price",
    "/operations/providers",
    "/operations/providers/fal",
    "/operations/queues",
    "/operations/findings",
)
ACTIONS = (
    f"/operations/models/{MODEL}/price",
    "/operations/providers/fal/pause",
    "/operations/providers/fal/resume",
    "/operations/providers/fal/probe",
    "/operations/findings/check",
)


@pytest.fixture
def operator(pages, settings) -> Iterator[Client]:
    sync_list_prices(rows=[price_row(price) for price in list_prices()], now=now())
    settings.PROVIDER_ENDPOINTS = {
        **settings.PROVIDER_ENDPOINTS,
        "fal": {"api_key": "secret-of-fal", "base_url": ""},
    }
    real_endpoints.cache_clear()
    yield signed_in(person(staff_role="operator").user)
    real_endpoints.cache_clear()


def open_breaker(provider: str = "fal") -> None:
    at = now()
    Breaker.objects.create(
        provider=provider,
        is_open=True,
        reason="OutOfFunds",
        failures=1,
        calls=1,
        opened_at=at,
        retry_at=at + timedelta(seconds=80),
        cooldown_s=80,
    )


def test_pages_are_for_operators_alone(operator):
    others = [
        signed_in(person(staff_role="finance").user),
        signed_in(Team.open().person("owner").user),
    ]
    report(Found(Kind.PROVIDER_DOWN, "provider", "fal", "down"), now=now())
    finding = f"/operations/findings/{Finding.objects.get().id}"
    for path in (*PAGES, finding):
        visit(operator, path)
        assert [client.get(path).status_code for client in others] == [404, 404], path
        assert Client().get(path).status_code == 302
    for path in (*ACTIONS, f"{finding}/acknowledge"):
        assert [client.post(path).status_code for client in others] == [404, 404], path
    assert not Pause.objects.exists()


def test_a_model_shows_its_routes_with_why_one_is_skipped_and_what_an_image_leaves(operator):
    text = visit(operator, f"/operations/models/{MODEL}")
    assert "no key is set" in text
    assert "0.042" in text

    open_breaker()
    assert "its breaker is open" in visit(operator, f"/operations/models/{MODEL}")
    Pause.objects.create(provider="fal", reason="Wrong", paused_by="x", paused_at=now())
    assert "the provider is paused" in visit(operator, f"/operations/models/{MODEL}")

    served = visit(operator, "/operations/models?show=served")
    assert MODEL not in served
    assert MODEL in visit(operator, "/operations/models?show=unserved&q=flux-1.1")
    assert operator.get("/operations/models/nope").status_code == 404


def test_a_price_is_set_with_a_source_and_a_loss_only_when_it_is_wanted(operator):
    path = f"/operations/models/{MODEL}/price"
    asked = {"amount": "0.01", "currency": "USD", "size": "", "source": "Memo 9", "active_from": ""}

    assert "This field is required" in operator.post(path, {**asked, "source": ""}).content.decode()
    refused = operator.post(path, asked).content.decode()
    assert "At this price images would sell at a loss." in refused
    assert "costs up to" in refused
    assert not AuditEvent.objects.filter(action="price.set").exists()

    assert operator.post(path, {**asked, "amount": "0.05"}).status_code == 302
    later = (now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    assert (
        operator.post(path, {**asked, "active_from": later, "allow_loss": "on"}).status_code == 302
    )

    text = visit(operator, f"/operations/models/{MODEL}")
    cells, _, versions = text.partition("Prices to come")
    assert "Memo 9" in cells
    assert versions.count("Memo 9") == 2
    logged = AuditEvent.objects.filter(action="price.set").order_by("created_at")
    assert [event.changes.get("allow_loss", {}).get("after") for event in logged] == [False, True]


def test_a_provider_is_paused_and_resumed_and_its_key_is_never_shown(operator):
    path = "/operations/providers/fal"
    assert operator.post(f"{path}/pause", {"reason": "Wrong images"}).status_code == 302
    text = visit(operator, path)
    assert "Paused by" in text
    assert "Wrong images" in visit(operator, "/operations/providers")
    assert operator.post(f"{path}/resume").status_code == 302
    assert operator.post(f"{path}/resume").status_code == 404
    assert "Paused by" not in visit(operator, path)
    assert operator.post("/operations/providers/nobody/pause", {"reason": "x"}).status_code == 404

    open_breaker()
    text = visit(operator, path)
    assert "Our account at the provider had no money left." in text
    assert operator.post(f"{path}/probe").status_code == 302
    assert Breaker.objects.get().retry_at <= now()
    assert "secret-of-fal" not in text + visit(operator, "/operations/providers")


def test_a_provider_shows_its_calls_of_the_hour_and_of_the_day(operator):
    generation = add_generation(open_key())
    add_attempt(generation, number=1, ended_at=now() - timedelta(minutes=5), seconds=4)
    for number, hours in ((2, 3), (3, 5)):
        add_attempt(
            generation,
            number=number,
            ended_at=now() - timedelta(hours=hours),
            status="failed",
            error_kind="BadResponse",
            error_message="no data",
        )

    text = visit(operator, "/operations/providers/fal")

    assert "100.0" in text
    assert "33.3" in text
    assert "no data" in text
    assert 'data-chart="calls"' in text


def test_queues_show_what_waits_and_who_works(operator):
    api_key, at = open_key(), now()
    fields = {"kind": "worker", "pid": 1, "started_ticks": 1, "started_at": at}
    slots = {"fal": 8, "bfl": 8}
    alive = Process.objects.create(host="one", heartbeat_at=at, slots=slots, **fields)
    Process.objects.create(host="two", heartbeat_at=at, slots=slots, draining_at=at, **fields)
    Process.objects.create(
        host="three", heartbeat_at=at - timedelta(seconds=40), slots=slots, **fields
    )
    add_generation(api_key)
    add_generation(api_key, status="running", worker=alive, claim_token=uuid4())

    text = visit(operator, "/operations/queues")

    for words in ("1 / 16", "0 / 16", "Alive", "Draining", "Dead", "fal 1/8", 'every 3s"'):
        assert words in text, words
    assert "every 3s" not in visit(operator, "/operations/queues?live=off")
    assert "it passes every two seconds" in text
    Check.objects.create(name="sweeper", finished_at=now())
    assert "it passes every two seconds" not in visit(operator, "/operations/queues")


def test_findings_are_filtered_acknowledged_and_checked(operator):
    report(Found(Kind.PROVIDER_DOWN, "provider", "fal", "five of eight"), now=now())
    report(Found(Kind.HOLD_OVERDUE, "hold", "h1", "0.84 MXN are held"), now=now())
    provider = Finding.objects.get(kind="provider.down")
    text = visit(operator, "/operations/findings")
    assert text.index("0.84 MXN are held") < text.index("five of eight")
    assert "five of eight" not in visit(operator, "/operations/findings?kind=hold")

    path = f"/operations/findings/{provider.id}"
    assert "This field is required" in operator.post(f"{path}/acknowledge", {}).content.decode()
    assert operator.post(f"{path}/acknowledge", {"note": "They know."}).status_code == 302
    assert "five of eight" not in visit(operator, "/operations/findings")
    assert "They know." in visit(operator, f"{path}?state=acknowledged")
    assert operator.get(f"/operations/findings/{uuid4()}").status_code == 404

    assert operator.post("/operations/findings/check").status_code == 302
    assert "waits for a worker" in visit(operator, "/operations/findings")
    Check.objects.update(started_at=now(), done=3, total=10)
    assert "3 of 10 steps" in visit(operator, "/operations/findings")
    Check.objects.update(finished_at=now(), done=10, found=0)
    assert "is sound" in visit(operator, "/operations/findings")
