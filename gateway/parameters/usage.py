"""From the query string of a usage report to its buckets."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from gateway.errors import InvalidRequestError
from gateway.parameters.fields import Body, not_one_of, text_field, word_field
from gateway.parameters.queries import instant_parameter, number_parameter

GROUPS: Final = ("model", "api_key_id", "user")
HOUR: Final = "1h"
DAY: Final = "1d"
# Buckets of a page, by default and at most; OpenAI's usage API has the same.
LIMITS: Final = {DAY: (7, 31), HOUR: (24, 168)}
PARAMETERS: Final = frozenset(
    {"start_time", "end_time", "bucket_width", "group_by", "limit", "page", "format"}
)
_PAGE_PREFIX: Final = "page_"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A day or an hour of the organization's time zone: half-open, in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class UsageRequest:
    """A checked request for a page of usage.

    Attributes:
        since: The first instant that counts in these buckets,
        until: and the first that no longer does; without `end_time` the end of the last bucket.
        next_page: The word for the page that follows; None on the last.
    """

    buckets: tuple[Bucket, ...]
    since: datetime
    until: datetime
    group_by: tuple[str, ...]
    next_page: str | None
    is_csv: bool

    def first_buckets(self, count: int) -> "UsageRequest":
        """Return the same with only so many buckets; the next page goes on after them."""
        if count >= len(self.buckets):
            return self
        rest = self.buckets[count].start
        return replace(self, buckets=self.buckets[:count], next_page=_page_word(rest))


def parse_usage(query: Body, *, time_zone: str, now: datetime) -> UsageRequest:
    """Check a query and divide its period into buckets.

    A bucket is a whole day or hour; of the first and last only what lies within `start_time` and
    `end_time` counts.

    Raises:
        InvalidRequestError: A value that cannot be; `param` names it.
    """
    width = word_field(query, "bucket_width", (HOUR, DAY)) or DAY
    default, most = LIMITS[width]
    limit = number_parameter(query, "limit", low=1, high=most) or default
    zone = ZoneInfo(time_zone)
    end = instant_parameter(query, "end_time") or now
    start = instant_parameter(query, "start_time") or _default_start(end, width, default, zone)
    if end < start:
        raise InvalidRequestError("`end_time` is before `start_time`.", param="end_time")
    first = _page_start(query, width, zone, start, end)
    if first is None:
        first = _floor(start, width, zone) if start < end else end
    bounds = [first]
    while bounds[-1] < end and len(bounds) <= limit:
        bounds.append(_next(bounds[-1], width, zone))
    rest = bounds[-1]
    return UsageRequest(
        buckets=tuple(Bucket(*pair) for pair in pairwise(bounds)),
        since=max(start, first),
        until=rest if query.get("end_time") is None else min(end, rest),
        group_by=_group_by(query),
        next_page=_page_word(rest) if rest < end else None,
        is_csv=word_field(query, "format", ("json", "csv")) == "csv",
    )


def _page_word(start: datetime) -> str:
    return f"{_PAGE_PREFIX}{int(start.timestamp())}"


def _group_by(query: Body) -> tuple[str, ...]:
    words = (text_field(query, "group_by") or "").split(",")
    names = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    for name in names:
        if name not in GROUPS:
            raise not_one_of("group_by", name, GROUPS)
    return names


def _page_start(
    query: Body, width: str, zone: ZoneInfo, start: datetime, end: datetime
) -> datetime | None:
    text = text_field(query, "page")
    if text is None:
        return None
    digits = text.removeprefix(_PAGE_PREFIX)
    if digits != text and digits.isascii() and digits.isdigit() and len(digits) <= 11:  # noqa: PLR2004
        instant = datetime.fromtimestamp(int(digits), UTC)
        if start <= instant < end and _floor(instant, width, zone) == instant:
            return instant
    raise InvalidRequestError("`page` is not the `next_page` of this query.", param="page")


def _default_start(end: datetime, width: str, buckets: int, zone: ZoneInfo) -> datetime:
    """Return the start of the last few buckets, the one of `end` included."""
    step = timedelta(days=1) if width == DAY else timedelta(hours=1)
    return _floor(end - step * (buckets - 1), width, zone)


def _floor(instant: datetime, width: str, zone: ZoneInfo) -> datetime:
    """Return when the bucket of an instant begins."""
    local = instant.astimezone(zone)
    if width == DAY:
        return datetime.combine(local.date(), time.min, zone).astimezone(UTC)
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return instant.astimezone(UTC) - past


def _next(start: datetime, width: str, zone: ZoneInfo) -> datetime:
    """Return when the next bucket begins; a day has 23 to 25 hours."""
    if width == HOUR:
        return start + timedelta(hours=1)
    date = start.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(date, time.min, zone).astimezone(UTC)
