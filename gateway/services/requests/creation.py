"""Writing a new generation, in one statement with its hold.

The statement replaces a transaction of four with its begin and commit: two thirds of what
Postgres and this process spent on it were round trips.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from django.db import DataError, connection
from psycopg.errors import DivisionByZero

from billing.services.hold_sql import AUTHORIZE_CTES, PROMO_AUTHORIZE_CTES

_GIVEN: Final = (
    "id",
    "organization_id",
    "api_key_id",
    "created_by_id",
    "batch_id",
    "livemode",
    "is_sandboxed",
    "model",
    "requested_model",
    "parameters",
    "user",
    "client_request_id",
    "dropped_parameters",
    "fingerprint",
    "currency",
    "unit_micros",
    "quoted_micros",
    "quoted_list_micros",
    "queue",
    "calls",
    "plan",
    "connection_id",
    "connection_opened_at",
    "web_process_id",
    "created_at",
    "deadline_at",
    "has_stray_objects",
    "traceparent",
)
_FIXED: Final = {
    "status": "'queued'",
    "charged_micros": "0",
    "route_index": "0",
    "recoveries": "0",
    "served_by": "''",
    "image_adjusted": "''",
}
_JSON: Final = ("parameters", "dropped_parameters", "plan")
# A parameter's name is its column's with a prefix: the hold has columns of the same names.
_INSERT: Final = f"""
INSERT INTO gateway_generation ({", ".join(f'"{name}"' for name in (*_GIVEN, *_FIXED))})
VALUES ({", ".join((*(f"%(new_{name})s" for name in _GIVEN), *_FIXED.values()))})
"""  # noqa: S608 - made of constants
# Without a hold nothing may stay: the division by zero undoes the statement.
_INSERT_WITH_HOLD: Final = {
    has_promo: f"""
WITH generation AS ({_INSERT} RETURNING id),
{authorize.format(after="generation")}
SELECT 1 / count(*) FROM hold
"""  # noqa: S608 - made of constants
    for has_promo, authorize in ((False, AUTHORIZE_CTES), (True, PROMO_AUTHORIZE_CTES))
}


class HoldMissing(Exception):  # noqa: N818 - caught by the caller, never an answer
    """The hold could not be authorized at once, and nothing was written."""


def insert_generation(row: Mapping[str, object]) -> None:
    """Insert a generation without a hold: a test key's, or one whose hold follows."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, _params(row))


def insert_with_hold(
    row: Mapping[str, object], hold: Mapping[str, Any], *, has_promo: bool
) -> None:
    """Insert a generation and its hold, and reserve the money, in one statement.

    Locks in the order generation, key budget, organization budget, grants, balances.

    Args:
        row: A value for each given column.
        hold: What `billing.services.holds.hold_params` returned.
        has_promo: Whether promotional credit may pay; without it, any that is there refuses.

    Raises:
        HoldMissing: A budget or the balance does not cover it, a budget is not open yet, or there
            is promotional credit after all. The transaction, if there is one, must be rolled back.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT_WITH_HOLD[has_promo], {**_params(row), **hold})
    except DataError as error:
        if isinstance(error.__cause__, DivisionByZero):
            raise HoldMissing from error
        raise


def _params(row: Mapping[str, object]) -> dict[str, Any]:
    params: dict[str, Any] = {f"new_{name}": row[name] for name in _GIVEN}
    for name in _JSON:
        params[f"new_{name}"] = orjson.dumps(row[name]).decode()
    return params
