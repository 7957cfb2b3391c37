"""Generating for somebody in the console, and running a generation again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from core.errors import AppError
from core.ids import new_uuid
from core.telemetry import context
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.models import Generation
from gateway.parameters.canonical import from_canonical, to_canonical
from gateway.parameters.files import SentFile
from gateway.parameters.generation import NONE, Attachments, parse_generation
from gateway.parameters.types import GenerationRequest
from gateway.selectors.generations import get_generation
from gateway.services.inputs import reopened_inputs
from gateway.services.playground.callers import console_caller
from gateway.services.requests.adoption import mark_answered
from gateway.services.requests.generations import Accepted, Submission, accept_generation
from gateway.services.requests.limits import IMAGES, REQUESTS, spend
from gateway.storage import ObjectStream, partial_key, private_storage, release_connections
from gateway.types import Connection, GenerationView
from orgs.services.api_keys import Caller, require_active

MAX_MODELS: Final = 4
# Whoever looks at the page has the images' addresses; base64 would only be read again.
_FIXED: Final = {"response_format": "url"}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one model's request: a generation that was accepted, or why it was not."""

    model: str
    generation_id: UUID | None = None
    error: AppError | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What was asked for together, one result for each model in their order."""

    id: UUID
    results: tuple[Result, ...]


def generate_in_console(
    *,
    caller: Caller,
    body: Mapping[str, object],
    models: Sequence[str],
    submission_key: str,
    now: datetime,
) -> Batch:
    """Ask each of some models for the same images; one that is refused does not stop the others.

    Each is a request like the API's, with its own validation, limits, quote, hold and budgets.

    Args:
        caller: From `console_caller`.
        body: As of `POST /v1/images/generations`, without `model`.
        models: Ids, at most `MAX_MODELS`.
        submission_key: Of the form that was sent: sent twice, it is one batch and paid once.
        now: When it is asked for.

    Raises:
        OrganizationSuspendedError: It is suspended.
        InvalidRequestError: No model, or too many.
    """
    require_models(caller=caller, models=models)
    return ask_each(caller=caller, body=body, models=models, submission_key=submission_key, now=now)


def require_models(*, caller: Caller, models: Sequence[str]) -> None:
    """Refuse what no model could be asked for.

    Raises:
        OrganizationSuspendedError: It is suspended.
        InvalidRequestError: No model, or too many.
    """
    require_active(caller=caller)
    if not 0 < len(set(models)) <= MAX_MODELS:
        raise InvalidRequestError(f"Choose 1 to {MAX_MODELS} models.", param="model")


def ask_each(
    *,
    caller: Caller,
    body: Mapping[str, object],
    models: Sequence[str],
    submission_key: str,
    now: datetime,
    attachments: Attachments = NONE,
    files: Sequence[SentFile] = (),
) -> Batch:
    """Ask each model as `generate_in_console` does, of checked files if there are any."""
    batch_id = _uuid_of(caller, submission_key)
    results = []
    for model in dict.fromkeys(models):
        sent = {**body, **_FIXED, "model": model}
        key = f"{submission_key}/{model}"
        try:
            request = parse_generation(sent, default_model=None, attachments=attachments)
            accepted = _accept(caller, request, batch_id, key, now, files)
        except AppError as error:
            results.append(Result(model, error=error))
        else:
            results.append(Result(model, accepted.generation_id))
    return Batch(batch_id, tuple(results))


def run_again(
    *,
    organization_id: UUID,
    generation_id: UUID,
    user_id: UUID,
    submission_key: str,
    now: datetime,
) -> UUID:
    """Ask for a generation's images anew, at today's price, as somebody in the console.

    Its parameters are the ones it had; what it was quoted at and its limit of costs are not taken
    over. Return the new generation's id.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization.
        InvalidRequestError: Its prompt, or what was sent along with it, is no longer kept.
        AppError: As `accept_generation`.
    """
    view = get_generation(
        organization_id=organization_id, generation_id=generation_id, with_attempts=False
    )
    if "prompt" not in view.parameters:
        raise InvalidRequestError("Its prompt is no longer kept, so that it cannot be run again.")
    caller = console_caller(
        organization_id=organization_id, user_id=user_id, livemode=view.livemode
    )
    require_active(caller=caller)
    request = replace(
        from_canonical(view.parameters), max_cost=None, quote_id=None, response_format="url"
    )
    key = f"{submission_key}/{generation_id}"
    with reopened_inputs(
        organization_id=organization_id, generation_id=generation_id, request=request
    ) as files:
        return _accept(caller, request, None, key, now, files).generation_id


def batch_views(*, organization_id: UUID, batch_id: UUID) -> list[GenerationView]:
    """Return the generations of a batch in the order they were asked for; a query for each."""
    ids = Generation.objects.filter(organization_id=organization_id, batch_id=batch_id)
    return [
        get_generation(organization_id=organization_id, generation_id=found, with_attempts=False)
        for found in ids.order_by("created_at", "id").values_list("id", flat=True)
    ]


def open_partial(*, organization_id: UUID, generation_id: UUID, index: int) -> ObjectStream:
    """Open a partial image that is stored; its count is in the generation's view.

    Raises:
        NotFoundError: There is no such generation of the organization, or no such image of it.
        ObjectNotFoundError: It was deleted since, ten minutes after the end.
    """
    own = Generation.objects.filter(
        id=generation_id, organization_id=organization_id, partials__gt=index
    )
    if not own.exists():
        raise NotFoundError("No such partial image.")
    release_connections()
    return private_storage().open_stream(partial_key(organization_id, generation_id, index))


def _accept(
    caller: Caller,
    request: GenerationRequest,
    batch_id: UUID | None,
    submission_key: str,
    now: datetime,
    files: Sequence[SentFile] = (),
) -> Accepted:
    """Spend the limits and create the generation; whoever gets its id counts as answered."""
    generation_id = new_uuid()
    context.add(organization_id=caller.organization_id, generation_id=generation_id)
    context.conceal(request.prompt)
    canonical = orjson.dumps(to_canonical(request), option=orjson.OPT_SORT_KEYS)
    key = hashlib.sha256(f"{caller.user_id}/{submission_key}".encode()).hexdigest()
    submission = Submission(
        generation_id=generation_id,
        fingerprint=hashlib.sha256(canonical).digest(),
        connection=Connection(id=generation_id, web_process_id=None),
        idempotency_key=f"console:{key}",
        batch_id=batch_id,
        files=files,
    )
    spent = spend(caller=caller, images=request.n, now=now)
    spent.require_granted()
    try:
        accepted = accept_generation(caller=caller, request=request, submission=submission, now=now)
    except AppError:
        spent.returned(IMAGES)
        raise
    if not accepted.created:
        spent.returned(REQUESTS, IMAGES)
    mark_answered(generation_ids=[accepted.generation_id], now=now)
    return accepted


def _uuid_of(caller: Caller, submission_key: str) -> UUID:
    """Return the batch of a form: the same one however often that is sent."""
    text = f"{caller.organization_id}/{caller.user_id}/{submission_key}"
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4)
