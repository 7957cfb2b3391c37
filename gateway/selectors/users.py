"""What an organization's users were charged: the dearest of them, and all together.

A day names so many users; of the others it knows the sum. Models and keys are told apart by user in
detail alone, which grows with the number of charges: figures of one model or key read that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.selectors.figures import (
    FILTERED,
    FILTERED_USERS,
    GroupTotals,
    Scope,
    Spend,
    read_scope,
)
from gateway.selectors.rollups import OTHERS

_SUMS: Final = "sum(count)::bigint AS count, sum(images)::bigint AS images,"
_RANKING: Final = f"""{{filtered}}, summed AS (
    SELECT "user", label = '{OTHERS}' AS is_others, {_SUMS} sum(micros)::bigint AS micros
    FROM counted GROUP BY 1, 2
)
SELECT "user", is_others, count, images, micros,
    count(*) FILTER (WHERE NOT is_others) OVER ()
FROM summed ORDER BY is_others DESC, micros DESC, images DESC, "user" LIMIT %(series)s
"""  # noqa: S608 - made of constants
# What is left of a day belongs to all others.
_SERIES: Final = f"""{{filtered}}, named AS (
    SELECT CASE WHEN label = '' AND "user" = ANY(%(names)s) THEN "user" END AS name, counted.*
    FROM counted
)
SELECT name, day, {_SUMS} sum(micros)::bigint FROM named GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class UserRanking:
    """The users of a period, the dearest first.

    Attributes:
        users: Of each what it was charged; an empty group is what had no user.
        more: How many users come after them.
        others: What was charged to users whom their day does not name; None where there are none.
    """

    users: tuple[GroupTotals, ...]
    more: int
    others: GroupTotals | None


def rank_users(scope: Scope, *, most: int) -> UserRanking:
    """Return the users that were charged most, at most so many. One query."""
    rows = list(
        read_scope(_of(_RANKING, scope), scope, ["charged_user"], series=most + 1, day_at=None)
    )
    named = [GroupTotals(row[0], *row[2:5]) for row in rows if not row[1]][:most]
    others = [GroupTotals(row[0], *row[2:5]) for row in rows if row[1]]
    return UserRanking(
        users=tuple(named),
        more=rows[0][5] - len(named) if rows else 0,
        others=others[0] if others else None,
    )


def user_spend(scope: Scope, *, users: Sequence[str]) -> list[Spend]:
    """Return what was charged by day to each of some users, and to all others as one. One query."""
    rows = read_scope(_of(_SERIES, scope), scope, ["charged_user"], names=users, day_at=1)
    return [Spend(*row) for row in rows]


def _of(statement: str, scope: Scope) -> str:
    is_whole = scope.model is None and scope.api_key_id is None
    return statement.format(filtered=FILTERED_USERS if is_whole else FILTERED)
