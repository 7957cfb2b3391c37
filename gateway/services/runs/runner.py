"""Running a claimed generation: call a provider, check and store the images, settle.

No database connection is held while a provider or S3 is called: each database step below gives its
connection back before the next wait.
"""

import logging
import time
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import cast
from uuid import UUID

import gevent
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from core.clock import now
from core.http.client import shared_client
from core.ids import new_uuid
from gateway.catalog.fit import fit
from gateway.errors import InvalidRequestError
from gateway.models import Attempt, Generation
from gateway.parameters.canonical import from_canonical
from gateway.providers.base import Call, ProviderResult
from gateway.providers.errors import ContentRefused, ProviderError, ProviderTimedOut
from gateway.providers.registry import adapter_for
from gateway.providers.transfer import TransferPermit, transfer_semaphore
from gateway.services.costing import full_cost, reported_cost
from gateway.services.requests.generations import wake
from gateway.services.routing import SANDBOX, Step, endpoint_of, route_of
from gateway.services.runs.attempts import (
    EndedAttempt,
    Outcome,
    end_attempt,
    open_attempt,
    save_upstream_id,
    start_attempt,
)
from gateway.services.runs.claims import holds_claim, requeue
from gateway.services.runs.endings import (
    Delivery,
    expire_generation,
    fail_generation,
    settle_generation,
)
from gateway.services.runs.jobs import Job, Run, insist
from gateway.services.runs.storing import store_images
from gateway.services.runs.verdicts import (
    Again,
    GiveUp,
    NextRoute,
    Situation,
    Verdict,
    judge,
    presumed_cost,
)
from gateway.storage import forbid_open_transaction
from gateway.types import ClaimedWork, Failure, StoredImage

MILLION = Decimal(1_000_000)
VERSION = "0.1.0"
logger = logging.getLogger(__name__)


def run_claim(work: ClaimedWork) -> None:
    """Carry a claimed generation to its end, or give it back for another queue's route.

    Never raises for what a provider, S3 or the database may do: what cannot be ended here is ended
    by the sweeper at the deadline.
    """
    with TransferPermit(transfer_semaphore(settings.TRANSFER_LIMIT)) as permit:
        try:
            _run_routes(_open_run(work, permit))
        except (InterfaceError, OperationalError) as error:
            generation_id = work.claim.generation_id
            logger.warning("run.database_lost generation=%s error=%s", generation_id, error)
        finally:
            connection.close()


def _open_run(work: ClaimedWork, permit: TransferPermit) -> Run:
    return Run(
        claim=work.claim,
        organization_id=work.organization_id,
        is_public=work.is_public,
        request=from_canonical(work.parameters),
        plan=[cast("Step", step) for step in work.plan],
        route_index=work.route_index,
        budget_usd=work.quoted_list_micros / MILLION,
        deadline_at=work.deadline_at,
        deadline=time.monotonic() + (work.deadline_at - now()).total_seconds(),
        permit=permit,
        recovered=work.recoveries > 0,
        spent_usd=work.spent_micros / MILLION,
    )


def _run_routes(run: Run) -> None:
    """Try the routes in order until one ends the generation."""
    while True:
        verdict = _try_route(run)
        run.permit.release()
        match verdict:
            case None:
                return
            case Again(after_s=pause):
                gevent.sleep(pause)
            case GiveUp(failure=failure):
                _fail(run, failure)
                return
            case NextRoute(otherwise=failure):
                if not _next_is_affordable(run):
                    _fail(run, failure)
                    return
                if not _take_next_route(run):
                    return


def _next_is_affordable(run: Run) -> bool:
    """Return whether there is a next route whose call keeps the presumed costs in the quote."""
    if run.route_index + 1 >= len(run.plan):
        return False
    if not run.spent_usd:
        return True
    route = route_of(model=run.request.model, step=run.plan[run.route_index + 1])
    images = min(run.request.n, route.max_n_per_call)
    cost = full_cost(request=run.request, route=route, images=images)
    return run.spent_usd + cost <= run.budget_usd


def _take_next_route(run: Run) -> bool:
    """Move to the next route; False when it belongs to another queue, which now has the job."""
    here = run.step["queue"]
    run.route_index += 1
    run.tries = 0
    if run.step["queue"] == here:
        return True
    given_back = insist(
        run,
        lambda: requeue(
            claim=run.claim, route_index=run.route_index, queue=run.step["queue"], now=now()
        ),
    )
    if given_back:
        wake(run.step["queue"])
    connection.close()
    return False


def _try_route(run: Run) -> Verdict | None:
    """Make one call; None when the generation has ended or is no longer ours."""
    job = _prepare(run)
    if not isinstance(job, Job):
        return job
    try:
        result = _call(job)
        images, adjusted = store_images(job, result)
    except ProviderError as error:
        return _after_failure(job, error)
    _settle(job, result, images, adjusted)
    return None


