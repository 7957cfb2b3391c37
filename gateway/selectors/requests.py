"""The request log: an organization's generations, how long each stage took, and why some failed."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.utils.functional import Promise

from billing.money import format_amount
from core.ids import REQUEST_PREFIX, parse_request_id, request_id
from gateway.models import Attempt, Generation
from gateway.selectors.pages import (
    MAX_LIMIT,
    VALUES,
    CommonFilters,
    Order,
    Place,
    beyond,
    common_conditions,
)
from gateway.selectors.reasons import reason_of

STATUSES: Final = tuple(Generation.Status.values)
# What a spreadsheet would compute instead of show.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
COLUMNS: Final = (
    *("id", "created", "status", "model", "served_by", "images", "amount", "currency", "livemode"),
    *("api_key_id", "created_by", "user", "client_request_id", "waiting_s", "working_s"),
    *("provider_s", "storing_s", "total_s", "attempts", "error_code", "reason"),
)


@dataclass(frozen=True, slots=True)
class RequestFilters(CommonFilters):
    """Which generations; None for any.

    Attributes:
        status: One of `STATUSES`.
        error_code: Of those that failed or were canceled.
        search: An id in full: of a request, of an image, of an API user's own
            (`X-Client-Request-Id`), or of the provider's job or request.
    """

    status: str | None = None
    error_code: str | None = None
    search: str = ""


@dataclass(frozen=True, slots=True)
class Stages:
    """How long each stage took, in seconds; None where it has not come to that.

    Attributes:
        waiting_s: From the acceptance until a worker took it.
        working_s: From then until the end: the next two.
        provider_s: From then until the last byte of a provider; None where that is not known, as
            without images, or of a request from before it was recorded.
        storing_s: From that byte until the end: checking, storing and settling. As `provider_s`.
        total_s: From the acceptance until the end.
    """

    waiting_s: float | None
    working_s: float | None
    provider_s: float | None
    storing_s: float | None
    total_s: float | None


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """One call to one provider. `cost_micros` is in USD, and for the platform's staff alone."""

    number: int
    provider: str
    upstream_model: str
    upstream_id: str
    upstream_request_id: str
    status: str
    error_code: str
    error_message: str
    upstream_status: int | None
    started_at: datetime
    received_at: datetime | None
    finished_at: datetime | None
    cost_micros: int
    reason: Promise | None

    @property
    def seconds(self) -> float | None:
        """Return how long it took; None while it runs."""
        return _seconds(self.started_at, self.finished_at)

    def without_cost(self) -> "LoggedAttempt":
        """Return it as customers may see it."""
        return replace(self, cost_micros=0)


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One line of the log. Amounts are micros of `currency`.

    Attributes:
        prompt: None once it is past the organization's retention.
        deleted_at: When its images were deleted.
        is_expired: Whether the organization's retention deleted them.
    """

    id: UUID
    status: str
    model: str
    requested_model: str
    served_by: str
    prompt: str | None
    wanted: int
    api_key_id: UUID | None
    created_by_id: UUID | None
    user: str
    client_request_id: str
    livemode: bool
    currency: str
    quoted_micros: int
    charged_micros: int
    error_code: str
    error_message: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deleted_at: datetime | None
    is_expired: bool
    attempts: tuple[LoggedAttempt, ...]

    @property
    def stages(self) -> Stages:
        """Return how long each stage took."""
        started_at, finished_at = self.started_at, self.finished_at
        arrivals = [one.received_at for one in self.attempts if one.received_at is not None]
        # The end decides: what a worker that had lost its claim received comes later.
        received_at = None
        if arrivals and started_at is not None and finished_at is not None:
            received_at = min(max(arrivals), finished_at)
        return Stages(
            waiting_s=_seconds(self.created_at, started_at or finished_at),
            working_s=None if started_at is None else _seconds(started_at, finished_at),
            provider_s=None if started_at is None else _seconds(started_at, received_at),
            storing_s=None if received_at is None else _seconds(received_at, finished_at),
            total_s=_seconds(self.created_at, self.finished_at),
        )

    @property
    def reason(self) -> Promise | None:
        """Return in plain words why there is no image."""
        return reason_of(self.error_code)

    def place(self, order: Order) -> Place:
        """Return where the list goes on after it."""
        value = None
        if order is Order.COST:
            value = self.charged_micros if self.livemode else 0
        elif order is Order.DURATION and self.finished_at is not None:
            value = (self.finished_at - self.created_at) // timedelta(microseconds=1)
        return Place(self.created_at, self.id, value=value)


@dataclass(frozen=True, slots=True)
class RequestPage:
    """Some lines; `next_place` is where the next page begins, None at the end."""

    requests: tuple[LoggedRequest, ...]
    next_place: Place | None


_PAGE: Final = """
SELECT generation.id, generation.status, generation.model, generation.requested_model,
    generation.served_by, generation.parameters ->> 'prompt',
    (generation.parameters ->> 'n')::integer, generation.api_key_id, generation.created_by_id,
    generation."user", generation.client_request_id, generation.livemode, generation.currency,
    generation.quoted_micros, generation.charged_micros,
    coalesce(generation.error ->> 'code', ''), coalesce(generation.error ->> 'message', ''),
    generation.created_at, generation.started_at, generation.finished_at, generation.deleted_at,
    generation.is_expired
