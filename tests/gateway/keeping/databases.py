"""Databases of a test's own on the engines of the run, one empty and one with all tables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
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


@contextmanager
def working_on(name: str) -> Iterator[None]:
    """Let models, services and commands of this process work on a database, with commits."""
    previous = connections["default"]
    settings: dict[str, Any] = {**previous.settings_dict, "NAME": name}
    # Django keeps pools by alias: this connection must not come from the other's.
    options = settings["OPTIONS"].items()
    settings["OPTIONS"] = {key: value for key, value in options if key != "pool"}
    connections["default"] = DatabaseWrapper(settings, "default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = previous
