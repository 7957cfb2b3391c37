"""Circuit breakers: a provider that fails is left alone, and tried again by single probes.

The rows are the truth, shared by all workers. A process keeps a view of the open ones that is at
most a second old, so a closed breaker costs no query; for that second a process may still let calls
through after another one has opened it, and keep calls away after another one has closed it.

    admission = admit(provider=provider, now=now())
    if admission.state is State.OPEN: ...              # take the next route
    try: ...                                           # call the provider
    except ProviderError as error:                     # after the attempt's end is committed
        record_failure(provider=provider, attempt_id=attempt.id, kind=type(error),
                       probe=admission.probe, now=now())
    else:
        record_success(provider=provider, probe=admission.probe, now=now())

The functions query with the caller's connection, which the caller gives back before it waits, and
raise `OperationalError` or `InterfaceError` while Postgres is away; each may be repeated then. They
are not for the sandbox, which has no breaker. A provider that an operator has paused is one whose
breaker is open and never tried (`gateway.services.operations.pauses`).
"""

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection

from core.queue import send_task
from gateway.models import Attempt, Breaker, Pause
from gateway.providers.errors import (
    BadCredentials,
    BadResponse,
    InputUnavailable,
    OutOfFiles,
    OutOfFunds,
    ProviderError,
    ProviderTimedOut,
    ProviderUnavailable,
)
from gateway.services.operations.findings import PROVIDER_KINDS, Found, Kind, report, resolve
from gateway.storage import release_connections

# A refusal, a rejection, a rate limit, a retired model: the provider is alive and answers.
FAULTS: Final = frozenset({ProviderUnavailable, ProviderTimedOut, BadResponse})
# Our account is at fault, for every call alike: an operator must act.
ACCOUNT_FAULTS: Final = frozenset({BadCredentials, OutOfFunds})
# Ours alone: the provider was not asked, or not in full.
SILENT: Final = frozenset({InputUnavailable, OutOfFiles})
ALERT_TASK: Final = "gateway.send_alerts"

WINDOW_S: Final = 60
LEAST_FAILURES: Final = 5
# Silence counts once a call was given this long, or nine tenths of its provider's own limit: a job
# that waited until shortly before its deadline says nothing of its provider.
LEAST_SILENCE_S: Final = 30.0
FIRST_COOLDOWN_S: Final = 5
LAST_COOLDOWN_S: Final = 80
# A probe without an outcome for so long is given up: its worker has died, or its provider hangs.
PROBE_S: Final = 45
REFRESH_S: Final = 1.0
# An operator's pause ends when they resume the provider.
NEVER: Final = datetime.max.replace(tzinfo=UTC)
PAUSED: Final = "Paused"
_ALL_KINDS: Final = (Kind.PROVIDER_DOWN, *PROVIDER_KINDS.values())
logger = logging.getLogger(__name__)

# Calls begun before the last closing are left out: those that still hang when a provider recovers
# would open its breaker again. A closing that this count has not seen makes the opening void.
_OPEN = """
WITH ended AS (
    SELECT count(*) FILTER (WHERE error_kind = ANY(%(kinds)s::text[])) AS failures,
        count(*) AS calls
    FROM gateway_attempt
    WHERE provider = %(provider)s AND NOT is_sandboxed
        AND finished_at > %(now)s::timestamptz - make_interval(secs => %(window_s)s)
        AND started_at >= coalesce(
            (SELECT closed_at FROM gateway_breaker WHERE provider = %(provider)s), '-infinity'
        )
        AND NOT (status = 'unknown' AND error_kind = '')
        AND error_kind <> ALL(%(silent)s::text[])
        AND NOT (
            error_kind = 'ProviderTimedOut'
            AND finished_at - started_at < make_interval(secs => %(least_silence_s)s)
        )
)
INSERT INTO gateway_breaker AS breaker (
    provider, is_open, reason, failures, calls, opened_at, closed_at, retry_at, cooldown_s, probes
)
SELECT %(provider)s, true, %(reason)s, failures, calls, %(now)s::timestamptz,
    (SELECT closed_at FROM gateway_breaker WHERE provider = %(provider)s),
    %(now)s::timestamptz + make_interval(secs => %(cooldown_s)s), %(cooldown_s)s, 0
FROM ended
WHERE %(at_once)s::boolean OR (failures >= %(least_failures)s AND failures * 2 >= calls)
ON CONFLICT (provider) DO UPDATE
SET is_open = true, reason = excluded.reason, failures = excluded.failures,
    calls = excluded.calls, opened_at = excluded.opened_at, retry_at = excluded.retry_at,
    cooldown_s = excluded.cooldown_s, probes = 0, alert_claimed_at = NULL, alerted_at = NULL
WHERE NOT breaker.is_open
    AND (%(at_once)s::boolean OR breaker.closed_at IS NOT DISTINCT FROM excluded.closed_at)
RETURNING failures, calls
"""

