"""Money of an organization, and the state of the server."""

from typing import Final

from gateway.api.reference.shapes import (
    Schema,
    amount,
    array,
    boolean,
    constant,
    currency,
    instant,
    integer,
    nullable,
    record,
    ref,
    text,
    words,
)

ACCOUNT_SCHEMAS: Final[dict[str, Schema]] = {
    "Balance": record(
        "The wallet, and promotional credit.",
        {
            "object": constant("balance"),
            "currency": currency(),
            "available": amount("What new generations may cost, promotional credit included."),
            "held": amount("What is set aside for generations in flight."),
            "promotional_credit": ref("PromotionalCredit"),
        },
        optional=("promotional_credit",),
    ),
    "PromotionalCredit": record(
        "What is spent before the wallet, while there is any.",
        {
            "available": amount("How much of what is available it is."),
            "grants": array(ref("Grant"), "In the order in which they are spent."),
        },
    ),
    "Grant": record(
        "Promotional credit that expires together.",
        {
            "available": amount("What is left to spend of it."),
            "expires_at": instant("When what is left expires."),
        },
    ),
    "UsagePage": record(
        "A page of buckets.",
        {
            "object": constant("page"),
            "data": array(ref("UsageBucket")),
            "has_more": boolean(),
            "next_page": nullable(text("`page` for the next one.")),
        },
    ),
    "UsageBucket": record(
        "A day or an hour of the organization's time zone.",
        {
            "object": constant("bucket"),
            "start_time": instant("Its beginning."),
            "end_time": instant("Its end, which is no longer in it."),
            "results": array(ref("UsageResult"), "None without charges."),
        },
    ),
    "UsageResult": record(
        "What was charged to one group.",
        {
            "object": constant("usage.result"),
            "model": nullable(text("Null unless grouped by.")),
            "api_key_id": nullable(text("Null unless grouped by.", format="uuid")),
            "user": nullable(text("Null unless grouped by.")),
            "images": integer(),
            "requests": integer("Generations that delivered the images."),
            "amount": amount("What was charged."),
            "currency": currency(),
        },
    ),
    "Health": record(
        "The state of the server.",
        {
            "status": words(("ok", "unavailable")),
            "database": words(("unreachable", "no prices"), "What is amiss."),
        },
        optional=("database",),
    ),
}
