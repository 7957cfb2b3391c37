"""Recovering what dead processes left behind. Run by one sweeper at a time."""

import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F, Q

from billing.selectors.holds import open_holds
from core.clock import now as clock_now
from core.turns import in_turn
from gateway.catalog.registry import catalog
from gateway.errors import ProviderUnavailableError
from gateway.images import ImageRejected, inspect_image
from gateway.models import Artifact, Attempt, Generation
from gateway.services.costing import presumed_loss
from gateway.services.gallery.thumbnails import thumbnail_keys
from gateway.services.processes import LEASE_S, end_dead_neighbors, end_expired_leases
from gateway.services.requests.generations import wake
from gateway.services.routing import Step, route_of
from gateway.services.runs.attempts import Outcome, attempts_of, disown_attempts, end_attempt
from gateway.services.runs.endings import (
    OPEN,
    expire_generation,
    fail_generation,
    settle_generation,
)
from gateway.services.runs.history import LOST, WORKER_LOST, read_history
from gateway.services.runs.observing import working_on_generation
from gateway.services.runs.partials import delete_partials, generations_with_old_partials
from gateway.services.runs.progress import Made
from gateway.services.runs.storing import served_by
from gateway.storage import (
    ImageStorage,
    inputs_prefix,
    partials_prefix,
    private_storage,
    public_storage,
    request_prefix,
)
from gateway.types import StoredImage

HOLD_GRACE = timedelta(seconds=60)
ENDED_GRACE = timedelta(seconds=30)
BATCH = 200
# Of how many strays, those that ended first, a round draws its own by lot.
DRAWN_FROM = 50 * BATCH
# No item is begun later in a round: one takes up to 45 s while S3 is silent, and the next round
# must come before a hold is overdue by `HOLD_GRACE`.
STORAGE_WITHIN_S = 10.0
logger = logging.getLogger(__name__)


def sweep(*, now: datetime, watched_for_s: float) -> int:
    """Do one round: end dead leases, recover their jobs, expire overdue ones, tidy S3.

    What needs S3 comes last and for `STORAGE_WITHIN_S`; the rest of it is left to the next rounds.

    Args:
        now: The instant of the round.
        watched_for_s: For how long rounds have succeeded without a gap; leases run out only for
            a sweeper that has watched for a lease's time.

    Returns:
        How many generations were changed.
    """
    if watched_for_s >= LEASE_S:
        end_expired_leases()
    end_dead_neighbors()
    changed = 0
    # Money first, and it needs no S3: what is overdue is ended before anything is recovered.
    for generation_id in _overdue(now):
        changed += _isolated(
            partial(expire_generation, generation_id=generation_id, now=now), generation_id
        )
    for attempt in _abandoned_attempts(now):
        _isolated(partial(_end_unknown, attempt, attempt.generation), attempt.generation_id)
    until = time.monotonic() + STORAGE_WITHIN_S
    for generation in in_turn(_orphans(), until=until):
        changed += _isolated(
            partial(recover_generation, generation=generation, now=now),
            generation.id,
            traceparent=generation.traceparent,
        )
    tidying = [
        *((delete_stray_objects, generation) for generation in _strays(now)),
        *((delete_partials, generation) for generation in generations_with_old_partials(now)),
    ]
    for tidy, generation in in_turn(tidying, until=until):
        _isolated(partial(tidy, generation), generation.id)
    _alert_overdue_holds(now)
    return changed


def recover_generation(
    *, generation: Generation, now: datetime, gives_up_missing: bool = False
) -> bool:
    """Bring a dead worker's generation forward; return whether it was changed.

    Its open attempts end with the objects they stored; one whose upstream job is known stays open,
    to be collected; of the others nobody knows. Then the generation is settled from what it has,
    handed on where something is left to do, or failed and its hold released.

    Args:
        generation: Running, with its organization; its worker is gone.
        now: The instant.
        gives_up_missing: Hand nothing on: what has no object is given up.
    """
    if generation.deadline_at <= now:
        return expire_generation(generation_id=generation.id, now=now)
    objects = {image.index: image for image in stored_images(generation)}
    for attempt in attempts_of(generation.id):
        if attempt.finished_at is None:
            _end_lost(attempt, generation, objects)
    n = generation.parameters["n"]
    history = read_history(
        attempts_of(generation.id),
        n=n,
        created_at=generation.created_at,
        deadline_at=generation.deadline_at,
        now=now,
    )
    progress = history.progress
    progress.stored = {index: image for index, image in objects.items() if index < n} | (
        progress.stored
    )
    if gives_up_missing:
        progress.give_up(progress.missing, LOST)
    if progress.missing:
        return _requeue(generation, now)
    if not progress.stored:
        return fail_generation(
            generation_id=generation.id, failure=progress.failure, claim=None, now=now
        )
    return settle_generation(
        generation_id=generation.id,
        queue=generation.queue,
        claim=None,
        images=progress.images,
        delivery=progress.delivery(),
        now=clock_now(),
    )


