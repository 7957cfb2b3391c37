"""Deleting images while storage is away and when it is back; forgetting quotes."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from core.clock import now
from gateway.errors import ImagesNotDeletedError
from gateway.models import Artifact, Generation, Quote
from gateway.selectors.generations import get_generation
from gateway.services.onboarding import KeyTerms, open_api_key
from gateway.services.requests.cancellation import withdraw_generation
from gateway.services.requests.quotes import QUOTE_TTL
from gateway.services.retention import prune_quotes
from gateway.services.runs.recovery import delete_stray_objects
from gateway.storage import (
    ensure_buckets,
    public_storage,
    request_prefix,
)
from orgs.models import ApiKey
from orgs.services.api_keys import Caller, authenticate_key
from tests.billing.scene import Scene
from tests.gateway.services.rows import add_generation, open_key

DATA = b"an image"


@pytest.fixture
def caller(committed) -> Caller:
    ensure_buckets()
    organization = open_key().organization
    _, secret = open_api_key(organization=organization, terms=KeyTerms(name="Deletes"))
    return authenticate_key(text=secret, now=now())


def deliver(caller: Caller) -> Generation:
    """Add an ended generation with one image."""
    moment = now()
    assert caller.api_key_id is not None
    generation = add_generation(
        ApiKey.objects.get(id=caller.api_key_id), status="succeeded", finished_at=moment
    )
    prefix = request_prefix(caller.organization_id, generation.id)
    Artifact.objects.create(
        generation=generation,
        index=0,
        is_public=True,
        key=f"{prefix}0.png",
        content_type="image/png",
        sha256=hashlib.sha256(DATA).digest(),
        size_bytes=len(DATA),
        width=1,
        height=1,
        created_at=moment,
    )
    connection.close()
    public_storage().put_image(
        f"{prefix}0.png",
        DATA,
        content_type="image/png",
        cache_control="no-store",
        sha256=hashlib.sha256(DATA).hexdigest(),
    )
    return generation


@contextmanager
def closed_port() -> Iterator[str]:
    """Give an address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def is_stored(caller: Caller, generation: Generation) -> bool:
    connection.close()
    prefix = request_prefix(caller.organization_id, generation.id)
    return public_storage().exists(f"{prefix}0.png")


def withdraw(caller: Caller, generation: Generation) -> None:
    withdraw_generation(caller=caller, generation_id=generation.id, now=now())


def test_images_are_withdrawn_at_once_and_deleted_when_storage_is_back(caller, settings):
    generation = deliver(caller)
    endpoint_url = settings.S3_ENDPOINT_URL
    with closed_port() as settings.S3_ENDPOINT_URL, pytest.raises(ImagesNotDeletedError):
        withdraw(caller, generation)
    settings.S3_ENDPOINT_URL = endpoint_url
    view = get_generation(organization_id=caller.organization_id, generation_id=generation.id)
    assert view.images == ()
    assert view.deleted_at is not None
    assert view.delivered == (0,)
    assert is_stored(caller, generation)

    withdraw(caller, generation)

    assert not is_stored(caller, generation)
    again = get_generation(organization_id=caller.organization_id, generation_id=generation.id)
    assert again.deleted_at == view.deleted_at


def test_sweeper_deletes_what_the_request_could_not(caller, settings):
    generation = deliver(caller)
    endpoint_url = settings.S3_ENDPOINT_URL
    with closed_port() as settings.S3_ENDPOINT_URL, pytest.raises(ImagesNotDeletedError):
        withdraw(caller, generation)
    settings.S3_ENDPOINT_URL = endpoint_url
    assert Generation.objects.get(id=generation.id).has_stray_objects

    assert delete_stray_objects(Generation.objects.get(id=generation.id)) == 1

    assert not is_stored(caller, generation)
    assert not Generation.objects.get(id=generation.id).has_stray_objects


def test_sweeper_keeps_images_that_nobody_deleted(caller):
    generation = deliver(caller)

    assert delete_stray_objects(generation) == 0
    assert is_stored(caller, generation)


@pytest.mark.django_db
def test_quotes_are_forgotten_after_their_end():
    scene = Scene.create(currency="USD")
    moment = now()

    def add(expires_at: datetime) -> UUID:
        terms = scene.quote()
        row = Quote.objects.create(
            organization_id=scene.organization_id,
            livemode=True,
            model_key=scene.model_key,
            size="1024x1024",
            count=1,
            currency=terms.currency,
            unit_micros=terms.unit_micros,
            list_unit_micros=terms.list_unit_micros,
            price_version_id=terms.price_version_id,
            pixels=terms.pixels,
            list_amount=terms.list_amount,
            list_currency=terms.list_currency,
            markup=terms.markup,
            rate=terms.rate,
            created_at=expires_at - QUOTE_TTL,
            expires_at=expires_at,
        )
        return row.id

    add(moment - timedelta(seconds=1))
    kept = add(moment)

    assert prune_quotes(before=moment) == 1
    assert list(Quote.objects.values_list("id", flat=True)) == [kept]