# The pause after the probe is set at once, so that nobody waits for a prober that has died.
_TAKE_PROBE = """
UPDATE gateway_breaker
SET probes = probes + 1, cooldown_s = least(cooldown_s * 2, %(last_cooldown_s)s),
    retry_at = %(now)s::timestamptz + make_interval(secs => greatest(cooldown_s, %(probe_s)s))
WHERE provider = %(provider)s AND is_open AND retry_at <= %(now)s
RETURNING opened_at, probes
"""

_PROBE_FAILED = """
UPDATE gateway_breaker
SET retry_at = %(now)s::timestamptz + make_interval(secs => cooldown_s)
WHERE provider = %(provider)s AND is_open AND opened_at = %(opened_at)s AND probes = %(number)s
RETURNING cooldown_s
"""


class State(StrEnum):
    """What a caller may do."""

    CLOSED = "closed"
    PROBE = "probe"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Probe:
    """The right to make the one call that tries an open breaker's provider."""

    opened_at: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may be made now.

    Attributes:
        retry_at: While open, when the next probe may be.
        probe: Of a probing caller, to be handed to what records the outcome.
    """

    state: State
    retry_at: datetime | None = None
    probe: Probe | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """An open breaker, as a process last saw it; of a paused provider one that is never tried."""

    opened_at: datetime
    retry_at: datetime
    reason: str


class Board:
    """The open breakers, as this process knows them: a view of the rows, never the truth."""

    def __init__(self) -> None:
        self._openings: dict[str, Opening] = {}
        self._looked_at = float("-inf")
        self._read_at = float("-inf")

    def openings(self) -> dict[str, Opening]:
        """Return the open breakers by provider, read again when a second has passed."""
        moment = time.monotonic()
        # After a quiet time the view from before may be minutes old: then all read.
        is_old = moment - self._read_at >= 2 * REFRESH_S
        if is_old or moment - self._looked_at >= REFRESH_S:
            self.refresh()
        return self._openings

    def refresh(self) -> None:
        """Read the rows; whoever asks meanwhile gets the view from before, if it is recent."""
        began_at = self._looked_at = time.monotonic()
        rows = Breaker.objects.filter(is_open=True).values_list(
            "provider", "opened_at", "retry_at", "reason"
        )
        self._openings = {
            provider: Opening(opened_at, retry_at, reason)
            for provider, opened_at, retry_at, reason in rows
        } | {
            provider: Opening(paused_at, NEVER, PAUSED)
            for provider, paused_at in Pause.objects.values_list("provider", "paused_at")
        }
        self._read_at = began_at

    def forget(self) -> None:
        """Read the rows for whoever asks next."""
        self._looked_at = self._read_at = float("-inf")


@cache
def board() -> Board:
    """Return this process's view."""
    return Board()


def admit(*, provider: str, now: datetime) -> Admission:
    """Decide whether a call to a provider may be made.

    In the whole system one caller at a time gets the probe of an open breaker whose pause is over;
    it says how the call ended, or gives the probe back.
    """
    opening = board().openings().get(provider)
    if opening is None:
        return Admission(State.CLOSED)
    if now < opening.retry_at:
        return Admission(State.OPEN, retry_at=opening.retry_at)
    probe = _take_probe(provider, now)
    board().refresh()
    if probe is not None:
        logger.info("breaker.probed provider=%s number=%d", provider, probe.number)
        return Admission(State.PROBE, probe=probe)
    opening = board().openings().get(provider)
    if opening is None:
        return Admission(State.CLOSED)
    return Admission(State.OPEN, retry_at=opening.retry_at)


def record_success(*, provider: str, probe: Probe | None, now: datetime) -> None:
    """Note that a call gave images, or showed otherwise that its provider works.

    Only a probe's success changes anything; it also counts when its probe was given up meanwhile.
    """
    if probe is None:
        return
    closed = Breaker.objects.filter(
        provider=provider, is_open=True, opened_at=probe.opened_at
    ).update(is_open=False, closed_at=now)
    board().refresh()
    if closed:
        resolve(_ALL_KINDS, provider, now=now)
        open_s = (now - probe.opened_at).total_seconds()
        logger.info(
            "breaker.closed provider=%s open_s=%.0f probes=%d", provider, open_s, probe.number
        )


