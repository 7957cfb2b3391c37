"""Calls of models, the balance and usage."""

from typing import Final

from gateway.api.reference.headers import LIFECYCLE
from gateway.api.reference.operation import Operation, answer, query
from gateway.api.reference.shapes import Schema, array, integer, ref, text, words
from gateway.errors import (
    InvalidRequestError,
    ModelNotAllowedError,
    ModelNotFoundError,
    NotFoundError,
)
from gateway.parameters.queries import LAST_INSTANT_S
from gateway.parameters.usage import DAY, GROUPS, HOUR, LIMITS

_INSTANT: Final = integer(minimum=0, maximum=LAST_INSTANT_S)


def _pages() -> Schema:
    (days, most_days), (hours, most_hours) = LIMITS[DAY], LIMITS[HOUR]
    return query(
        "limit",
        f"Buckets of a page: {days} of at most {most_days} days,"
        f" or {hours} of at most {most_hours} hours.",
        integer(minimum=1, maximum=max(most_days, most_hours)),
    )


ACCOUNT_OPERATIONS: Final = {
    "ModelsView": {
        "get": Operation(
            id="listModels",
            tag="Models",
            summary="List models",
            description="With limits, routes and your prices.",
            scope="images:read",
            answers={200: answer("The models you may use.", ref("ModelList"))},
        )
    },
    "ModelView": {
        "get": Operation(
            id="getModel",
            tag="Models",
            summary="Look up a model",
            scope="images:read",
            answers={200: answer("The model.", ref("Model"), headers=LIFECYCLE)},
            # The second one where the id cannot be one, such as one with a line break.
            errors=(ModelNotFoundError, NotFoundError, ModelNotAllowedError),
        )
    },
    "BalanceView": {
        "get": Operation(
            id="getBalance",
            tag="Billing",
            summary="Look up the balance",
            scope="billing:read",
            answers={200: answer("The wallet.", ref("Balance"))},
        )
    },
    "UsageView": {
        "get": Operation(
            id="getUsage",
            tag="Billing",
            summary="Report usage",
            description="What was charged to the wallet, by the time of the charge, in whole days"
            " or hours of the organization's time zone.",
            scope="billing:read",
            parameters=(
                query("start_time", "Unix seconds: from then on.", _INSTANT),
                query("end_time", "Unix seconds: before then; now without it.", _INSTANT),
                query("bucket_width", "How long a bucket is.", words((DAY, HOUR), default=DAY)),
                query(
                    "group_by",
                    "With commas between; also sent several times.",
                    array(words(GROUPS)),
                    style="form",
                    explode=False,
                ),
                _pages(),
                query("page", "The `next_page` of the page before.", text(minLength=1)),
                query("format", "The same rows as lines.", words(("json", "csv"), default="json")),
            ),
            answers={
                200: answer(
                    "A page of buckets, or its results as lines.",
                    ref("UsagePage"),
                    headers=("X-Dropped-Params", "X-Next-Page", "Content-Disposition"),
                    more={"text/csv": text()},
                )
            },
            errors=(InvalidRequestError,),
        )
    },
}