FROM (
    SELECT generation.id{value}
    FROM gateway_generation AS generation
    WHERE {conditions}
    ORDER BY {first}generation.created_at DESC, generation.id DESC
    LIMIT %(limit)s
) AS page
JOIN gateway_generation AS generation ON generation.id = page.id
ORDER BY {first}generation.created_at DESC, generation.id DESC
"""
_IDS: Final = """
SELECT id FROM gateway_generation
WHERE client_request_id = %(text)s AND client_request_id <> ''
    AND organization_id = %(organization_id)s
UNION
SELECT generation_id FROM gateway_artifact WHERE id = %(uuid)s
UNION
SELECT id FROM gateway_generation WHERE id = %(uuid)s
UNION
SELECT attempt.generation_id FROM gateway_attempt AS attempt
WHERE (attempt.upstream_id = %(text)s AND attempt.upstream_id <> '')
UNION
SELECT attempt.generation_id FROM gateway_attempt AS attempt
WHERE (attempt.upstream_request_id = %(text)s AND attempt.upstream_request_id <> '')
LIMIT 100
"""
_CANCELED: Final = "generation_canceled"


def list_requests(
    *,
    organization_id: UUID,
    filters: RequestFilters,
    limit: int,
    after: Place | None = None,
    order: Order = Order.TIME,
) -> RequestPage:
    """Return a page of generations. Two queries; one more for a member or a search.

    Args:
        organization_id: Whose.
        filters: Which of them.
        limit: Most to return, at most `MAX_LIMIT`.
        after: The `next_place` of the page before, in the same order.
        order: Any but that of time looks at all that the filters leave, of however long a period.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    conditions, params = common_conditions(filters, organization_id=organization_id)
    params["limit"] = limit + 1
    if filters.status is not None:
        # A literal, so that the index of failures serves it.
        conditions.append(_STATUS_CONDITIONS.get(filters.status, "false"))
    if filters.error_code is not None:
        ended = "canceled" if filters.error_code == _CANCELED else "failed"
        conditions.append(f"{_STATUS_CONDITIONS[ended]} AND generation.error ->> 'code' = %(code)s")
        params["code"] = filters.error_code
    value = VALUES.get(order)
    if order is Order.DURATION:
        conditions.append("generation.finished_at IS NOT NULL")
    if after is not None:
        condition, after_params = beyond(after, value)
        conditions.append(condition)
        params |= after_params
    if text := filters.search.strip():
        conditions.append("generation.id = ANY(%(found)s::uuid[])")
        params["found"] = _ids_named(text, organization_id)
    with connection.cursor() as cursor:
        statement = _PAGE.format(
            conditions=" AND ".join(conditions),
            value=f", {value} AS value" if value else "",
            first="value DESC, " if value else "",
        )
        cursor.execute(statement, params)
        rows = cursor.fetchall()
    attempts = logged_attempts([row[0] for row in rows[:limit]])
    lines = [(*row, attempts.get(row[0], ())) for row in rows[:limit]]
    requests = tuple(LoggedRequest(*line) for line in lines)
    return RequestPage(requests, requests[-1].place(order) if len(rows) > limit else None)