def _end_lost(attempt: Attempt, generation: Generation, objects: Mapping[int, StoredImage]) -> None:
    """End a dead worker's attempt, unless its upstream job can still be collected."""
    found = tuple(objects[index] for index in attempt.indexes if index in objects)
    if attempt.upstream_id and len(found) < len(attempt.indexes):
        return
    _end_unknown(attempt, generation, made=_made_again(attempt, generation, found))


def _made_again(
    attempt: Attempt, generation: Generation, found: tuple[StoredImage, ...]
) -> Made | None:
    """Return what a call must have given, from its objects; None where it left none."""
    if not found:
        return None
    step = Step(
        queue=generation.queue, provider=attempt.provider, upstream_model=attempt.upstream_model
    )
    model = catalog().find(generation.model)
    try:
        route = None if model is None else route_of(model=model, step=step)
    except ProviderUnavailableError:
        # The catalog has lost it since.
        route = None
    return Made(found, served_by="" if route is None else served_by(attempt, route))


def _isolated(work: Callable[[], object], generation_id: UUID, *, traceparent: str = "") -> bool:
    """Do one item's work; what breaks it is logged and holds up no other item.

    A row that another transaction keeps locked is left for the next round after a second.
    """
    with working_on_generation("sweep", generation_id, traceparent=traceparent):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '1s'")
            return bool(work())
        except OperationalError as error:
            logger.warning("sweeper.item_postponed generation=%s error=%s", generation_id, error)
            return False
        except Exception:
            # The outermost edge of one item.
            logger.exception("sweeper.item_failed generation=%s", generation_id)
            return False
        finally:
            connection.close()


def delete_stray_objects(generation: Generation) -> int:
    """Delete objects of an ended generation that no artifact names; return how many.

    In both buckets: thumbnails are in the private one, and the policy may have changed. An artifact
    whose deletion was asked for names nothing. Partial images go by their own time.
    """
    artifacts = list(
        Artifact.objects.select_related("generation").filter(
            generation=generation, deleted_at__isnull=True
        )
    )
    connection.close()
    kept = {artifact.key for artifact in artifacts} | set(thumbnail_keys(artifacts))
    prefix = request_prefix(generation.organization_id, generation.id)
    partials = partials_prefix(generation.organization_id, generation.id)
    deleted = 0
    for storage in (public_storage(), private_storage()):
        for found in list(storage.list_prefix(prefix)):
            is_partial = generation.partials and found.key.startswith(partials)
            if found.key not in kept and not is_partial:
                storage.delete(found.key)
                deleted += 1
    if generation.parameters.get("inputs"):
        private_storage().delete_prefix(inputs_prefix(generation.organization_id, generation.id))
    _clear(generation.id, artifacts=len(artifacts))
    return deleted


def _clear(generation_id: UUID, *, artifacts: int) -> None:
    """Note that no stray object is left, unless an image was withdrawn in the meantime."""
    with transaction.atomic():
        found = Generation.objects.select_for_update().filter(id=generation_id).first()
        present = Artifact.objects.filter(generation_id=generation_id, deleted_at__isnull=True)
        if found is not None and present.count() == artifacts:
            Generation.objects.filter(id=generation_id).update(has_stray_objects=False)


def _strays(now: datetime) -> list[Generation]:
    """Return ended generations that may have left objects; a late worker is given a moment.

    Those of a round are drawn by lot: many whose objects hang for good keep no other waiting.
    """
    ids = (
        Generation.objects.filter(has_stray_objects=True, finished_at__lt=now - ENDED_GRACE)
        .order_by("finished_at")
        .values_list("id", flat=True)[:DRAWN_FROM]
    )
    drawn = random.sample(list(ids), min(len(ids), BATCH))
    return list(Generation.objects.select_related("organization").filter(id__in=drawn))


