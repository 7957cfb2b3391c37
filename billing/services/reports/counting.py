"""Counting facts into sums, and making the sums anew: what all sums behind reports share."""

from collections.abc import Sequence

from django.db import connection, transaction


def count_facts(statement: str, *, limit: int, lock: int) -> int:
    """Count the oldest facts, at most `limit`; return how many. One transaction.

    Does nothing while another process counts.

    Args:
        statement: Takes the limit, and returns how many it counted.
        limit: Facts.
        lock: The advisory lock of these sums.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(statement, [limit])
        return int(cursor.fetchone()[0])


def rebuild_sums(statements: Sequence[str], *, lock: int) -> None:
    """Make sums anew from the postings, beside everything else.

    What is posted meanwhile is neither lost nor counted twice: its facts are not in this snapshot
    and stay.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [lock])
    try:
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            # Millions of postings take more than the minute that statements have.
            cursor.execute("SET LOCAL statement_timeout = 0")
            for statement in statements:
                cursor.execute(statement)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])
