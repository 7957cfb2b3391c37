"""Accepting a generation: quote, authorize and enqueue in one transaction, or attach to one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from billing.money import format_amount, parse_amount
from billing.services.holds import authorize_hold, hold_params
from billing.services.transactions import retrying
from billing.types import UnitQuote
from core.ids import parse_quote_id
from core.queue import send_task
from core.telemetry.spans import span, traceparent
from gateway.errors import (
    ConcurrencyExceededError,
    IdempotencyKeyReusedError,
    MaxCostExceededError,
    QuoteExpiredError,
)
from gateway.models import Generation, IdempotencyKey
from gateway.parameters.canonical import to_canonical
from gateway.parameters.files import SentFile
from gateway.parameters.types import GenerationRequest
from gateway.services.inputs import kept_inputs
from gateway.services.pricebook.losses import usd_rate
from gateway.services.requests.creation import HoldMissing, insert_generation, insert_with_hold
from gateway.services.requests.quotes import (
    current_terms,
    quoted_terms,
    require_model_allowed,
    use_quote,
)
from gateway.services.routing import Plan, plan_routes
from gateway.storage import release_connections
from gateway.types import Connection
from orgs.services.api_keys import Caller

IDEMPOTENCY_TTL = timedelta(hours=24)
MILLION = Decimal(1_000_000)
GENERATE_TASK = "gateway.generate"


@dataclass(frozen=True, slots=True)
class Submission:
    """What identifies a request beside its parameters.

    Attributes:
        generation_id: The request's own UUID, which becomes the generation's if one is created.
        fingerprint: SHA-256 of method, route and canonical input, 32 bytes.
        batch_id: What it was asked for together with others by.
        files: Sent along with it.
    """

    generation_id: UUID
    fingerprint: bytes
    connection: Connection
    idempotency_key: str | None = None
    client_request_id: str = ""
    batch_id: UUID | None = None
    files: Sequence[SentFile] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The generation that will answer, and whether this request created it.

    Attributes:
        deadline_at: Known where this request created it just now.
    """

    generation_id: UUID
    created: bool
    deadline_at: datetime | None = None


def accept_generation(
    *, caller: Caller, request: GenerationRequest, submission: Submission, now: datetime
) -> Accepted:
    """Create a generation with its hold, or attach to the one its `Idempotency-Key` stands for.

    One durable transaction: idempotency row, quote, generation, hold, budgets, balance, in this
    order.
    Nothing is written when it raises. A worker is woken after the commit. Files sent along are
    stored before, and deleted again if no generation comes of them.

    Raises:
        ModelNotAllowedError: The key may not use the model.
        ModelNotPricedError, FxRateStaleError, MaxCostExceededError: No price, or too high a one.
        QuoteMismatchError, QuoteExpiredError: The quote it names cannot be used for it.
        InsufficientBalanceError, BudgetExceededError: The money does not suffice.
        ConcurrencyExceededError: Too many jobs in flight.
        ProviderUnavailableError: No provider of the model is there, or no storage for the files.
        IdempotencyKeyReusedError: The key was used with another request.
    """
    require_model_allowed(caller=caller, request=request)
    try:
        quote = _quote(caller, request, now)
    except QuoteExpiredError:
        # Its user may be the request whose idempotency key this one has.
        found = find_by_idempotency_key(
            organization_id=caller.organization_id, submission=submission, now=now
        )
        if found is None:
            raise
        return found
    plan = plan_routes(
        request=request,
        livemode=caller.livemode,
        is_demo=caller.is_demo,
        allow_substitution=caller.allow_substitution,
        sale_usd=quote.list_unit_micros / MILLION if quote.list_currency == "USD" else None,
        today=now.date(),
    )
    with span("authorize", {"lienzo.model": request.model.id, "lienzo.images": request.n}):
        accepted = _create_with_files(
            partial(_create, caller=caller, request=request, plan=plan, quote=quote, now=now),
            submission=submission,
            caller=caller,
            request=request,
        )
    if accepted is not None:
        wake(plan.steps[0]["queue"])
        return accepted
    attached = find_by_idempotency_key(
        organization_id=caller.organization_id, submission=submission, now=now
    )
    if attached is None:
        # The row that was in the way has just been forgotten by a failure: this request is new.
        return accept_generation(caller=caller, request=request, submission=submission, now=now)
    return attached


