"""What was counted, and what is not counted yet: both in one statement, so exact at every instant.

Whole days come from the days of the organization's zone, other whole quarters of an hour from the
quarters. While the days are in another zone than is asked for, everything comes from the quarters.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

QUARTER: Final = timedelta(minutes=15)
NO_KEY: Final = "00000000-0000-0000-0000-000000000000"
"""What stands for the API key of what was asked for without one."""
_COLUMNS: Final = 'kind, model, api_key_id, "user", label, currency, count, images, micros'
_OWN: Final = """
    WHERE organization_id = %(organization_id)s AND kind = ANY(%({kinds})s)
        AND livemode = %(livemode)s
"""
_PERIOD: Final = "AND starts_at >= %({since})s AND starts_at < %({until})s"


def _rollups(grain: str, since: str, until: str, condition: str) -> str:
    period = _PERIOD.format(since=since, until=until)
    return (
        f"SELECT starts_at AS at, {_COLUMNS} FROM gateway_rollup"  # noqa: S608 - made of constants
        f"{_OWN.format(kinds='kinds')} AND grain = '{grain}' {period} AND {condition}"
    )


FIT: Final = """
fit AS MATERIALIZED (
    SELECT EXISTS (
        SELECT FROM gateway_rollupzone
        WHERE organization_id = %(organization_id)s AND zone = %(zone)s
    ) AS days
)
"""
"""Whether the days are those of the zone; goes before `COUNTED`."""
_DAYS_FIT: Final = "(SELECT days FROM fit)"
_FACTS: Final = (
    f"SELECT at, {_COLUMNS} FROM gateway_fact"  # noqa: S608 - made of constants
    f"{_OWN.format(kinds='facts')} AND at >= %(first)s AND at < %(last)s"
)
_BESIDE_DAYS: Final = (
    _rollups("quarter", "first", "first_day", _DAYS_FIT),
    _rollups("quarter", "last_day", "last", _DAYS_FIT),
    _rollups("quarter", "first", "last", f"NOT {_DAYS_FIT}"),
    _FACTS,
)
COUNTED: Final = "\nUNION ALL\n".join(
    (_rollups("day", "first_day", "last_day", _DAYS_FIT), *_BESIDE_DAYS)
)
"""All that was counted of some kinds between two quarters of an hour; takes `params`."""
OTHERS: Final = "others"
"""The label of what users were charged whom a day does not name; in `COUNTED_USERS` alone."""
_USER_DAYS: Final = f"""
SELECT starts_at, 'charged_user', '', '{NO_KEY}'::uuid, "user",
    CASE WHEN is_others THEN '{OTHERS}' ELSE '' END, currency, count, images, micros
FROM gateway_userday
WHERE organization_id = %(organization_id)s AND %(livemode)s
    {_PERIOD.format(since="first_day", until="last_day")} AND {_DAYS_FIT}
"""  # noqa: S608 - made of constants
COUNTED_USERS: Final = "\nUNION ALL\n".join((*_BESIDE_DAYS, _USER_DAYS))
"""What was charged by user alone: `COUNTED` of `charged_user`, without the models and keys of whole
days, and with so many users of each."""


def params(
    *,
    organization_id: UUID,
    livemode: bool,
    kinds: Sequence[str],
    zone: str,
    between: tuple[datetime, datetime],
    days: tuple[datetime, datetime] | None,
) -> dict[str, Any]:
    """Return what `COUNTED` takes.

    Args:
        organization_id: Whose.
        livemode: Of live keys or of test keys.
        kinds: Of `Rollup.Kind`; a fact of `charged` is also one of `charged_user`.
        zone: The time zone of `days`.
        between: The first quarter of an hour, and the one after the last.
        days: When the first whole day within begins, and when the last one ends.
    """
    first, last = between
    first_day, last_day = days or (last, last)
    return {
        "organization_id": organization_id,
        "livemode": livemode,
        "kinds": list(kinds),
        "facts": ["charged" if kind == "charged_user" else kind for kind in kinds],
        "zone": zone,
        "first": first,
        "last": last,
        "first_day": first_day,
        "last_day": last_day,
    }


def quarter_up(instant: datetime) -> datetime:
    """Return the first whole quarter of an hour that does not begin before an instant."""
    down = quarter_down(instant)
    return down if down == instant else down + QUARTER


def quarter_down(instant: datetime) -> datetime:
    """Return the last whole quarter of an hour that does not begin after an instant."""
    utc = instant.astimezone(UTC)
    return utc.replace(minute=utc.minute // 15 * 15, second=0, microsecond=0)
