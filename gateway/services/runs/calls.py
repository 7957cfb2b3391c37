"""One upstream call of a run, and its repetitions: record, call, store, record the end.

No database connection is held while a provider or S3 is called: each database step gives its
connection back before the next wait.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

import gevent
from django.conf import settings
from django.db import connection

from core.clock import now
from core.http.client import shared_client
from core.telemetry import context
from gateway.catalog.fit import fit
from gateway.catalog.types import Route
from gateway.errors import InvalidRequestError, ProviderUnavailableError
from gateway.metrics import STAGE_DURATION
from gateway.models import Attempt
from gateway.parameters.generation import MAX_SEED
from gateway.providers.base import Call, ImageRequest, ProviderResult
from gateway.providers.errors import (
    ContentRefused,
    ModelForbidden,
    ProviderError,
    ProviderTimedOut,
)
from gateway.providers.registry import adapter_for
from gateway.providers.transfer import TransferPermit, transfer_semaphore
from gateway.services.breakers import (
    Admission,
    Probe,
    State,
    admit,
    give_back_probe,
    record_failure,
    record_success,
)
from gateway.services.costing import actual_cost, full_cost, partials_of
from gateway.services.inputs import input_images
from gateway.services.routing import SANDBOX, endpoint_of, sandbox_targets
from gateway.services.runs.attempts import (
    Outcome,
    end_attempt,
    new_attempt,
    save_upstream_id,
    start_attempt,
)
from gateway.services.runs.claims import holds_claim
from gateway.services.runs.endings import expire_generation
from gateway.services.runs.jobs import SETTLE_MARGIN_S, Job, Run, insist, priced_route
from gateway.services.runs.observing import call_span, note_result
from gateway.services.runs.partials import keep_partial
from gateway.services.runs.progress import Made
from gateway.services.runs.storing import store_images
from gateway.services.runs.verdicts import (
    Again,
    GiveUp,
    NextRoute,
    Situation,
    Verdict,
    closed_until,
    judge,
    presumed_cost,
)
from gateway.storage import forbid_open_transaction
from gateway.types import Failure

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lost:
    """The generation has ended, or belongs to another worker now."""


@dataclass(frozen=True, slots=True)
class Done:
    """A call that gave images, which are stored.

    Attributes:
        outcome: How its attempt ends; written already, unless the call was the only one.
    """

    job: Job
    made: Made
    outcome: Outcome


Ending = Done | NextRoute | GiveUp | Lost


def make_images(
    run: Run,
    indexes: Sequence[int],
    *,
    left_behind: Attempt | None,
    admission: Admission,
    alone: bool,
) -> Ending:
    """Have images made on the run's present route, by one call and what may be repeated of it.

    Args:
        run: The run; its purse and numbers are shared with calls at the same time.
        indexes: The images to make, at most what one call of the route takes.
        left_behind: A dead worker's attempt at them, whose upstream job is collected first.
        admission: What the provider's breaker says to the first call.
        alone: Whether this is the generation's only call: then its attempt ends in the transaction
            that settles the generation, and is left open here.
    """
    tries = 0
    with TransferPermit(transfer_semaphore(settings.TRANSFER_LIMIT)) as permit:
        while True:
            if admission.state is State.OPEN:
                return NextRoute(otherwise=closed_until(admission.retry_at))
            job = _prepare(run, indexes, permit, left_behind, admission.probe, alone=alone)
            if not isinstance(job, Job):
                _give_back(run, admission)
                return job
            left_behind = None
            tries += 1
            attempt = job.attempt
            with context.working_on(attempt_id=attempt.id, provider=attempt.provider):
                ending = _make_once(job, tries, alone=alone)
            permit.release()
            if not isinstance(ending, Again):
                return ending
            gevent.sleep(ending.after_s)
            admission = ask_breaker(run)


def ask_breaker(run: Run) -> Admission:
    """Return whether the provider of the present route may be called."""
    if run.step["queue"] == SANDBOX:
        return Admission(State.CLOSED)
    admission = insist(run, lambda: admit(provider=run.step["provider"], now=now()))
    connection.close()
    return admission


def _give_back(run: Run, admission: Admission) -> None:
    """Leave a probe that was not made to somebody else."""
    probe = admission.probe
    if probe is not None:
        insist(run, lambda: give_back_probe(provider=run.step["provider"], probe=probe, now=now()))
        connection.close()


def _prepare(
    run: Run,
    indexes: Sequence[int],
    permit: TransferPermit,
    left_behind: Attempt | None,
    probe: Probe | None,
    *,
    alone: bool,
) -> Job | NextRoute | GiveUp | Lost:
    """Record an attempt, or take over the one left behind."""
    route = priced_route(run, run.step)
    try:
        endpoint = endpoint_of(step=run.step)
        fitted = fit(run.request, route, len(indexes))
    except ProviderUnavailableError:
        return NextRoute(otherwise=closed_until(None))
    except InvalidRequestError as error:
        return GiveUp(
            Failure(
                code=error.code,
                category=error.category,
                message=error.message,
                retryable=False,
                param=error.param,
            )
        )
    partials = _partials(run, route, images=len(indexes))
    image_request = replace(_own_seed(fitted.image_request, indexes[0]), partial_images=partials)
    fitted = replace(fitted, image_request=image_request)
    attempt = left_behind or new_attempt(
        claim=run.claim, step=run.step, number=run.next_number(), indexes=indexes, now=now()
    )
    job = Job(
        run=run,
        attempt=attempt,
        route=route,
        endpoint=endpoint,
        fitted=fitted,
        indexes=tuple(indexes),
        permit=permit,
        full_cost=full_cost(
            request=run.request, route=route, images=len(indexes), partials=partials
        ),
        deadline=_deadline(run, alone=alone),
        resumed_id="" if left_behind is None else left_behind.upstream_id,
        probe=probe,
    )
    if left_behind is None:
        started = insist(run, partial(start_attempt, attempt))
        connection.close()
        if not started:
            _expire_if_due(run)
            return Lost()
    run.purse.reserve(job.full_cost)
    return job


def _partials(run: Run, route: Route, *, images: int) -> int:
    """Return how many partial images a call may ask for, beside what the attempts have cost."""
    partials = partials_of(
        request=run.request,
        route=route,
        sale_usd=run.purse.limit,
        is_free=run.step["queue"] == SANDBOX,
    )
    cost = partial(full_cost, request=run.request, route=route, images=images)
    while partials and not run.purse.affords(cost(partials=partials)):
        partials -= 1
    return partials


def _own_seed(request: ImageRequest, first: int) -> ImageRequest:
    """Give each call a seed of its own, else calls at the same time would draw the same image."""
    if request.seed is None or not first:
        return request
    return replace(request, seed=(request.seed + first) % (MAX_SEED + 1))


def _deadline(run: Run, *, alone: bool) -> float:
    deadline = run.deadline if alone else run.deadline - SETTLE_MARGIN_S
    allowed_s: int = settings.PROVIDER_TIMEOUTS.get(run.step["queue"], 0)
    return min(deadline, time.monotonic() + allowed_s) if allowed_s else deadline


def _make_once(job: Job, tries: int, *, alone: bool) -> Done | Verdict | Lost:
    try:
        with STAGE_DURATION.labels("call", job.run.queue).time(), call_span(job) as present:
            result = _call(job)
            note_result(present, result)
        received_at = now()
        made = store_images(job, result)
    except ProviderError as error:
        return _after_failure(job, error, tries)
    cost = actual_cost(
        route=job.route,
        full=job.full_cost,
        usage=result.usage,
        billable_units=result.billable_units,
    )
    job.run.purse.book(job.full_cost, cost=cost)
    outcome = Outcome(
        status=Attempt.Status.SUCCEEDED,
        cost=cost,
        upstream_request_id=result.upstream_request_id or "",
        moderated=made.moderated,
        made=None if alone else made,
        received_at=received_at,
    )
    if not alone:
        _end(job, outcome)
    if job.probe is not None:
        _record_success(job)
    return Done(job, made, outcome)


def _call(job: Job) -> ProviderResult:
    run = job.run
    adapter = adapter_for(job.attempt.provider)
    inputs, mask = input_images(
        organization_id=run.organization_id,
        generation_id=run.claim.generation_id,
        request=run.request,
    )
    call = Call(
        request=replace(job.fitted.image_request, inputs=inputs, mask=mask),
        endpoint=job.endpoint,
        http=shared_client(
            allow_private=settings.ALLOW_PRIVATE_UPSTREAMS,
            version=settings.VERSION,
            before_request=forbid_open_transaction,
            exempt=sandbox_targets(),
        ),
        deadline=job.deadline,
        permit=job.permit,
        on_submitted=partial(_submitted, run, job.attempt.id),
        max_image_bytes=settings.IMAGE_MAX_BYTES,
        expected_s=run.request.model.p50_s,
        on_partial=partial(keep_partial, run),
    )
    if job.resumed_id:
        return adapter.resume(call, job.resumed_id)
    return adapter.generate(call)


def _submitted(run: Run, attempt_id: UUID, upstream_id: str) -> None:
    insist(run, partial(save_upstream_id, attempt_id=attempt_id, upstream_id=upstream_id))
    connection.close()


def _after_failure(job: Job, error: ProviderError, tries: int) -> Verdict | Lost:
    run = job.run
    cost = presumed_cost(error, job.full_cost)
    run.purse.book(job.full_cost, cost=cost, lost=True)
    timed_out = isinstance(error, ProviderTimedOut)
    status = Attempt.Status.FAILED
    if isinstance(error, ContentRefused):
        status = Attempt.Status.REFUSED
    elif timed_out:
        status = Attempt.Status.LATE if error.processed else Attempt.Status.UNKNOWN
    logger.log(
        # Nothing else tells an operator of this one: no breaker opens.
        logging.ERROR if isinstance(error, ModelForbidden) else logging.INFO,
        "attempt.failed generation=%s provider=%s model=%s kind=%s status=%s code=%s",
        run.claim.generation_id,
        job.attempt.provider,
        job.attempt.upstream_model,
        type(error).__name__,
        error.upstream_status,
        error.loggable_code,
    )
    _end(
        job,
        Outcome(
            status=status,
            cost=cost,
            upstream_request_id=error.upstream_request_id or "",
            error_code=error.upstream_code or type(error).__name__,
            error_message=error.message,
            upstream_status=error.upstream_status,
            moderated=job.indexes if isinstance(error, ContentRefused) else (),
        ),
    )
    _record_failure(job, error)
    if timed_out and run.remaining_s > 0 and not _still_ours(run):
        return Lost()
    # Repeated without partial images, if those are too dear by then.
    plain_cost = full_cost(request=run.request, route=job.route, images=len(job.indexes))
    return judge(
        error,
        Situation(
            tries=tries,
            remaining_s=run.remaining_s,
            affordable=run.purse.affords(plain_cost),
        ),
    )


def _record_success(job: Job) -> None:
    insist(
        job.run,
        lambda: record_success(provider=job.attempt.provider, probe=job.probe, now=now()),
    )
    connection.close()


def _record_failure(job: Job, error: ProviderError) -> None:
    if job.attempt.is_sandboxed:
        return
    insist(
        job.run,
        lambda: record_failure(
            provider=job.attempt.provider,
            attempt_id=job.attempt.id,
            kind=type(error),
            probe=job.probe,
            now=now(),
        ),
    )
    connection.close()


def _end(job: Job, outcome: Outcome) -> None:
    insist(job.run, lambda: end_attempt(attempt=job.attempt, outcome=outcome, now=now()))
    connection.close()


def _still_ours(run: Run) -> bool:
    ours = insist(run, partial(holds_claim, run.claim))
    connection.close()
    return ours


def _expire_if_due(run: Run) -> None:
    if run.deadline_at <= now():
        expire_generation(generation_id=run.claim.generation_id, now=now())
    connection.close()
