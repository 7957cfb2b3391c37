"""Whoever ends a generation, its images are counted once."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from prometheus_client import REGISTRY

from core.clock import now
from gateway.models import Generation
from gateway.services.runs import endings
from gateway.services.runs.endings import expire_generation, fail_generation, settle_generation
from gateway.services.runs.progress import WITHHELD
from gateway.types import Delivery, StoredImage
from tests.gateway.services.rows import add_generation, new_name, new_worker, open_key
from tests.gateway.services.test_cancellation import Desk

OUTCOMES = ("delivered", "moderated", "failed", "canceled")


def counted(queue: str) -> dict[str, float]:
    """Return the images that this process has counted of a queue, by outcome."""
    found = {
        outcome: REGISTRY.get_sample_value(
            "lienzo_images_total", {"provider": queue, "outcome": outcome}
        )
        for outcome in OUTCOMES
    }
    return {outcome: value for outcome, value in found.items() if value is not None}


def settled(queue: str) -> float:
    labels = {"provider": queue, "stage": "settle"}
    return REGISTRY.get_sample_value("lienzo_stage_duration_seconds_count", labels) or 0


def queued(images: int, **fields: object) -> Generation:
    """Add a generation of a test key, with a queue of its own."""
    return add_generation(
        open_key(), livemode=False, queue=new_name(), parameters={"n": images}, **fields
    )


def stored(generation: Generation) -> StoredImage:
    return StoredImage(
        index=0,
        is_public=True,
        key=f"{generation.organization_id}/{generation.id}/0.png",
        content_type="image/png",
        sha256=b"1" * 32,
        size_bytes=1,
        width=1,
        height=1,
        revised_prompt="",
        seed=None,
    )


def settle(generation: Generation) -> bool:
    """Settle one image of two, as the sweeper does from a dead worker's objects."""
    missing = {"index": 1, "outcome": "failed", "code": "provider_unavailable"}
    return settle_generation(
        generation_id=generation.id,
        queue=generation.queue,
        claim=None,
        images=[stored(generation)],
        delivery=Delivery(
            served_by="", image_adjusted="", usage=None, dropped=[], undelivered=[missing]
        ),
        now=now(),
    )


@pytest.mark.django_db
def test_images_of_an_overdue_generation_are_counted_once() -> None:
    at = now()
    generation = queued(3, deadline_at=at)

    ended = [expire_generation(generation_id=generation.id, now=at) for _ in range(2)]

    assert ended == [True, False]
    assert counted(generation.queue) == {"failed": 3}


@pytest.mark.django_db
def test_images_of_a_refused_generation_are_moderated() -> None:
    generation = queued(2)

    assert fail_generation(generation_id=generation.id, failure=WITHHELD, claim=None, now=now())

    assert counted(generation.queue) == {"moderated": 2}


@pytest.mark.django_db
def test_what_the_sweeper_settles_is_counted_and_timed() -> None:
    generation = queued(2, status="running", claim_token=uuid4(), worker_id=new_worker())

    assert [settle(generation), settle(generation)] == [True, False]

    assert counted(generation.queue) == {"delivered": 1, "failed": 1}
    assert settled(generation.queue) == 1


@pytest.mark.django_db
def test_a_canceled_generation_is_counted() -> None:
    desk = Desk()
    generation_id = desk.accept(parameters={"n": 2})

    for _ in range(2):
        assert desk.cancel(generation_id)

    assert counted(desk.queue) == {"canceled": 2}


@pytest.mark.usefixtures("committed")
def test_an_end_whose_commit_was_not_confirmed_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generation = queued(2, deadline_at=now())
    end = endings._end

    def end_and_lose(*arguments: Any) -> None:
        end(*arguments)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(endings, "_end", end_and_lose)

    assert expire_generation(generation_id=generation.id, now=now() + timedelta(seconds=1))

    assert counted(generation.queue) == {"failed": 2}
