"""An operator takes a provider out, and lets a call try one that was left alone."""

from datetime import timedelta

import pytest

from core.clock import now
from gateway.errors import NotFoundError
from gateway.health import provider_health
from gateway.models import Breaker, Finding, Pause
from gateway.providers.errors import OutOfFunds
from gateway.services.breakers import State, admit, board, record_failure, record_success
from gateway.services.operations.pauses import (
    end_breaker_pause,
    pause_provider,
    resume_provider,
)
from orgs.errors import InvalidInputError, PermissionDeniedError
from orgs.models import AuditEvent
from orgs.services.audit import user_actor
from tests.gateway.services.rows import add_attempt, add_generation, new_name, open_key
from tests.orgs.people import ORIGIN, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    board().forget()
    yield user_actor(person(staff_role="operator").user, origin=ORIGIN, as_operator=True)
    board().forget()


def states() -> tuple[State, State]:
    board().forget()
    return admit(provider="fal", now=now()).state, admit(provider="bfl", now=now()).state


def test_a_paused_provider_gets_no_calls_until_it_is_resumed(operator):
    pause_provider(provider="fal", reason="Wrong images", actor=operator, now=now())

    assert states() == (State.OPEN, State.CLOSED)
    [health] = provider_health(configured=[], now=now())
    assert health.pause is not None
    assert (health.provider, health.pause.reason) == ("fal", "Wrong images")

    resume_provider(provider="fal", actor=operator)

    assert states() == (State.CLOSED, State.CLOSED)
    logged = AuditEvent.objects.filter(object_id="fal").order_by("created_at")
    assert [event.action for event in logged] == ["provider.paused", "provider.resumed"]
    assert {event.organization_id for event in logged} == {None}


def test_a_pause_holds_though_the_breaker_would_let_a_probe_through(operator):
    at = now() - timedelta(seconds=10)
    Breaker.objects.create(
        provider="fal",
        is_open=True,
        reason="BadResponse",
        failures=5,
        calls=5,
        opened_at=at,
        retry_at=at,
        cooldown_s=5,
    )
    pause_provider(provider="fal", reason="Wrong images", actor=operator, now=now())

    assert states()[0] is State.OPEN
    assert Breaker.objects.get().probes == 0

    resume_provider(provider="fal", actor=operator)
    assert states()[0] is State.PROBE


def test_a_pause_is_an_operators_and_has_a_reason(operator):
    with pytest.raises(PermissionDeniedError):
        pause_provider(provider="fal", reason="Mine", actor=person().actor, now=now())
    with pytest.raises(InvalidInputError):
        pause_provider(provider="fal", reason=" ", actor=operator, now=now())
    with pytest.raises(NotFoundError):
        pause_provider(provider="nobody", reason="Mine", actor=operator, now=now())
    with pytest.raises(NotFoundError):
        resume_provider(provider="fal", actor=operator)
    with pytest.raises(PermissionDeniedError):
        end_breaker_pause(provider="fal", actor=person().actor, now=now())

    assert not Pause.objects.exists()
    assert not AuditEvent.objects.filter(object_type="provider").exists()


def test_an_opening_is_a_finding_until_a_probe_that_an_operator_let_through_succeeds(operator):
    provider = new_name()
    generation = add_generation(open_key(), queue=provider)
    attempt = add_attempt(generation, number=1, provider=provider, ended_at=now(), status="failed")
    record_failure(provider=provider, attempt_id=attempt.id, kind=OutOfFunds, probe=None, now=now())
    finding = Finding.objects.get(object_id=provider)
    assert (finding.kind, finding.severity) == ("provider.out_of_funds", "critical")
    assert admit(provider=provider, now=now()).state is State.OPEN

    end_breaker_pause(provider=provider, actor=operator, now=now())
    board().forget()
    admission = admit(provider=provider, now=now())
    assert admission.state is State.PROBE
    record_success(provider=provider, probe=admission.probe, now=now())

    finding.refresh_from_db()
    assert finding.resolved_at is not None
    with pytest.raises(NotFoundError):
        end_breaker_pause(provider=provider, actor=operator, now=now())
