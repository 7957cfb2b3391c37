"""The queries that runbooks show fit the tables as they are."""

import pytest
from django.db import DatabaseError, connection, transaction

from tests.architecture.tree import ROOT
from tests.documentation.commands import PAGES, commands_of, is_run


@pytest.mark.django_db
def test_queries_of_the_documentation_fit_the_tables():
    queries = [
        (f"{page.relative_to(ROOT)}:{block.line}", statement)
        for page in PAGES
        for block in commands_of(page)
        if block.language == "sql" and is_run(block)
        for statement in block.code.split(";")
        if statement.strip()
    ]

    assert [found for found in (_problem_of(*query) for query in queries) if found] == []
    assert _problem_of("here", "SELECT nothing FROM gateway_generation")


def _problem_of(place: str, statement: str) -> str | None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement}")
    except DatabaseError as error:
        return f"{place}: {error}"
    return None