def logged_attempts(generation_ids: Sequence[UUID]) -> dict[UUID, tuple[LoggedAttempt, ...]]:
    """Return the attempts of generations that have any, in their order. One query."""
    if not generation_ids:
        return {}
    found: dict[UUID, list[LoggedAttempt]] = {}
    rows = Attempt.objects.filter(generation_id__in=generation_ids)
    for row in rows.order_by("generation_id", "number"):
        attempt = LoggedAttempt(
            number=row.number,
            provider="sandbox" if row.is_sandboxed else row.provider,
            upstream_model=row.upstream_model,
            upstream_id=row.upstream_id,
            upstream_request_id=row.upstream_request_id,
            status=row.status,
            error_code=row.error_code,
            error_message=row.error_message,
            upstream_status=row.upstream_status,
            started_at=row.started_at,
            received_at=row.received_at,
            finished_at=row.finished_at,
            cost_micros=row.cost_micros,
            reason=reason_of(row.error_code, row.error_kind),
        )
        found.setdefault(row.generation_id, []).append(attempt)
    return {generation_id: tuple(attempts) for generation_id, attempts in found.items()}


def export_requests(
    *,
    organization_id: UUID,
    filters: RequestFilters,
    limit: int = 100_000,
    order: Order = Order.TIME,
) -> Iterator[str]:
    """Yield the log as lines of CSV, heading first, read page by page.

    Every page gives its database connection back, so that a slow reader holds none.
    """
    yield _line(COLUMNS)
    place: Place | None = None
    while limit > 0:
        page = list_requests(
            organization_id=organization_id,
            filters=filters,
            limit=min(limit, MAX_LIMIT),
            after=place,
            order=order,
        )
        connection.close()
        for request in page.requests:
            yield _line([plain_cell(value) for value in _cells(request)])
        limit -= len(page.requests)
        place = page.next_place
        if place is None:
            return


def plain_cell(value: object) -> object:
    """Return a cell that a spreadsheet shows as it is, and does not compute."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def _ids_named(text: str, organization_id: UUID) -> list[UUID]:
    """Return the generations that an id names; those of others are sorted out with the page."""
    uuid = parse_request_id(text)
    if uuid is None:
        digits = text.removeprefix(REQUEST_PREFIX)
        try:
            uuid = UUID(digits)
        except ValueError:
            uuid = None
    params = {"text": text, "uuid": uuid, "organization_id": organization_id}
    with connection.cursor() as cursor:
        cursor.execute(_IDS, params)
        return [row[0] for row in cursor]


def _cells(request: LoggedRequest) -> list[object]:
    stages = request.stages
    return [
        request_id(request.id),
        request.created_at.isoformat(),
        request.status,
        request.model,
        request.served_by,
        request.wanted,
        format_amount(request.charged_micros if request.livemode else 0, request.currency),
        request.currency,
        str(request.livemode).lower(),
        str(request.api_key_id or ""),
        str(request.created_by_id or ""),
        request.user,
        request.client_request_id,
        _figure(stages.waiting_s),
        _figure(stages.working_s),
        _figure(stages.provider_s),
        _figure(stages.storing_s),
        _figure(stages.total_s),
        len(request.attempts),
        request.error_code,
        str(request.reason or ""),
    ]


def _figure(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f}"


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def _seconds(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else max(0.0, (end - start).total_seconds())


_STATUS_CONDITIONS: Final[dict[str, Any]] = {
    status: f"generation.status = '{status}'" for status in STATUSES
}
