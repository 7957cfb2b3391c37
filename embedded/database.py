"""Looking at a database of the user's before anything is written to it."""

import psycopg

from embedded.errors import EmbeddedError

_APPS = ["orgs", "billing", "gateway"]
_TABLES = """
    SELECT table_name FROM information_schema.tables
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'
    ORDER BY table_name
"""


def refuse_foreign_database(url: str) -> None:
    """Refuse a database that holds something else than Lienzo.

    Raises:
        EmbeddedError: It has tables but none of our migrations, or it cannot be reached.
    """
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            tables = [row[0] for row in connection.execute(_TABLES).fetchall()]
            if not tables or ("django_migrations" in tables and _is_ours(connection)):
                return
    except psycopg.Error as error:
        reason = str(error).strip()
        raise EmbeddedError(f"DATABASE_URL does not lead to a database: {reason}") from error
    shown = ", ".join(tables[:3])
    raise EmbeddedError(
        f"The database of DATABASE_URL belongs to something else (it has the tables {shown} ...). "
        "Nothing was written. Give Lienzo an empty database of its own, or unset DATABASE_URL."
    )


def _is_ours(connection: psycopg.Connection) -> bool:
    found = connection.execute(
        "SELECT 1 FROM django_migrations WHERE app = ANY(%s) LIMIT 1", (_APPS,)
    )
    return found.fetchone() is not None
