"""Deleting many images at once, each by itself and not with the others of its generation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.services.transactions import retrying
from gateway.errors import InvalidRequestError
from gateway.models import Artifact, Generation, Thumbnail
from gateway.services.gallery.thumbnails import thumbnail_keys
from gateway.storage import StorageError, private_storage, public_storage
from orgs.services.audit import SYSTEM, Action, Actor, Target, record

MAX_IMAGES: Final = 500


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion did.

    Attributes:
        images: How many are no longer shown anywhere.
        kept: How many objects storage could not delete right now; the sweeper goes on.
    """

    images: int
    kept: int


def delete_images(
    *,
    organization_id: UUID,
    artifact_ids: Sequence[UUID],
    now: datetime,
    actor: Actor = SYSTEM,
) -> Deleted:
    """Delete some of an organization's images; what was paid for them stays paid.

    One transaction takes them out of every answer and notes their objects for the sweeper, in case
    this process fails; then the objects go, thumbnails included. A generation all of whose images
    are deleted counts as deleted. Unknown ids, and those of others, are passed over. That the
    person may delete is checked by whoever asks; who it was is logged.

    Raises:
        InvalidRequestError: More than `MAX_IMAGES`.
    """
    if len(artifact_ids) > MAX_IMAGES:
        raise InvalidRequestError(f"Delete at most {MAX_IMAGES} images at a time.")
    artifacts = list(
        Artifact.objects.select_related("generation").filter(
            id__in=artifact_ids,
            generation__organization_id=organization_id,
            deleted_at__isnull=True,
        )
    )
    if not artifacts:
        return Deleted(0, 0)
    ids = [artifact.id for artifact in artifacts]
    retrying(partial(_withdraw, organization_id, ids, actor, now))
    connection.close()
    return Deleted(len(artifacts), _delete_objects(artifacts))


def withdraw_artifacts(chosen: QuerySet[Artifact], *, now: datetime, is_expired: bool) -> int:
    """Take images out of every answer and note their objects for the sweeper; return how many.

    Joins the caller's transaction. Locks the generations in the order of their ids, as a deletion
    of all their images would. A thumbnail that is in the making stays in the queue, so that its
    object is deleted by whoever makes it, or by the next one to take it.

    Args:
        chosen: Which.
        now: When they count as deleted.
        is_expired: Whether the organization's retention deletes them, and not somebody.
    """
    owners = list(
        Generation.objects.select_for_update(of=("self",))
        .filter(id__in=chosen.values("generation_id"))
        .order_by("id")
        .values_list("id", flat=True)
    )
    present = chosen.filter(deleted_at__isnull=True)
    artifact_ids = list(present.values_list("id", flat=True))
    withdrawn = Artifact.objects.filter(id__in=artifact_ids).update(deleted_at=now)
    thumbnails = Thumbnail.objects.filter(artifact_id__in=artifact_ids)
    in_making = Q(status=Thumbnail.Status.WANTED, claimed_at__isnull=False)
    thumbnails.exclude(in_making).delete()
    generations = Generation.objects.filter(id__in=owners)
    generations.update(has_stray_objects=True)
    left = Artifact.objects.filter(generation_id=OuterRef("id"), deleted_at__isnull=True)
    generations.filter(~Exists(left), deleted_at__isnull=True).update(
        deleted_at=now, is_expired=is_expired
    )
    return withdrawn


def _withdraw(
    organization_id: UUID, artifact_ids: Sequence[UUID], actor: Actor, now: datetime
) -> None:
    with transaction.atomic(durable=True):
        chosen = Artifact.objects.filter(id__in=artifact_ids)
        withdraw_artifacts(chosen, now=now, is_expired=False)
        record(
            action=Action.IMAGES_DELETED,
            actor=actor,
            organization_id=organization_id,
            target=Target("image", artifact_ids[0]),
            after={"images": [str(one) for one in artifact_ids]},
        )


def _delete_objects(artifacts: Sequence[Artifact]) -> int:
    """Delete the objects; return how many are left to the sweeper."""
    kept = 0
    targets = [
        (public_storage() if artifact.is_public else private_storage(), artifact.key)
        for artifact in artifacts
    ]
    targets += [(private_storage(), key) for key in thumbnail_keys(artifacts)]
    for storage, key in targets:
        try:
            storage.delete(key)
        except StorageError:
            kept += 1
    return kept