def _create_with_files(
    create: Callable[..., Accepted | None],
    *,
    submission: Submission,
    caller: Caller,
    request: GenerationRequest,
) -> Accepted | None:
    """Create the generation with its files in storage; without a generation they go again."""
    with kept_inputs(
        organization_id=caller.organization_id,
        generation_id=submission.generation_id,
        request=request,
        files=submission.files,
    ) as inputs:
        accepted = retrying(
            lambda: create(submission=submission), committed=lambda: _already_created(submission)
        )
        inputs.is_kept = accepted is not None
    return accepted


def find_by_idempotency_key(
    *, organization_id: UUID, submission: Submission, now: datetime
) -> Accepted | None:
    """Return the generation a key stands for, or None if the key is free or there is none.

    Raises:
        IdempotencyKeyReusedError: The key was used with another request.
    """
    if submission.idempotency_key is None:
        return None
    row = IdempotencyKey.objects.filter(
        organization_id=organization_id,
        key=submission.idempotency_key,
        created_at__gt=now - IDEMPOTENCY_TTL,
    ).first()
    if row is None:
        return None
    if bytes(row.fingerprint) != submission.fingerprint:
        raise IdempotencyKeyReusedError(
            "This Idempotency-Key was used before with another request. Use a new key for a new"
            " request."
        )
    return Accepted(row.generation_id, created=False)


def _create(
    *,
    submission: Submission,
    caller: Caller,
    request: GenerationRequest,
    plan: Plan,
    quote: UnitQuote,
    now: datetime,
) -> Accepted | None:
    deadline_at = now + timedelta(seconds=request.model.deadline_s)
    row = _row(submission, caller, request, plan, quote) | {
        "quoted_list_micros": _in_usd(quote.list_unit_micros * request.n, quote.list_currency, now),
        "connection_opened_at": now,
        "created_at": now,
        "deadline_at": deadline_at,
    }
    money: dict[str, Any] = {
        "organization_id": caller.organization_id,
        "api_key_id": caller.api_key_id,
        "reference": str(submission.generation_id),
        "quote": quote,
        "count": request.n,
        "deadline_at": deadline_at,
        "now": now,
    }
    write = partial(
        _write,
        submission=submission,
        caller=caller,
        quote_id=None if request.quote_id is None else parse_quote_id(request.quote_id),
        now=now,
    )
    if not caller.livemode:
        created = write(lambda: insert_generation(row))
    else:
        hold = hold_params(**money, time_zone=caller.time_zone)
        try:
            created = write(lambda: insert_with_hold(row, hold, has_promo=quote.has_promo))
        except HoldMissing:
            # Step by step, which says what did not suffice.
            created = write(lambda: _insert_then_hold(row, money), one_statement=False)
    if not created:
        return None
    return Accepted(submission.generation_id, created=True, deadline_at=deadline_at)


def _row(
    submission: Submission,
    caller: Caller,
    request: GenerationRequest,
    plan: Plan,
    quote: UnitQuote,
) -> dict[str, object]:
    """Return the new generation's columns, its instants apart."""
    return {
        "id": submission.generation_id,
        "organization_id": caller.organization_id,
        "api_key_id": caller.api_key_id,
        "created_by_id": caller.user_id,
        "batch_id": submission.batch_id,
        "livemode": caller.livemode,
        "is_sandboxed": plan.is_sandboxed,
        "model": request.model.id,
        "requested_model": request.requested_model,
        "parameters": to_canonical(request),
        "user": (request.user or "")[:512],
        "client_request_id": submission.client_request_id[:512],
        "dropped_parameters": request.dropped,
        "fingerprint": submission.fingerprint,
        "currency": caller.currency,
        "unit_micros": quote.unit_micros,
        "quoted_micros": quote.unit_micros * request.n,
        "queue": plan.steps[0]["queue"],
        "calls": plan.calls,
        # No artifact names what was sent along.
        "has_stray_objects": bool(request.files),
        "plan": plan.steps,
        "connection_id": submission.connection.id,
        "web_process_id": submission.connection.web_process_id,
        "traceparent": traceparent(),
    }