def record_failure(
    *,
    provider: str,
    attempt_id: UUID,
    kind: type[ProviderError],
    probe: Probe | None,
    now: datetime,
) -> None:
    """Note that a call failed, once the end of its attempt is committed.

    The kind is kept with the attempt. The breaker opens when at least five calls, and at least half
    of those that ended, have failed by the provider's fault within a minute; at once for a fault of
    our account. A fault of this process counts for nothing, and gives its probe back. Of callers at
    the same time the last one to count sees all the others' attempts.
    """
    Attempt.objects.filter(id=attempt_id).update(error_kind=kind.__name__)
    at_fault = kind in FAULTS or kind in ACCOUNT_FAULTS
    if probe is None:
        if at_fault:
            _open(provider, kind, now)
    elif at_fault:
        _probe_failed(provider, kind, probe, now)
    elif kind in SILENT:
        give_back_probe(provider=provider, probe=probe, now=now)
    else:
        record_success(provider=provider, probe=probe, now=now)


def give_back_probe(*, provider: str, probe: Probe, now: datetime) -> None:
    """Let another caller have a probe whose call was not made."""
    Breaker.objects.filter(
        provider=provider, is_open=True, opened_at=probe.opened_at, probes=probe.number
    ).update(retry_at=now)
    board().refresh()


def _take_probe(provider: str, now: datetime) -> Probe | None:
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE_PROBE,
            {
                "provider": provider,
                "now": now,
                "last_cooldown_s": LAST_COOLDOWN_S,
                "probe_s": PROBE_S,
            },
        )
        row = cursor.fetchone()
    return None if row is None else Probe(*row)


def _open(provider: str, kind: type[ProviderError], now: datetime) -> None:
    at_once = kind in ACCOUNT_FAULTS
    kinds = {fault.__name__ for fault in FAULTS} | {kind.__name__}
    limit_s: int = settings.PROVIDER_TIMEOUTS.get(provider, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            _OPEN,
            {
                "provider": provider,
                "reason": kind.__name__,
                "kinds": sorted(kinds),
                "silent": sorted(kind.__name__ for kind in SILENT),
                "at_once": at_once,
                "now": now,
                "window_s": WINDOW_S,
                "least_failures": LEAST_FAILURES,
                "least_silence_s": min(LEAST_SILENCE_S, 0.9 * limit_s)
                if limit_s
                else LEAST_SILENCE_S,
                "cooldown_s": FIRST_COOLDOWN_S,
            },
        )
        row = cursor.fetchone()
    if row is None:
        return
    failures, calls = row
    logger.error(
        "breaker.opened provider=%s reason=%s failures=%d calls=%d retry_at=%s",
        provider,
        kind.__name__,
        failures,
        calls,
        (now + timedelta(seconds=FIRST_COOLDOWN_S)).isoformat(timespec="seconds"),
    )
    words = f"{kind.__name__}: {failures} of the {calls} calls that ended within a minute failed"
    _report(provider, kind.__name__, words, now)
    board().refresh()
    if at_once:
        _hurry_alert()


def _probe_failed(provider: str, kind: type[ProviderError], probe: Probe, now: datetime) -> None:
    reason = kind.__name__
    with connection.cursor() as cursor:
        cursor.execute(
            _PROBE_FAILED,
            {
                "provider": provider,
                "opened_at": probe.opened_at,
                "number": probe.number,
                "now": now,
            },
        )
        row = cursor.fetchone()
    if row is not None:
        logger.warning(
            "breaker.probe_failed provider=%s number=%d reason=%s pause_s=%d",
            provider,
            probe.number,
            reason,
            row[0],
        )
    # An outage may turn out to be our account: that is news of its own.
    is_news = kind in ACCOUNT_FAULTS and (
        Breaker.objects.filter(provider=provider, is_open=True, opened_at=probe.opened_at)
        .exclude(reason=reason)
        .update(reason=reason, alert_claimed_at=None, alerted_at=None)
    )
    board().refresh()
    if is_news:
        logger.error("breaker.reason_changed provider=%s reason=%s", provider, reason)
        _report(provider, reason, f"{reason}: a probe found out", now)
        _hurry_alert()


def _report(provider: str, reason: str, words: str, now: datetime) -> None:
    kind = PROVIDER_KINDS.get(reason, Kind.PROVIDER_DOWN)
    report(Found(kind, "provider", provider, words), now=now)


def _hurry_alert() -> None:
    """Have the operators told now; a lost message only leaves it to the schedule."""
    release_connections()
    send_task(ALERT_TASK, "default")
