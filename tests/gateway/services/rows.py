"""Rows for tests of services that look at many generations and attempts."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from core.clock import now
from gateway.models import Attempt, Generation, Process
from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from orgs.models import ApiKey


def new_name() -> str:
    """Return the name of a queue or a provider that no other test uses."""
    return f"p{uuid4().hex[:18]}"


def open_key(currency: str = "USD") -> ApiKey:
    """Open an organization; return its key."""
    organization = open_organization(name="Rows", currency=currency)
    api_key, _ = open_api_key(organization=organization, terms=KeyTerms(name="Rows"))
    return api_key


def new_worker(*, heartbeat_at: datetime | None = None) -> UUID:
    """Add a worker whose lease outlives the test unless told otherwise; return its id."""
    moment = now()
    worker = Process.objects.create(
        kind="worker",
        host="rows",
        pid=1,
        started_ticks=1,
        started_at=moment,
        heartbeat_at=heartbeat_at or moment + timedelta(hours=1),
    )
    return worker.id


def make_generation(api_key: ApiKey, **fields: Any) -> Generation:
    """Return an unsaved generation without money, queued unless told otherwise."""
    moment = now()
    row: dict[str, Any] = {
        "organization_id": api_key.organization_id,
        "api_key": api_key,
        "livemode": True,
        "model": "fal/flux-1.1-pro",
        "requested_model": "fal/flux-1.1-pro",
        "parameters": {"n": 1},
        "fingerprint": b"0" * 32,
        "currency": "USD",
        "unit_micros": 42_000,
        "quoted_micros": 42_000,
        "quoted_list_micros": 40_000,
        "queue": "fal",
        "plan": [],
        "created_at": moment,
        "deadline_at": moment + timedelta(seconds=60),
    }
    return Generation(**{**row, **fields})


def add_generation(api_key: ApiKey, **fields: Any) -> Generation:
    generation = make_generation(api_key, **fields)
    generation.save()
    return generation


def add_attempt(
    generation: Generation,
    *,
    number: int,
    ended_at: datetime | None,
    seconds: float = 1.0,
    **fields: Any,
) -> Attempt:
    """Add a call that ended at an instant, after so many seconds; successful unless told."""
    started_at = (ended_at or now()) - timedelta(seconds=seconds)
    row: dict[str, Any] = {
        "provider": "fal",
        "upstream_model": "fal-ai/flux-pro/v1.1",
        "status": Attempt.Status.SUCCEEDED,
        "claim_token": uuid4(),
        "started_at": started_at,
        "finished_at": ended_at,
    }
    return Attempt.objects.create(generation=generation, number=number, **{**row, **fields})