def _insert_then_hold(row: Mapping[str, object], money: Mapping[str, Any]) -> None:
    insert_generation(row)
    authorize_hold(**money)


def _write(
    insert: Callable[[], None],
    *,
    submission: Submission,
    caller: Caller,
    quote_id: UUID | None,
    now: datetime,
    one_statement: bool = True,
) -> bool:
    """Claim the idempotency key, use the quote up, check the limits and insert.

    False when the key is taken.
    """
    limits = caller.organization_max_concurrent, caller.key_max_concurrent
    alone = submission.idempotency_key is None and quote_id is None and limits == (None, None)
    if one_statement and alone:
        # One statement is a transaction without the round trips of its begin and commit.
        insert()
        return True
    with transaction.atomic(durable=True):
        if not _claim_idempotency_key(caller.organization_id, submission, now):
            return False
        if quote_id is not None:
            use_quote(quote_id=quote_id, generation_id=submission.generation_id, now=now)
        _check_concurrency(caller)
        insert()
    return True


def wake(queue: str) -> None:
    """Tell the workers of a queue that there is committed work; holds no connection meanwhile."""
    release_connections()
    send_task(GENERATE_TASK, f"generate.{queue}", {"queue": queue})


def _already_created(submission: Submission) -> Accepted | None:
    if Generation.objects.filter(id=submission.generation_id).exists():
        return Accepted(submission.generation_id, created=True)
    return None


def _claim_idempotency_key(organization_id: UUID, submission: Submission, now: datetime) -> bool:
    """Insert the row, or take over an expired one; waits for a transaction that holds the key."""
    if submission.idempotency_key is None:
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO gateway_idempotencykey AS held
                (organization_id, key, fingerprint, generation_id, created_at)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (organization_id, key) DO UPDATE
            SET fingerprint = excluded.fingerprint, generation_id = excluded.generation_id,
                created_at = excluded.created_at
            WHERE held.created_at <= %s
            """,
            [
                organization_id,
                submission.idempotency_key,
                submission.fingerprint,
                submission.generation_id,
                now,
                now - IDEMPOTENCY_TTL,
            ],
        )
        return bool(cursor.rowcount == 1)


def _quote(caller: Caller, request: GenerationRequest, now: datetime) -> UnitQuote:
    terms_of = current_terms if request.quote_id is None else quoted_terms
    quote = terms_of(caller=caller, request=request, now=now)
    if request.max_cost is not None:
        amount = quote.unit_micros * request.n
        if amount > parse_amount(str(request.max_cost), caller.currency):
            raise MaxCostExceededError(
                f"The request costs {format_amount(amount, caller.currency)} {caller.currency},"
                f" more than max_cost {request.max_cost}. Nothing was charged.",
                param="max_cost",
            )
    return quote


def _in_usd(amount_micros: int, currency: str, now: datetime) -> int:
    """Return an amount in micros of USD, rounded down; 0 without a rate. No query for USD."""
    rate = usd_rate(currency=currency, now=now)
    return 0 if rate is None else int(amount_micros / rate)


def _check_concurrency(caller: Caller) -> None:
    """Count jobs in flight, one counting transaction at a time per organization."""
    limits = (
        ("organization_id", caller.organization_id, caller.organization_max_concurrent),
        ("api_key_id", caller.api_key_id, caller.key_max_concurrent),
    )
    for column, value, limit in limits:
        if limit is None:
            continue
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(value)])
        running = Generation.objects.filter(
            **{column: value}, status__in=[Generation.Status.QUEUED, Generation.Status.RUNNING]
        ).count()
        if running >= limit:
            owner = "organization" if column == "organization_id" else "API key"
            raise ConcurrencyExceededError(
                f"The {owner} has {running} generations in flight; its limit is {limit}."
                " Retry when one has ended.",
                retry_after_s=1,
            )
