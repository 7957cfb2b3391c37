"""Days that money came or went, as people of finance write them."""

from datetime import UTC, date, datetime
from typing import Final

from orgs.errors import InvalidInputError

# The euro and the ECB's reference rates begin here; an earlier year is a slip, such as 0026, that
# would make its month the first one to close.
EARLIEST_DAY: Final = date(1999, 1, 1)


def check_day(day: date, *, param: str, now: datetime) -> None:
    """Refuse a day of UTC that is still to come, or before 1999.

    Raises:
        InvalidInputError: It is one.
    """
    if day > now.astimezone(UTC).date():
        raise InvalidInputError("This day is in the future.", param=param)
    if day < EARLIEST_DAY:
        raise InvalidInputError("This day is too long ago: look at the year.", param=param)
