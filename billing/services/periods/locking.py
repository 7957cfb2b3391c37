"""Who may book in a month, and who closes it; the triggers of the journal take the same locks."""

from datetime import date

from django.db import OperationalError, connection

from billing.errors import PeriodClosedError, PeriodNotReadyError


def keep_open(month: date) -> None:
    """Keep a month open until the caller's transaction ends. Never waits.

    Raises:
        PeriodClosedError: It is closed, or is being closed.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_keep_open(%s)", [month])
        if cursor.fetchone() == (False,):
            raise PeriodClosedError(f"{month:%Y-%m} is closed.")


def lock_month(month: date) -> None:
    """Wait for what is being booked in a month; nothing more is, until the transaction ends.

    Raises:
        PeriodNotReadyError: A booking took longer than 10 seconds.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', '10s', true)")
            cursor.execute("SELECT billing_lock_month(%s)", [month])
    except OperationalError as error:
        if "lock timeout" not in str(error):
            raise
        raise PeriodNotReadyError(
            f"Something is still being booked in {month:%Y-%m}. Try again in a minute."
        ) from error
