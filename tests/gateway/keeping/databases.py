"""Databases of a test's own on the engines of the run, one empty and one with all tables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

from tests.templates import create_database


@contextmanager
def new_database(*, is_empty: bool) -> Iterator[str]:
    """Make a database, and drop it at the end."""
    name = f"keeping_{uuid4().hex}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
        if is_empty:
            session.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        else:
            create_database(name, os.environ)
        try:
            yield name
        finally:
            session.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
