"""A job in fal's queue: its status, its result, its cancellation.

All URLs are made from the base URL and the job's id; those in answers are never followed with the
key.
"""

import re
import time
from collections.abc import Mapping

from core.http import errors as http
from core.http.client import HttpResponse
from core.http.uploads import Upload
from gateway.providers import fal_errors, polling, wire
from gateway.providers.base import Call, ProviderResult
from gateway.providers.errors import (
    BadResponse,
    ContentRefused,
    ModelRetired,
    ProviderError,
    ProviderTimedOut,
    ProviderUnavailable,
)

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_WAITING = frozenset({"IN_QUEUE", "IN_PROGRESS"})
_RESULT_S_MAX = 60.0
_RESULT_TRIES = 4
_CANCEL_S = 1.0
_NOT_FOUND = 404
_BAD_REQUEST = 400
_ACCEPTED = 202


def endpoint_segments(upstream_model: str) -> list[str]:
    """Split an endpoint, e.g. `fal-ai/flux-pro/v1.1`, into owner, alias and further path.

    Raises:
        ModelRetired: It is not one that could exist.
    """
    segments = upstream_model.split("/")
    if len(segments) < 2 or not all(map(_SEGMENT.fullmatch, segments)):  # noqa: PLR2004
        raise ModelRetired("the endpoint's name is not valid")
    return segments


def send(
    call: Call,
    method: str,
    path: str,
    *,
    deadline: float,
    headers: Mapping[str, str] | None = None,
    upload: Upload | None = None,
) -> HttpResponse:
    """Send one request with the key to a path below the base URL.

    Raises:
        HttpError: Of `core.http`, not translated.
    """
    endpoint = call.endpoint
    return call.http.open(
        method,
        f"{endpoint.base_url.rstrip('/')}/{path}",
        deadline=deadline,
        headers={
            **endpoint.headers,
            **(headers or {}),
            "Authorization": f"Key {endpoint.api_key}",
            "Accept": "application/json",
        },
        upload=upload,
    )


class Job:
    """One submitted job, as one call sees it.

    Raises:
        BadResponse: The id is not one that may stand in a path.
    """

    def __init__(self, call: Call, upstream_id: str) -> None:
        if not _JOB_ID.fullmatch(upstream_id):
            raise BadResponse("the upstream's job id is not usable", processed=True)
        # The queue knows jobs by owner and alias alone, whatever the endpoint's further path.
        owner, alias = endpoint_segments(call.request.upstream_model)[:2]
        self.upstream_id = upstream_id
        self._call = call
        self._path = f"{owner}/{alias}/requests/{upstream_id}"
        self._times_unknown = 0
        self._results_failed = 0

    def wait(self, *, first_poll_s: float = 0.0) -> ProviderResult:
        """Poll until the job is over, then collect it; at the deadline, ask the queue to drop it.

        Broken polls are repeated until the deadline: the job runs on whatever becomes of them.

        Raises:
            ProviderError: One of its subclasses, with the job's id.
        """
        try:
            return polling.until(self._ask, deadline=self._call.deadline, first_s=first_poll_s)
        except ProviderError as error:
            error.upstream_request_id = self.upstream_id
            if isinstance(error, ProviderTimedOut) and time.monotonic() >= self._call.deadline:
                self.cancel()
            raise

    def cancel(self) -> None:
        """Ask the queue to drop the job, within a second; a failure to do so changes nothing."""
        deadline = time.monotonic() + _CANCEL_S
        try:
            send(self._call, "PUT", f"{self._path}/cancel", deadline=deadline).close()
        except http.HttpError:
            return

    def _ask(self) -> ProviderResult | None:
        state = self._state()
        if not state or state.get("status") in _WAITING:
            return None
        return self._result(has_failed=bool(state.get("error")))

    def _state(self) -> dict[str, object]:
        """Return the status body; {} where this poll gave none and the next one may."""
        deadline = min(self._call.deadline, time.monotonic() + polling.STATUS_S_MAX)
        try:
            with send(self._call, "GET", f"{self._path}/status", deadline=deadline) as answer:
                payload = wire.read_error_json(answer)
        except http.HttpError:
            return {}
        if answer.is_success:
            return payload
        if answer.status == _NOT_FOUND:
            self._times_unknown += 1
            if self._times_unknown < polling.UNKNOWN_TRIES:
                return {}
        if polling.is_passing(answer.status):
            return {}
        raise fal_errors.classify(answer.status, answer.headers, payload, submitted=True)

    def _result(self, *, has_failed: bool) -> ProviderResult | None:
        """Return the job's result; None if it should be asked for again.

        Args:
            has_failed: The status told of a failure, so that a 5xx is the job's own and final. Else
                it may be the platform's, and is tried a few times.
        """
        call = self._call
        deadline = min(call.deadline, time.monotonic() + _RESULT_S_MAX)
        try:
            with wire.translated(), send(call, "GET", self._path, deadline=deadline) as answer:
                if answer.is_success and answer.status != _ACCEPTED:
                    payload = wire.read_images_json(call, answer)
                else:
                    payload = wire.read_error_json(answer)
        except (ProviderUnavailable, ProviderTimedOut, BadResponse) as error:
            # A page of a proxy in between, or half a body, says nothing of the job.
            error.processed = True
            self._count_failed_result(error)
            return None
        if answer.status == _ACCEPTED:
            return None
        if answer.is_success:
            return _collect(call, payload, answer, upstream_id=self.upstream_id)
        detail = wire.text(payload.get("detail")).lower()
        if answer.status == _BAD_REQUEST and "in progress" in detail:
            return None
        failure = fal_errors.classify(answer.status, answer.headers, payload, submitted=True)
        if not has_failed and polling.is_passing(answer.status):
            self._count_failed_result(failure)
            return None
        raise failure

    def _count_failed_result(self, failure: ProviderError) -> None:
        self._results_failed += 1
        if self._results_failed >= _RESULT_TRIES:
            raise failure


def _collect(
    call: Call, payload: dict[str, object], answer: HttpResponse, *, upstream_id: str
) -> ProviderResult:
    """Fetch the images of a result, without those that the safety checker has blackened."""
    found = payload.pop("images", None)
    items = [item if isinstance(item, dict) else {} for item in _as_list(found)]
    flags = _as_list(payload.get("has_nsfw_concepts"))
    flagged = [index < len(flags) and flags[index] is True for index in range(len(items))]
    kept = [item for item, is_flagged in zip(items, flagged, strict=True) if not is_flagged]
    refused = len(items) - len(kept)
    if refused and not kept:
        raise ContentRefused(
            "the upstream's safety checker withheld every image",
            code=fal_errors.REFUSAL,
            upstream_code="has_nsfw_concepts",
            upstream_status=answer.status,
            processed=True,
        )
    seed = payload.get("seed")
    images = wire.collect_images(call, kept, seed=seed if isinstance(seed, int) else None)
    prompt = payload.get("prompt")
    if isinstance(prompt, str) and prompt and prompt != call.request.prompt:
        for image in images:
            image.revised_prompt = prompt
    return ProviderResult(
        images=images,
        upstream_request_id=upstream_id,
        billable_units=fal_errors.billable_units(answer.headers),
        refused=refused,
    )


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
