"""Running a claimed generation: its routes in order, on each as many calls as the images need."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import cast

import gevent
from django.db import InterfaceError, OperationalError, connection

from core.clock import now
from core.telemetry import context
from core.telemetry.spans import span
from gateway.catalog.fit import fit
from gateway.catalog.types import Route
from gateway.errors import InvalidRequestError
from gateway.metrics import STAGE_DURATION
from gateway.models import Attempt, Generation
from gateway.parameters.canonical import from_canonical
from gateway.services.breakers import Admission, State
from gateway.services.costing import full_cost
from gateway.services.requests.generations import wake
from gateway.services.routing import Step, route_of
from gateway.services.runs.attempts import EndedAttempt, attempts_of, end_attempt
from gateway.services.runs.calls import Done, Ending, Lost, ask_breaker, make_images
from gateway.services.runs.claims import requeue
from gateway.services.runs.endings import fail_generation, settle_generation
from gateway.services.runs.history import History, read_history
from gateway.services.runs.jobs import Purse, Run, insist, priced_route
from gateway.services.runs.progress import Progress
from gateway.services.runs.verdicts import GiveUp, NextRoute
from gateway.types import ClaimedWork, Failure

MILLION = Decimal(1_000_000)
logger = logging.getLogger(__name__)


def run_claim(work: ClaimedWork) -> None:
    """Carry a claimed generation to its end, or give it back for another queue's route.

    Never raises for what a provider, S3 or the database may do: what cannot be ended here is ended
    by the sweeper at the deadline.
    """
    try:
        run, left_behind = _open_run(work)
        _run_routes(run, left_behind)
    except (InterfaceError, OperationalError) as error:
        generation_id = work.claim.generation_id
        logger.warning("run.database_lost generation=%s error=%s", generation_id, error)
    finally:
        connection.close()


def _open_run(work: ClaimedWork) -> tuple[Run, list[Attempt]]:
    """Return the run, and what a dead worker left of it; only a second claim has a past."""
    request = from_canonical(work.parameters)
    run = Run(
        claim=work.claim,
        organization_id=work.organization_id,
        is_public=work.is_public,
        request=request,
        plan=[cast("Step", step) for step in work.plan],
        route_index=work.route_index,
        deadline_at=work.deadline_at,
        deadline=time.monotonic() + (work.deadline_at - now()).total_seconds(),
        purse=Purse(limit=work.quoted_list_micros / MILLION),
        progress=Progress(request.n),
    )
    if not work.recoveries and not work.route_index:
        waited_s = (now() - work.created_at).total_seconds()
        STAGE_DURATION.labels("queued", run.queue).observe(max(0.0, waited_s))
        return run, []
    past = insist(run, partial(_read_past, work, request.n))
    connection.close()
    run.progress = past.progress
    run.purse.spent, run.purse.lost = past.spent, past.lost
    run.attempts = past.attempts
    return run, past.left_behind


def _read_past(work: ClaimedWork, n: int) -> History:
    generation_id = work.claim.generation_id
    created_at = Generation.objects.values_list("created_at", flat=True).get(id=generation_id)
    return read_history(
        attempts_of(generation_id),
        n=n,
        created_at=created_at,
        deadline_at=work.deadline_at,
        now=now(),
    )


def _run_routes(run: Run, left_behind: Sequence[Attempt]) -> None:
    """Try the routes in order until no image is missing, then end the generation."""
    while run.progress.missing:
        failures: dict[int, Failure] = {}
        for indexes, ending in _try_route(run, left_behind):
            match ending:
                case Lost():
                    return
                case Done(made=made, outcome=outcome):
                    run.progress.add(made, indexes)
                    if outcome.made is None:
                        _settle(run, EndedAttempt(ending.job.attempt, outcome))
                        return
                case NextRoute(otherwise=failure):
                    failures |= dict.fromkeys(indexes, failure)
                case GiveUp(failure=failure):
                    run.progress.give_up(indexes, failure)
        left_behind = ()
        if failures and not _take_next_route(run, failures):
            return
    if run.progress.stored:
        _settle(run, None)
    else:
        _fail(run, run.progress.failure)


def _try_route(run: Run, left_behind: Sequence[Attempt]) -> list[tuple[Sequence[int], Ending]]:
    """Make all the calls that the missing images need, at once; return how each ended."""
    groups: list[tuple[Sequence[int], Attempt | None]]
    groups = [(attempt.indexes, attempt) for attempt in left_behind]
    collected = {index for indexes, _ in groups for index in indexes}
    rest = [index for index in run.progress.missing if index not in collected]
    route = route_of(model=run.request.model, step=run.step)
    groups += [(indexes, None) for indexes in _calls(rest, route)]
    # A dead worker's jobs are paid for: no breaker keeps from collecting them.
    admission = Admission(State.CLOSED) if left_behind else ask_breaker(run)
    if len(groups) == 1:
        indexes, attempt = groups[0]
        alone = not run.progress.stored
        ending = make_images(run, indexes, left_behind=attempt, admission=admission, alone=alone)
        return [(indexes, ending)]
    return _make_at_once(run, groups, admission)


def _make_at_once(
    run: Run, groups: list[tuple[Sequence[int], Attempt | None]], admission: Admission
) -> list[tuple[Sequence[int], Ending]]:
    """Make several calls; where the first is a probe, the others wait for how it ends."""
    endings: list[tuple[Sequence[int], Ending]] = []
    if admission.state is not State.CLOSED:
        indexes, _ = groups.pop(0)
        first = _make_apart(run, indexes, left_behind=None, admission=admission)
        endings.append((indexes, first))
        if not isinstance(first, Done):
            return endings + [(indexes, first) for indexes, _ in groups]
    greenlets = [
        gevent.spawn(
            context.carry(_make_apart),
            run,
            indexes,
            left_behind=attempt,
            admission=Admission(State.CLOSED),
        )
        for indexes, attempt in groups
    ]
    gevent.joinall(greenlets)
    return endings + [
        (indexes, greenlet.get()) for (indexes, _), greenlet in zip(groups, greenlets, strict=True)
    ]


def _make_apart(
    run: Run, indexes: Sequence[int], *, left_behind: Attempt | None, admission: Admission
) -> Ending:
    """Make one of several calls; the greenlet has a database connection of its own."""
    try:
        return make_images(run, indexes, left_behind=left_behind, admission=admission, alone=False)
    finally:
        connection.close()


def _calls(indexes: Sequence[int], route: Route) -> list[Sequence[int]]:
    """Divide images among calls of a route."""
    size = route.max_n_per_call
    return [indexes[start : start + size] for start in range(0, len(indexes), size)]


def _take_next_route(run: Run, failures: Mapping[int, Failure]) -> bool:
    """Move the images that failed to the next route that can and may make them.

    Images that no route is left for, or whose calls could push the presumed costs over the quote,
    are given up.

    Returns:
        False when the route belongs to another queue, which now has the generation.
    """
    here = run.step["queue"]
    calls = _next_calls(run, list(failures))
    kept = {index for indexes in calls for index in indexes}
    for index, failure in failures.items():
        if index not in kept:
            run.progress.give_up([index], failure)
    if not calls or run.step["queue"] == here:
        return True
    given_back = insist(
        run,
        lambda: requeue(
            claim=run.claim,
            route_index=run.route_index,
            queue=run.step["queue"],
            calls=len(calls),
            now=now(),
        ),
    )
    if given_back:
        wake(run.step["queue"])
    connection.close()
    return False


def _next_calls(run: Run, indexes: Sequence[int]) -> list[Sequence[int]]:
    """Move to the next route that takes the request; return the calls that may be made there."""
    for number in range(run.route_index + 1, len(run.plan)):
        route = priced_route(run, run.plan[number])
        try:
            fit(run.request, route, 1)
        except InvalidRequestError:
            continue
        run.route_index = number
        affordable = []
        cost = Decimal(0)
        for call in _calls(indexes, route):
            cost += full_cost(request=run.request, route=route, images=len(call))
            if run.purse.affords(cost):
                affordable.append(call)
        return affordable
    return []


def _settle(run: Run, ended: EndedAttempt | None) -> None:
    progress = run.progress
    with span("settle"):
        settled = insist(
            run,
            lambda: settle_generation(
                generation_id=run.claim.generation_id,
                queue=run.queue,
                claim=run.claim,
                images=progress.images,
                delivery=progress.delivery(),
                now=now(),
                ended=ended,
            ),
        )
    if not settled:
        stray = Generation.objects.filter(id=run.claim.generation_id)
        insist(run, partial(stray.update, has_stray_objects=True))
        if ended is not None:
            late = replace(ended.outcome, status=Attempt.Status.LATE)
            insist(run, lambda: end_attempt(attempt=ended.attempt, outcome=late, now=now()))
    connection.close()


def _fail(run: Run, failure: Failure) -> None:
    with span("fail", {"error.type": failure.code}):
        insist(
            run,
            lambda: fail_generation(
                generation_id=run.claim.generation_id, failure=failure, claim=run.claim, now=now()
            ),
        )
    connection.close()
