"""Playing a generation from its acceptance to its end: rows, hold, attempts, capture or release."""

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction

from billing.errors import InsufficientBalanceError
from billing.services.costs import post_attempt_cost
from billing.services.holds import authorize_hold, capture_hold, release_hold
from billing.services.quotes import Cell, quote_unit
from billing.types import UnitQuote
from core.ids import new_uuid
from gateway.models import Artifact, Attempt, Generation
from gateway.services.simulation.world import MODELS, Customer, Model, World

MOST_IMAGES: Final = 4
_SIDES: Final = {"1024x1024": (1024, 1024), "1536x1024": (1536, 1024)}


def play_generation(world: World, customer: Customer, now: datetime) -> None:
    """Let an organization ask for images; a suspended one, or one without money, gets none."""
    model = world.chance.choice(MODELS)
    images = world.chance.randint(1, MOST_IMAGES)
    if customer.suspended:
        world.done["refused, suspended"] += 1
        return
    try:
        with transaction.atomic():
            generation = _accept(customer, model, images, now)
            _end(world, customer, generation, model, images)
    except InsufficientBalanceError:
        world.done["refused, no money"] += 1


def _accept(customer: Customer, model: Model, images: int, now: datetime) -> Generation:
    width, height = _SIDES[model.size]
    currency = customer.organization.currency
    cell = Cell(model.key, model.size, quality="", pixels=width * height)
    quote = quote_unit(organization_id=customer.id, currency=currency, cell=cell, now=now)
    generation = _row(customer, model, images, quote, now)
    generation.save()
    authorize_hold(
        organization_id=customer.id,
        api_key_id=customer.api_key.id,
        reference=str(generation.id),
        quote=quote,
        count=images,
        deadline_at=generation.deadline_at,
        now=now,
    )
    return generation


def _row(
    customer: Customer, model: Model, images: int, quote: UnitQuote, now: datetime
) -> Generation:
    prompt = "a simulated image"
    return Generation(
        organization=customer.organization,
        api_key=customer.api_key,
        livemode=True,
        is_sandboxed=True,
        status=Generation.Status.RUNNING,
        claim_token=new_uuid(),
        model=model.key,
        requested_model=model.key,
        parameters={"prompt": prompt, "n": images, "size": model.size},
        fingerprint=hashlib.sha256(prompt.encode()).digest(),
        currency=quote.currency,
        unit_micros=quote.unit_micros,
        quoted_micros=quote.unit_micros * images,
        quoted_list_micros=quote.list_unit_micros * images,
        queue="sandbox",
        plan=[],
        created_at=now,
        started_at=now,
        deadline_at=now + timedelta(seconds=120),
        answered_at=now,
    )


def _end(
    world: World, customer: Customer, generation: Generation, model: Model, images: int
) -> None:
    """Make one or two attempts; the last one delivers all, some or none of the images."""
    chance = world.chance
    at = generation.created_at + timedelta(seconds=chance.randint(2, 20))
    first, second = model.providers
    number = 1
    if world.happens(12):
        cost = model.cost if world.happens(50) else Decimal(0)
        _attempt(generation, number, first, Attempt.Status.FAILED, cost, at)
        first, number, at = second, 2, at + timedelta(seconds=chance.randint(2, 20))
    if world.happens(8):
        _attempt(generation, number, first, Attempt.Status.REFUSED, Decimal(0), at)
        _fail(generation, at)
        world.done["failed"] += 1
        return
    delivered = chance.randint(1, images) if world.happens(10) else images
    _attempt(generation, number, first, Attempt.Status.SUCCEEDED, model.cost * delivered, at)
    _succeed(generation, model, images, delivered, at)
    customer.charged.append(str(generation.id))
    world.done["images"] += delivered
    world.done["succeeded"] += 1


def _attempt(
    generation: Generation, number: int, provider: str, status: str, cost: Decimal, at: datetime
) -> None:
    attempt = Attempt.objects.create(
        generation=generation,
        number=number,
        indexes=list(range(MOST_IMAGES)),
        provider=provider,
        upstream_model=generation.model,
        is_sandboxed=True,
        status=status,
        cost_micros=int(cost * 10**6),
        claim_token=new_uuid(),
        started_at=at - timedelta(seconds=1),
        finished_at=at,
    )
    post_attempt_cost(attempt_reference=str(attempt.id), provider=provider, amount=cost, now=at)


def _fail(generation: Generation, at: datetime) -> None:
    release_hold(reference=str(generation.id), now=at)
    generation.status, generation.finished_at = Generation.Status.FAILED, at
    generation.error = {"code": "content_policy_violation", "message": "Refused."}
    generation.save(update_fields=["status", "finished_at", "error"])


def _succeed(
    generation: Generation, model: Model, images: int, delivered: int, at: datetime
) -> None:
    width, height = _SIDES[model.size]
    # Deleted at once: there are no objects behind them.
    artifacts = [
        Artifact(
            generation=generation,
            index=index,
            is_public=False,
            key=f"{generation.organization_id}/{generation.id}/{index}.png",
            content_type="image/png",
            sha256=hashlib.sha256(f"{generation.id}/{index}".encode()).digest(),
            size_bytes=1,
            width=width,
            height=height,
            created_at=at,
            deleted_at=at,
        )
        for index in range(delivered)
    ]
    Artifact.objects.bulk_create(artifacts)
    captured = capture_hold(
        reference=str(generation.id),
        artifact_references=[str(one.id) for one in artifacts],
        now=at,
    )
    generation.status, generation.finished_at = Generation.Status.SUCCEEDED, at
    generation.deleted_at, generation.charged_micros = at, captured.amount_micros
    generation.undelivered = [
        {"index": index, "outcome": "failed", "code": "failed"}
        for index in range(delivered, images)
    ]
    generation.save(
        update_fields=["status", "finished_at", "deleted_at", "charged_micros", "undelivered"]
    )