def _prepare(run: Run) -> Job | Verdict | None:
    route = route_of(model=run.request.model, step=run.step)
    try:
        fitted = fit(run.request, route, run.request.n)
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
    # Only a recovered job has an attempt that is not this run's own.
    left_behind = (
        insist(run, partial(open_attempt, run.claim.generation_id)) if run.recovered else None
    )
    if left_behind is not None and left_behind.upstream_id:
        connection.close()
        return Job(run, left_behind, route, fitted, resumed_id=left_behind.upstream_id)
    attempt_id = new_uuid()
    attempt = insist(
        run,
        lambda: start_attempt(claim=run.claim, step=run.step, attempt_id=attempt_id, now=now()),
    )
    connection.close()
    if attempt is None:
        _expire_if_due(run)
        return None
    run.tries += 1
    return Job(run, attempt, route, fitted)


def _call(job: Job) -> ProviderResult:
    run = job.run
    adapter = adapter_for(run.step["provider"])
    call = Call(
        request=job.fitted.image_request,
        endpoint=endpoint_of(step=run.step),
        http=shared_client(
            allow_private=settings.ALLOW_PRIVATE_UPSTREAMS,
            version=VERSION,
            before_request=forbid_open_transaction,
        ),
        deadline=run.deadline,
        permit=run.permit,
        on_submitted=partial(_submitted, run, job.attempt.id),
        max_image_bytes=settings.IMAGE_MAX_BYTES,
        expected_s=run.request.model.p50_s,
    )
    if job.resumed_id:
        return adapter.resume(call, job.resumed_id)
    return adapter.generate(call)


def _submitted(run: Run, attempt_id: UUID, upstream_id: str) -> None:
    insist(run, partial(save_upstream_id, attempt_id=attempt_id, upstream_id=upstream_id))
    connection.close()


def _settle(job: Job, result: ProviderResult, images: list[StoredImage], adjusted: str) -> None:
    run = job.run
    sandboxed = run.step["queue"] == SANDBOX
    served_by = "sandbox" if sandboxed else (job.route.served_by if job.route.substitute else "")
    outcome = Outcome(
        status=Attempt.Status.SUCCEEDED,
        cost=_actual_cost(job, result),
        upstream_request_id=result.upstream_request_id or "",
    )
    settled = insist(
        run,
        lambda: settle_generation(
            generation_id=run.claim.generation_id,
            claim=run.claim,
            images=images,
            delivery=Delivery(
                served_by=served_by,
                image_adjusted=adjusted,
                usage=result.usage,
                dropped=job.fitted.dropped,
            ),
            ended=EndedAttempt(job.attempt, outcome),
            now=now(),
        ),
    )
    if not settled:
        stray = Generation.objects.filter(id=run.claim.generation_id)
        insist(run, partial(stray.update, has_stray_objects=True))
        late = replace(outcome, status=Attempt.Status.LATE)
        insist(run, lambda: end_attempt(attempt=job.attempt, outcome=late, now=now()))
    connection.close()


def _actual_cost(job: Job, result: ProviderResult) -> Decimal:
    """Price what the provider reports it did; without a report, the price of what was asked."""
    cost = reported_cost(route=job.route, usage=result.usage, billable_units=result.billable_units)
    return job.full_cost if cost is None else cost


def _after_failure(job: Job, error: ProviderError) -> Verdict | None:
    run = job.run
    cost = presumed_cost(error, job.full_cost)
    timed_out = isinstance(error, ProviderTimedOut)
    status = Attempt.Status.FAILED
    if isinstance(error, ContentRefused):
        status = Attempt.Status.REFUSED
    elif timed_out:
        status = Attempt.Status.LATE if error.processed else Attempt.Status.UNKNOWN
    logger.info(
        "attempt.failed generation=%s provider=%s kind=%s status=%s code=%s",
        run.claim.generation_id,
        job.attempt.provider,
        type(error).__name__,
        error.upstream_status,
        error.upstream_code,
    )
    insist(
        run,
        lambda: end_attempt(
            attempt=job.attempt,
            outcome=Outcome(
                status=status,
                cost=cost,
                upstream_request_id=error.upstream_request_id or "",
                error_code=error.upstream_code or type(error).__name__,
                error_message=error.message,
                upstream_status=error.upstream_status,
            ),
            now=now(),
        ),
    )
    connection.close()
    run.spent_usd += cost
    if timed_out and run.remaining_s > 0 and not _still_ours(run):
        return None
    affordable = not cost or run.spent_usd + job.full_cost <= run.budget_usd
    return judge(
        error,
        Situation(tries=run.tries, remaining_s=run.remaining_s, affordable=affordable),
    )


def _still_ours(run: Run) -> bool:
    ours = insist(run, partial(holds_claim, run.claim))
    connection.close()
    return ours


def _fail(run: Run, failure: Failure) -> None:
    insist(
        run,
        lambda: fail_generation(
            generation_id=run.claim.generation_id, failure=failure, claim=run.claim, now=now()
        ),
    )
    connection.close()


def _expire_if_due(run: Run) -> None:
    if run.deadline_at <= now():
        expire_generation(generation_id=run.claim.generation_id, now=now())
    connection.close()
