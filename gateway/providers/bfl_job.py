"""A task at Black Forest Labs: where it is polled, its end, its image.

Source: docs.bfl.ai and help.bfl.ai, read 2026-11-21. The global and the regional hosts hand a task
to one of their clusters, and only that cluster knows it; the answer names the cluster's host in
`polling_url`. Of that URL only the host is used, and only where it is one of the provider's own.
"""

import re
import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from core.http import errors as http
from core.http.client import HttpResponse
from core.http.uploads import Upload
from gateway.providers import bfl_errors, polling, wire
from gateway.providers.base import Call, Endpoint, ProviderResult
from gateway.providers.errors import BadResponse, ProviderError, ProviderUnavailable

_TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
# `api.us1.bfl.ai` and its like; they come and go.
_CLUSTER = re.compile(r"api\.[a-z0-9-]{1,30}\.bfl\.ai")
_STATE_BYTES_MAX = 1024 * 1024
_NOT_FOUND = 404
_UNKNOWN = "Task not found"
# What the image's host answers when the signature has expired, or the file is not there yet.
_GONE = frozenset({403, 404, 410})
_SAMPLE_TRIES = 3


def send(
    call: Call, method: str, url: str, *, deadline: float, upload: Upload | None = None
) -> HttpResponse:
    """Send one request with the key.

    Raises:
        HttpError: Of `core.http`, not translated.
    """
    endpoint = call.endpoint
    return call.http.open(
        method,
        url,
        deadline=deadline,
        headers={**endpoint.headers, "x-key": endpoint.api_key, "Accept": "application/json"},
        upload=upload,
    )


def upstream_id(endpoint: Endpoint, ticket: Mapping[str, object]) -> str:
    """Return the id to save for an accepted task: `<task>`, or `<task>@<host of its cluster>`.

    Raises:
        BadResponse: The answer has no usable task id.
    """
    task_id = wire.text(ticket.get("id"))
    if not _TASK_ID.fullmatch(task_id):
        raise BadResponse("the upstream's task id is not usable", processed=True)
    host = _host(wire.text(ticket.get("polling_url")))
    if endpoint.official and _CLUSTER.fullmatch(host) and host != _host(endpoint.base_url):
        return f"{task_id}@{host}"
    return task_id


def polling_url(endpoint: Endpoint, saved_id: str) -> str:
    """Return where a task is polled; elsewhere than at the base URL on a provider's own host only.

    Raises:
        BadResponse: The saved id is not one that may stand in a URL.
    """
    task_id, _, host = saved_id.partition("@")
    if not _TASK_ID.fullmatch(task_id) or (host and not _CLUSTER.fullmatch(host)):
        raise BadResponse("the upstream's task id is not usable", processed=True)
    base = f"https://{host}" if host and endpoint.official else endpoint.base_url.rstrip("/")
    return f"{base}/v1/get_result?id={task_id}"


def credits_of(answer: Mapping[str, object]) -> Decimal | None:
    """Return what a task costs in credits of a cent; None if the answer does not say."""
    cost = answer.get("cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float | str):
        return None
    try:
        charged = Decimal(str(cost))
    except InvalidOperation:
        return None
    return charged if charged.is_finite() and charged >= 0 else None


class Job:
    """One accepted task, as one call sees it.

    Raises:
        BadResponse: The id is not one that may stand in a URL.
    """

    def __init__(self, call: Call, saved_id: str, *, charged: Decimal | None = None) -> None:
        self._call = call
        self._url = polling_url(call.endpoint, saved_id)
        self._task_id = saved_id.partition("@")[0]
        self._charged = charged
        self._times_unknown = 0
        self._samples_gone = 0

    def wait(self, *, first_poll_s: float = 0.0) -> ProviderResult:
        """Poll until the task is over, then fetch its image. A task cannot be canceled.

        Broken polls are repeated until the deadline: the task runs on whatever becomes of them.

        Raises:
            ProviderError: One of its subclasses, with the task's id.
        """
        try:
            return polling.until(self._ask, deadline=self._call.deadline, first_s=first_poll_s)
        except ProviderError as error:
            error.upstream_request_id = self._task_id
            raise

    def _ask(self) -> ProviderResult | None:
        state = self._state()
        failure = bfl_errors.of_task(state)
        if failure is not None:
            raise failure
        if state.get("status") == _UNKNOWN:
            self._count_unknown()
        return self._collect(state) if state.get("status") == "Ready" else None

    def _state(self) -> dict[str, object]:
        """Return the task's state; {} where this poll gave none and the next one may."""
        deadline = min(self._call.deadline, time.monotonic() + polling.STATUS_S_MAX)
        try:
            with send(self._call, "GET", self._url, deadline=deadline) as answer:
                state = _read_state(answer)
        except http.HttpError:
            return {}
        if answer.is_success:
            return state
        if answer.status == _NOT_FOUND:
            return {"status": _UNKNOWN}
        if polling.is_passing(answer.status):
            return {}
        raise bfl_errors.classify(answer.status, answer.headers, state, submitted=True)

    def _count_unknown(self) -> None:
        self._times_unknown += 1
        if self._times_unknown >= polling.UNKNOWN_TRIES:
            # It was accepted: it may have run, and been charged.
            raise ProviderUnavailable(
                "the task is not known to the upstream", upstream_code=_UNKNOWN, processed=True
            )

    def _collect(self, state: Mapping[str, object]) -> ProviderResult | None:
        """Fetch the image at once, as its URL expires; None if a fresh URL should be asked for."""
        found = state.get("result")
        result = found if isinstance(found, dict) else {}
        seed = result.get("seed")
        try:
            images = wire.collect_images(
                self._call,
                [{"url": result.get("sample")}],
                seed=seed if isinstance(seed, int) else None,
            )
        except BadResponse as error:
            self._samples_gone += error.upstream_status in _GONE
            if error.upstream_status not in _GONE or self._samples_gone >= _SAMPLE_TRIES:
                raise
            return None
        prompt = result.get("prompt")
        if isinstance(prompt, str) and prompt and prompt != self._call.request.prompt:
            images[0].revised_prompt = prompt
        charged = credits_of(state)
        return ProviderResult(
            images=images,
            upstream_request_id=self._task_id,
            billable_units=self._charged if charged is None else charged,
        )


def _read_state(answer: HttpResponse) -> dict[str, object]:
    try:
        payload = answer.read_json(limit=_STATE_BYTES_MAX)
    except http.BodyInvalid:
        return {}
    return payload if isinstance(payload, dict) else {}


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
