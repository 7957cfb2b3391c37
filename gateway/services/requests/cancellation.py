"""Canceling a queued generation, and deleting the images of an ended one."""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import connection, transaction

from billing.services.holds import release_hold
from billing.services.transactions import retrying
from core.queue import announce_done
from gateway.errors import GenerationRunningError, ImagesNotDeletedError, NotFoundError
from gateway.metrics import count_images
from gateway.models import Artifact, Attempt, Generation
from gateway.storage import (
    StorageError,
    inputs_prefix,
    private_storage,
    public_storage,
    release_connections,
    request_prefix,
)
from gateway.types import Failure
from orgs.errors import InsufficientScopeError
from orgs.services.api_keys import Caller
from orgs.services.outbox import EventType, write_event

CANCELED = Failure(
    code="generation_canceled",
    category="invalid_request",
    message="The generation was canceled before it ran. You were not charged.",
    retryable=False,
)


def withdraw_generation(*, caller: Caller, generation_id: UUID, now: datetime) -> None:
    """Cancel a generation that is queued, or delete the images of one that has ended.

    A canceled one releases its hold in the transaction of the compare-and-set that no claim has
    won. Deleted images are first withdrawn from every answer, then deleted from storage, and looked
    for there; what was paid for them stays paid. Repeating either changes nothing.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization.
        InsufficientScopeError: A test key, and a generation of a live one.
        GenerationRunningError: A worker has it, or has shown a part of it.
        ImagesNotDeletedError: Storage kept some of them for now; the sweeper goes on.
    """
    own = Generation.objects.filter(id=generation_id, organization_id=caller.organization_id)
    livemode = own.values_list("livemode", flat=True).first()
    if livemode is None:
        raise NotFoundError("No such generation.")
    if livemode and not caller.livemode:
        raise InsufficientScopeError("A test key cannot cancel or delete what a live key made.")
    cancel = partial(_cancel, caller.organization_id, generation_id, now)
    canceled = retrying(cancel, committed=lambda: _find_canceled(generation_id, now))
    if canceled is not None:
        queue, images = canceled
        release_connections()
        count_images(queue, {"canceled": images})
        announce_done(generation_id)
        return
    status, finished_at = own.values_list("status", "finished_at").get()
    if finished_at is None:
        raise GenerationRunningError(
            "The generation is running, and can no longer be canceled. Its images can be deleted"
            " once it has ended."
        )
    if status != Generation.Status.CANCELED:
        retrying(partial(_withdraw_images, generation_id, now))
        _delete_objects(caller.organization_id, generation_id)


def _cancel(organization_id: UUID, generation_id: UUID, now: datetime) -> tuple[str, int] | None:
    """Return the queue and the number of images of what it canceled."""
    with transaction.atomic(durable=True):
        queued = (
            Generation.objects.select_for_update()
            .filter(id=generation_id, status=Generation.Status.QUEUED, partials=0)
            .values_list("livemode", "queue", "parameters__n")
            .first()
        )
        if queued is None:
            return None
        livemode, queue, images = queued
        Generation.objects.filter(id=generation_id).update(
            status=Generation.Status.CANCELED,
            error=CANCELED.as_json(),
            finished_at=now,
            # An earlier route may have made some of its images.
            has_stray_objects=True,
        )
        if livemode:
            release_hold(reference=str(generation_id), now=now)
        Attempt.objects.filter(
            generation_id=generation_id, status=Attempt.Status.STARTED, finished_at__isnull=True
        ).update(status=Attempt.Status.UNKNOWN)
        write_event(
            organization_id=organization_id,
            kind=EventType.GENERATION_CANCELED,
            data={"generation_id": str(generation_id)},
            now=now,
        )
    return queue, images


def _find_canceled(generation_id: UUID, now: datetime) -> tuple[str, int] | None:
    """Return what a transaction of unknown outcome did cancel, as `_cancel` does."""
    return (
        Generation.objects.filter(
            id=generation_id, status=Generation.Status.CANCELED, finished_at=now
        )
        .values_list("queue", "parameters__n")
        .first()
    )


def _withdraw_images(generation_id: UUID, now: datetime) -> None:
    """Take the images out of every answer; the sweeper deletes the objects if this process fails.

    Also where that was done before: whoever asks again may do so because objects were left.
    """
    with transaction.atomic(durable=True):
        Generation.objects.filter(id=generation_id, deleted_at__isnull=True).update(
            deleted_at=now, has_stray_objects=True
        )
        Artifact.objects.filter(generation_id=generation_id, deleted_at__isnull=True).update(
            deleted_at=now
        )


def _delete_objects(organization_id: UUID, generation_id: UUID) -> None:
    """Delete all objects of a generation, and make sure that its images are gone."""
    keys = list(
        Artifact.objects.filter(generation_id=generation_id).values_list("is_public", "key")
    )
    connection.close()
    prefix = request_prefix(organization_id, generation_id)
    try:
        for storage in (public_storage(), private_storage()):
            storage.delete_prefix(prefix)
        private_storage().delete_prefix(inputs_prefix(organization_id, generation_id))
        left = [
            key
            for is_public, key in keys
            if (public_storage() if is_public else private_storage()).exists(key)
        ]
    except StorageError as error:
        raise _not_deleted() from error
    if left:
        raise _not_deleted()
    Generation.objects.filter(id=generation_id).update(has_stray_objects=False)


def _not_deleted() -> ImagesNotDeletedError:
    return ImagesNotDeletedError(
        "Storage could not delete the images right now. They are no longer shown, and will be"
        " deleted. Send the request again to be sure."
    )
