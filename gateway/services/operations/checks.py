"""Checks of the platform: what they find is written down as findings.

`check_platform` looks at what should never last, every minute. `check_ledger` recomputes the ledger
and compares it with images, attempts and rollups; once a day, and whenever an operator asks. Every
step of it reads a snapshot of its own, so that its progress can be seen.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import Count, F, Q, Sum

from billing.money import format_amount
from billing.selectors.holds import open_holds
from billing.services.staff import require_finance
from billing.services.verification import snapshot
from billing.types import Finding as Violation
from core.clock import now as clock_now
from core.postgres.locks import CHECKING
from core.queue import send_task
from gateway.models import Attempt, Breaker, Check, Generation
from gateway.providers.registry import PROVIDERS
from gateway.selectors.rollups import NO_KEY
from gateway.services.operations.findings import PROVIDER_KINDS, Found, Kind, reconcile
from gateway.services.pricing import find_losses
from gateway.services.verification import money_checks
from gateway.storage import release_connections
from orgs.selectors.people import list_due_for_purge
from orgs.services.audit import Action, Actor, Target, record

LEDGER: Final = "ledger"
PLATFORM: Final = "platform"
SWEEPER: Final = "sweeper"
TASKS: Final = "tasks"
LEDGER_TASK: Final = "gateway.check_ledger"
PLATFORM_EVERY_S: Final = 60.0

# What the sweeper ends in its next round, unless something is wrong.
GRACE: Final = timedelta(seconds=60)
OBJECTS_GRACE: Final = timedelta(minutes=10)
PURGE_GRACE: Final = timedelta(hours=26)
LATE_WITHIN: Final = timedelta(hours=24)
# The hour of the day, in UTC, from which the daily check of the ledger is due.
DAILY_HOUR: Final = 4
# A run without progress for so long has died with its worker.
RUN_LEASE: Final = timedelta(minutes=30)
_BATCH: Final = 200
_PLATFORM_KINDS: Final = (
    Kind.HOLD_OVERDUE,
    Kind.GENERATION_STUCK,
    Kind.OBJECTS_LEFT,
    Kind.PURGE_OVERDUE,
    Kind.RESULTS_LATE,
    Kind.PROVIDER_DOWN,
    *PROVIDER_KINDS.values(),
)
_LEDGER_KINDS: Final = (Kind.LEDGER_VIOLATION, Kind.ROLLUP_DIFFERENCE, Kind.PRICE_LOSS)
# What `rebuild_rollups` makes anew: the books themselves are another thing.
_SUMS: Final = frozenset({"rollup", "account_day", "statement_draft"})
_WORDS_EACH: Final = 5
logger = logging.getLogger(__name__)


def note_pass(*, name: str, started_at: datetime, finished_at: datetime, found: int = 0) -> None:
    """Note a pass that ran to its end."""
    Check.objects.update_or_create(
        name=name,
        defaults={
            "started_at": started_at,
            "beat_at": finished_at,
            "finished_at": finished_at,
            "found": found,
        },
    )


def check_platform(*, now: datetime) -> int:
    """Look at holds, generations, objects, deletions and providers; return how many faults."""
    found = [
        *_overdue_holds(now),
        *_stuck_generations(now),
        *_objects_left(now),
        *_overdue_purges(now),
        *_late_results(now),
        *_open_breakers(),
    ]
    reconcile(_PLATFORM_KINDS, found, now=now)
    note_pass(name=PLATFORM, started_at=now, finished_at=now, found=len(found))
    return len(found)


def request_ledger_check(*, actor: Actor, now: datetime) -> None:
    """Ask for a check of the ledger, and wake a worker for it. One that runs is let be.

    Raises:
        PermissionDeniedError: The actor neither runs the platform nor is of finance.
    """
    if not actor.is_platform:
        require_finance(actor)
    with transaction.atomic():
        Check.objects.update_or_create(
            name=LEDGER, defaults={"requested_at": now, "requested_by": actor.label[:254]}
        )
        record(
            action=Action.CHECK_STARTED,
            actor=actor,
            organization_id=None,
            target=Target("check", LEDGER, LEDGER),
        )
    release_connections()
    send_task(LEDGER_TASK, "default")


def check_ledger(*, now: datetime) -> bool:
    """Run the check of the ledger if it is due or was asked for; return whether it ran.

    Of several workers one runs it. A run that breaks off or dies changes no finding, and is due
    again; `finished_at` stays that of the last one that did neither.
    """
    steps = money_checks(now=now)
    if not _take(now, total=len(steps) + 1):
        return False
    row = Check.objects.filter(name=LEDGER, started_at=now)
    violations: list[Violation] = []
    try:
        for step in steps:
            with snapshot():
                _hold_step()
                violations += step()
            beat = {"done": F("done") + 1, "found": len(violations), "beat_at": clock_now()}
            if not row.update(**beat):
                logger.warning("check.taken_over name=%s", LEDGER)
                return False
        found = [*_violations(violations), *_losses(now)]
        reconcile(_LEDGER_KINDS, found, now=now)
    except DatabaseError as error:
        logger.exception("check.broken_off name=%s", LEDGER)
        row.update(beat_at=clock_now(), error=type(error).__name__)
        return False
    row.update(finished_at=clock_now(), done=F("total"), found=len(found))
    logger.info("check.finished name=%s found=%d", LEDGER, len(found))
    return True


def _take(now: datetime, *, total: int) -> bool:
    """Take the run that is due, unless another worker has it.

    One that is within a step holds that step's lock for as long as it takes. Between two steps it
    has just moved `beat_at`, but for an instant; a run that is taken then finds that out.
    """
    Check.objects.get_or_create(name=LEDGER)
    today = now.replace(hour=DAILY_HOUR, minute=0, second=0, microsecond=0)
    is_due = Q(started_at__isnull=True) | Q(requested_at__gt=F("started_at"))
    if now >= today:
        is_due |= Q(started_at__lt=today)
    is_done = Q(started_at__isnull=True) | Q(done=F("total"))
    has_died = ~is_done & Q(beat_at__lt=now - RUN_LEASE)
    with transaction.atomic():
        if not _hold_step():
            return False
        taken = Check.objects.filter(
            is_due & (is_done | ~Q(error="")) | has_died, name=LEDGER
        ).update(started_at=now, beat_at=now, done=0, total=total, found=0, error="")
    return bool(taken)


def _hold_step() -> bool:
    """Lock the step that is run, until the transaction ends; return False if another is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [CHECKING])
        return bool(cursor.fetchone()[0])