def _orphans() -> list[Generation]:
    """Return running generations whose worker is gone."""
    gone = Q(worker__isnull=True) | Q(worker__ended_at__isnull=False)
    return list(
        Generation.objects.select_related("organization").filter(
            gone, status=Generation.Status.RUNNING
        )[:BATCH]
    )


def _overdue(now: datetime) -> list[UUID]:
    return list(
        Generation.objects.filter(status__in=OPEN, deadline_at__lte=now).values_list(
            "id", flat=True
        )[:BATCH]
    )


def stored_images(generation: Generation) -> list[StoredImage]:
    """Return the generation's stored objects that are whole images of the right size.

    Its organization's policy may have changed since its worker looked: where images are missing in
    the bucket of the present one, they are looked for in the other, too.
    """
    images: dict[int, StoredImage] = {}
    for storage, is_public in possible_storages(generation):
        for image in _images_in(storage, generation, is_public=is_public):
            images.setdefault(image.index, image)
        if len(images) >= generation.parameters["n"]:
            break
    return list(images.values())


def possible_storages(generation: Generation) -> list[tuple[ImageStorage, bool]]:
    """Return where its images may be, the likelier bucket first, and whether that is public."""
    storages = [(public_storage(), True), (private_storage(), False)]
    is_public = generation.organization.image_policy == "public"
    return storages if is_public else storages[::-1]


def image_keys(storage: ImageStorage, generation: Generation) -> list[tuple[int, str]]:
    """Return index and key of what may be the generation's images in a bucket."""
    connection.close()
    prefix = request_prefix(generation.organization_id, generation.id)
    keys = sorted(found.key for found in storage.list_prefix(prefix))
    named = [(key.removeprefix(prefix).partition(".")[0], key) for key in keys]
    return [(int(index), key) for index, key in named if index.isdigit()]


def _images_in(
    storage: ImageStorage, generation: Generation, *, is_public: bool
) -> Iterator[StoredImage]:
    for index, key in image_keys(storage, generation):
        with storage.open_stream(key) as stream:
            data = b"".join(stream)
        try:
            info = inspect_image(
                data, max_bytes=settings.IMAGE_MAX_BYTES, max_pixels=settings.IMAGE_MAX_PIXELS
            )
        except ImageRejected as error:
            logger.warning("recovery.object_rejected key=%s reason=%s", key, error)
            continue
        yield StoredImage(
            index=index,
            is_public=is_public,
            key=key,
            content_type=info.content_type,
            sha256=hashlib.sha256(data).digest(),
            size_bytes=len(data),
            width=info.width,
            height=info.height,
            revised_prompt="",
            seed=None,
        )


def _requeue(generation: Generation, now: datetime) -> bool:
    with transaction.atomic():
        requeued = (
            Generation.objects.filter(
                Q(worker__isnull=True) | Q(worker__ended_at__isnull=False),
                id=generation.id,
                status=Generation.Status.RUNNING,
                claim_token=generation.claim_token,
                deadline_at__gt=now,
            ).update(
                status=Generation.Status.QUEUED,
                worker_id=None,
                claim_token=None,
                recoveries=F("recoveries") + 1,
            )
            == 1
        )
        if requeued:
            disown_attempts(generation.id)
    if requeued:
        wake(generation.queue)
        logger.info("recovery.requeued generation=%s", generation.id)
    return requeued


def _abandoned_attempts(now: datetime) -> list[Attempt]:
    """Return attempts whose worker vanished and whose generation has ended without them.

    Half a minute is left to a worker that is alive to say itself how its call ended.
    """
    return list(
        Attempt.objects.select_related("generation").filter(
            finished_at__isnull=True, generation__finished_at__lt=now - ENDED_GRACE
        )[:BATCH]
    )


def _end_unknown(attempt: Attempt, generation: Generation, *, made: Made | None = None) -> None:
    """End a dead worker's attempt; it is presumed to have cost us the full price of the call."""
    end_attempt(
        attempt=attempt,
        outcome=Outcome(
            status=Attempt.Status.SUCCEEDED if made else Attempt.Status.UNKNOWN,
            cost=presumed_loss(generation, attempt),
            error_code="" if made else WORKER_LOST,
            made=made,
        ),
        now=clock_now(),
    )


def _alert_overdue_holds(now: datetime) -> None:
    for hold in open_holds(overdue_at=now - HOLD_GRACE):
        logger.error("hold.overdue reference=%s deadline=%s", hold.reference, hold.deadline_at)
