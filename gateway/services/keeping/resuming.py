"""Bringing a restored database to the present: whatever was under way at its instant.

Nothing here deletes an object. Repeating it changes nothing.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection, transaction
from django.db.models.functions import Now

from billing.services.payments.automatic import pause_all
from core.clock import now as clock_now
from core.errors import AppError
from core.ids import new_uuid
from gateway.models import Generation, Process
from gateway.services.keeping.errors import KeepingError
from gateway.services.processes import LEASE_S
from gateway.services.runs.endings import OPEN, expire_generation
from gateway.services.runs.recovery import image_keys, possible_storages, recover_generation
from gateway.storage import StorageError, is_storage_up

BATCH: Final = 200
# For settling from objects, which the database refuses after the deadline.
_EXTENSION: Final = timedelta(minutes=5)
_OUTCOMES: Final = {
    Generation.Status.SUCCEEDED.value: "settled",
    Generation.Status.FAILED.value: "expired",
}
# What a broken row, object or answer of the storage raises, also where nothing expects it.
_BREAKS_ONE: Final = (AppError, StorageError, DatabaseError, LookupError, TypeError, ValueError)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of what was under way.

    Attributes:
        settled: Generations settled from images that had been stored after the restored instant.
        expired: Generations past their deadline without a whole image; they cost nothing.
        left: Generations whose deadline is still to come: workers and sweeper go on with them.
        sessions: Sessions of the console that were ended.
        paused: Organizations whose automatic top-ups were paused.
        unsettled: Generations that raised, and why: they are open, and may be tried again.
    """

    settled: int
    expired: int
    left: int
    sessions: int
    paused: int
    unsettled: tuple[str, ...]


def require_still() -> None:
    """Refuse a database on which the product works: its jobs would be taken away from it.

    Raises:
        KeepingError: A process holds a lease that has not run out.
    """
    recent = Now() - timedelta(seconds=LEASE_S)
    if Process.objects.filter(ended_at__isnull=True, heartbeat_at__gt=recent).exists():
        raise KeepingError(
            "The product works on this database, or did 20 seconds ago. Stop it, then try again."
        )


def resume(*, now: datetime) -> Resumed:
    """Do what follows a restore, before the product is started.

    Automatic top-ups pause first: a balance that is low in these books may have been filled after
    the restored instant, by a card that would be charged again. Sessions end: some had been ended
    after that instant, and nobody knows which. So do leases of processes, which never worked on
    this database. Open generations whose images are stored already are settled from them: their
    callers have had the answer. The others end free of charge if their deadline has passed. One
    that raises holds up no other.

    Raises:
        StorageError: S3 cannot be read at all; what was not looked at is as it was.
    """
    paused, sessions = pause_all(code="restored", now=now), _end_sessions()
    Process.objects.filter(ended_at__isnull=True).update(ended_at=now)
    counts = {"settled": 0, "expired": 0, "left": 0}
    unsettled: list[str] = []
    last: UUID | None = None
    while page := _open_page(last):
        last = page[-1].id
        connection.close()
        for generation in page:
            # Of this one: reading images may have taken longer than what deadlines are put off by.
            moment = max(now, clock_now())
            try:
                counts[_resume(generation, moment)] += 1
            except _BREAKS_ONE as error:
                unsettled.append(_described(generation, error))
    return Resumed(**counts, sessions=sessions, paused=paused, unsettled=tuple(unsettled))


def _described(generation: Generation, error: Exception) -> str:
    """Return which generation raised and why, if it is to blame rather than an engine.

    Raises:
        StorageError: The storage does not answer.
        OperationalError: The database does not.
    """
    if isinstance(error, StorageError) and not is_storage_up():
        raise error
    connection.close()
    connection.ensure_connection()
    logger.error("restore.unsettled generation=%s", generation.id, exc_info=error)
    # What follows the first line may be the row itself.
    reason = f"{type(error).__name__}: {error}".partition("\n")[0]
    return f"{generation.id} of {generation.organization_id}: {reason}"


def _open_page(last: UUID | None) -> list[Generation]:
    rows = Generation.objects.select_related("organization").filter(status__in=OPEN)
    if last is not None:
        rows = rows.filter(id__gt=last)
    return list(rows.order_by("id")[:BATCH])


def _resume(generation: Generation, now: datetime) -> str:
    if _has_images(generation):
        deadline_at = max(generation.deadline_at, now + _EXTENSION)
        Generation.objects.filter(id=generation.id, status__in=OPEN).update(
            status=Generation.Status.RUNNING,
            worker=None,
            claim_token=new_uuid(),
            deadline_at=deadline_at,
        )
        generation.refresh_from_db()
        recover_generation(generation=generation, now=now, gives_up_missing=True)
    elif generation.deadline_at <= now:
        expire_generation(generation_id=generation.id, now=now)
    generation.refresh_from_db(fields=["status"])
    outcome = _OUTCOMES.get(generation.status, "left")
    logger.info("restore.%s generation=%s", outcome, generation.id)
    return outcome


def _has_images(generation: Generation) -> bool:
    return any(image_keys(storage, generation) for storage, _ in possible_storages(generation))


def _end_sessions() -> int:
    with transaction.atomic():
        UserSession.objects.all().delete()
        return Session.objects.all().delete()[0]