def _violations(violations: Iterable[Violation]) -> Iterator[Found]:
    """Gather what was found of one row."""
    by_row: dict[tuple[Kind, str, str], list[str]] = defaultdict(list)
    for one in violations:
        kind = Kind.ROLLUP_DIFFERENCE if one.check in _SUMS else Kind.LEDGER_VIOLATION
        by_row[kind, one.table, one.row_id].append(f"{one.check}: {one.message}")
    for (kind, table, row_id), words in by_row.items():
        shown = "; ".join(words[:_WORDS_EACH])
        more = f" (and {len(words) - _WORDS_EACH} more)" if len(words) > _WORDS_EACH else ""
        yield Found(kind, table, row_id, shown + more, _owner(kind, table, row_id))


def _owner(kind: Kind, table: str, row_id: str) -> UUID | None:
    """Return the organization whose sums differ; those of accounts and models have none."""
    if kind is not Kind.ROLLUP_DIFFERENCE or table == "billing_accountday" or row_id == NO_KEY:
        return None
    return UUID(row_id)


def _losses(now: datetime) -> Iterator[Found]:
    by_route: dict[str, list[str]] = defaultdict(list)
    for loss in find_losses(now=now):
        route, _, what = loss.partition(": ")
        by_route[route].append(what)
    for route, words in by_route.items():
        yield Found(Kind.PRICE_LOSS, "route", route, "; ".join(words[:_WORDS_EACH]))


def _overdue_holds(now: datetime) -> Iterator[Found]:
    for hold in open_holds(overdue_at=now - GRACE)[:_BATCH]:
        amount = format_amount(hold.amount_micros, hold.currency)
        yield Found(
            Kind.HOLD_OVERDUE,
            "hold",
            str(hold.id),
            f"{amount} {hold.currency} are held for {hold.reference}, whose deadline was"
            f" {_text(hold.deadline_at)}",
            hold.organization_id,
        )


def _stuck_generations(now: datetime) -> Iterator[Found]:
    rows = Generation.objects.filter(
        status__in=[Generation.Status.QUEUED, Generation.Status.RUNNING],
        deadline_at__lt=now - GRACE,
    ).order_by("deadline_at")[:_BATCH]
    for row in rows:
        yield Found(
            Kind.GENERATION_STUCK,
            "generation",
            str(row.id),
            f"{row.status} on {row.queue}; its deadline was {_text(row.deadline_at)}",
            row.organization_id,
        )


def _objects_left(now: datetime) -> Iterator[Found]:
    rows = Generation.objects.filter(
        has_stray_objects=True, finished_at__lt=now - OBJECTS_GRACE
    ).order_by("finished_at")[:_BATCH]
    for row in rows:
        yield Found(
            Kind.OBJECTS_LEFT,
            "generation",
            str(row.id),
            f"objects that no artifact names are still stored; it ended {_text(row.finished_at)}",
            row.organization_id,
        )


def _overdue_purges(now: datetime) -> Iterator[Found]:
    for organization_id in list_due_for_purge(now=now - PURGE_GRACE):
        yield Found(
            Kind.PURGE_OVERDUE,
            "organization",
            str(organization_id),
            "its time to cancel the deletion is over for more than a day, and it has data",
            organization_id,
        )


def _late_results(now: datetime) -> Iterator[Found]:
    rows = (
        Attempt.objects.filter(
            provider__in=PROVIDERS,
            is_sandboxed=False,
            finished_at__gt=now - LATE_WITHIN,
            status=Attempt.Status.LATE,
        )
        .values("provider")
        .annotate(count=Count("id"), cost=Sum("cost_micros"))
        .order_by("provider")
    )
    for row in rows:
        yield Found(
            Kind.RESULTS_LATE,
            "provider",
            row["provider"],
            f"{row['count']} results came after their deadline within 24 hours, and cost us"
            f" {format_amount(row['cost'], 'USD')} USD",
        )


def _open_breakers() -> Iterator[Found]:
    for row in Breaker.objects.filter(is_open=True):
        yield Found(
            PROVIDER_KINDS.get(row.reason, Kind.PROVIDER_DOWN),
            "provider",
            row.provider,
            f"{row.reason}: its breaker is open since {_text(row.opened_at)}, {row.probes} probes"
            " have failed",
        )


def _text(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else "unknown"
