"""What all adapters do alike: read answers within limits, fetch images, translate failures."""

import math
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

from core.clock import now
from core.http import bodies
from core.http import errors as http
from core.http.client import HttpResponse
from gateway.providers.base import Call, ProviderImage
from gateway.providers.errors import (
    BadResponse,
    InputUnavailable,
    OutOfFiles,
    ProviderError,
    ProviderTimedOut,
    ProviderUnavailable,
)

# Above a 4K PNG times ten, below what would hurt with a few calls at once.
_BODY_BYTES_MAX = 256 * 1024 * 1024
ERROR_BYTES_MAX = 64 * 1024
_SMALL_BYTES = 256 * 1024
_OVERHEAD_BYTES = 1024 * 1024
_DOWNLOAD_TRIES = 3
_DOWNLOAD_RETRY_S = 0.3
_DOWNLOAD_S_MAX = 60.0
_OK = 200
_SERVER_ERROR = 500
# What storage answers for a moment about an object it does not know everywhere yet.
_PERHAPS_NOT_YET = frozenset({403, 404})
_TOO_MANY_REQUESTS = 429


@contextmanager
def translated() -> Iterator[None]:
    """Turn failures of the transport into failures of the provider, keeping `processed`."""
    try:
        yield
    except http.TimedOut as error:
        raise ProviderTimedOut(str(error), processed=error.processed) from error
    except http.UploadFailed as error:
        raise InputUnavailable(str(error), processed=False) from error
    except http.OutOfFiles as error:
        raise OutOfFiles(str(error), processed=error.processed) from error
    except (http.BodyTooLarge, http.BodyInvalid, http.TooManyRedirects) as error:
        raise BadResponse(str(error), processed=error.processed) from error
    except http.HttpError as error:
        # A useless URL in an answer is that answer's fault; downloads are always `processed`.
        named = error.processed and isinstance(error, http.InvalidTarget | http.TargetRefused)
        kind = BadResponse if named else ProviderUnavailable
        raise kind(str(error), processed=error.processed) from error


def acquire(call: Call) -> None:
    """Acquire the call's permit, waiting until its deadline at most.

    Raises:
        ProviderTimedOut: No transfer became free in time; the upstream has done its work.
    """
    left = max(0.0, call.deadline - time.monotonic())
    if not call.permit.acquire(left):
        raise ProviderTimedOut("no transfer became free before the deadline", processed=True)


def acquire_large(call: Call) -> None:
    """Acquire the right to more than 16 MiB, waiting until the call's deadline at most.

    Raises:
        ProviderTimedOut: As `acquire`.
    """
    left = max(0.0, call.deadline - time.monotonic())
    if not call.permit.acquire_large(left):
        raise ProviderTimedOut("no large transfer became free in time", processed=True)


def body_limit(call: Call) -> int:
    """Return how long a JSON body with all the call's images in base64 may be, in bytes."""
    wanted = math.ceil(call.max_image_bytes * 4 / 3) * call.request.n + _OVERHEAD_BYTES
    return min(wanted, _BODY_BYTES_MAX)


def read_images_json(call: Call, answer: HttpResponse) -> dict[str, object]:
    """Read a JSON object that may carry images; acquires the permit unless the body is small.

    Raises:
        ProviderError: ProviderTimedOut, ProviderUnavailable, or BadResponse if it is not an object.
    """
    length = answer.content_length
    if length is None or length > _SMALL_BYTES:
        acquire(call)
    with translated():
        payload = answer.read_json(limit=body_limit(call), on_large=lambda: acquire_large(call))
    if not isinstance(payload, dict):
        raise BadResponse("the answer is not a JSON object", processed=True)
    return payload


def read_error_json(answer: HttpResponse) -> dict[str, object]:
    """Return the JSON object of a failed answer; {} if it has none, is HTML, or breaks off."""
    try:
        payload = answer.read_json(limit=ERROR_BYTES_MAX)
    except http.HttpError:
        return {}
    return payload if isinstance(payload, dict) else {}


def text(value: object) -> str:
    """Return a JSON value as text where a text is expected; "" for null and containers."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) else ""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the upstream's advice: `retry-after-ms`, or `Retry-After` in seconds or as a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return max(0.0, (at - now()).total_seconds())


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def pause(seconds: float, *, deadline: float) -> None:
    """Sleep with 20 % of jitter, not past the deadline.

    Raises:
        ProviderTimedOut: The deadline has come; the upstream may still be at work.
    """
    wanted = seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads polls, guards nothing
    left = deadline - time.monotonic()
    if left > 0:
        time.sleep(min(wanted, left))
    if time.monotonic() >= deadline:
        raise ProviderTimedOut("the deadline has passed", processed=True)


def image_bytes(call: Call, item: Mapping[str, object]) -> bytes:
    """Return one image of an answer, from its `b64_json` or its `url`.

    Raises:
        ProviderError: BadResponse if there is no image in it, ProviderUnavailable or
            ProviderTimedOut if it cannot be fetched.
    """
    encoded, url = item.get("b64_json"), item.get("url")
    if isinstance(encoded, str) and encoded:
        data = _decoded(call, encoded)
    elif isinstance(url, str) and url.startswith("data:"):
        data = _decoded(call, url)
    elif isinstance(url, str) and url:
        data = _downloaded(call, url)
    else:
        raise BadResponse("an image is missing in the answer", processed=True)
    if not data:
        raise BadResponse("an image is empty", processed=True)
    if len(data) > call.max_image_bytes:
        raise BadResponse(f"an image has {len(data)} bytes", processed=True)
    return data


def _decoded(call: Call, encoded: str) -> bytes:
    acquire(call)
    with translated():
        return bodies.decode_base64(encoded)


def _downloaded(call: Call, url: str) -> bytes:
    """Fetch an image that has been made and paid for: worth a few tries."""
    for _ in range(_DOWNLOAD_TRIES - 1):
        try:
            return _download_once(call, url)
        except (ProviderUnavailable, BadResponse) as error:
            if isinstance(error, BadResponse) and error.upstream_status not in _PERHAPS_NOT_YET:
                raise
        pause(_DOWNLOAD_RETRY_S, deadline=call.deadline)
    return _download_once(call, url)


def _download_once(call: Call, url: str) -> bytes:
    """Fetch an image once.

    A 5xx of the image's host is not reported as the upstream's: those are presumed free, but this
    image has been made and billed.
    """
    # A host that hangs may not keep the permit for as long as a generation may take.
    deadline = min(call.deadline, time.monotonic() + _DOWNLOAD_S_MAX)
    try:
        with translated(), call.http.open_download(url, deadline=deadline) as answer:
            if answer.status == _OK:
                acquire(call)
                return answer.read_body(
                    limit=call.max_image_bytes, on_large=lambda: acquire_large(call)
                )
            status = answer.status
    except ProviderTimedOut as error:
        if time.monotonic() >= call.deadline:
            raise
        raise ProviderUnavailable("the image's host is too slow", processed=True) from error
    if status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS:
        raise ProviderUnavailable(f"the image's host answered {status}", processed=True)
    raise BadResponse(f"the image's host answered {status}", upstream_status=status, processed=True)


def collect_images(
    call: Call, items: list[dict[str, object]], *, seed: int | None = None
) -> list[ProviderImage]:
    """Return the images that can be had; empties `items`, so that each image is in memory once.

    `seed` is that of all images that do not name their own.

    Raises:
        ProviderError: The first image's failure, if there is no image at all.
    """
    images: list[ProviderImage] = []
    failure: ProviderError | None = None
    items.reverse()
    while items:
        item = items.pop()
        try:
            data = image_bytes(call, item)
        except ProviderError as error:
            # Its traceback would keep the image's bytes, in a cycle with this frame.
            failure = failure or error.with_traceback(None)
            continue
        revised, own_seed = item.get("revised_prompt"), item.get("seed")
        images.append(
            ProviderImage(
                data=data,
                revised_prompt=revised if isinstance(revised, str) else None,
                seed=own_seed if isinstance(own_seed, int) else seed,
            )
        )
    if not images:
        raise failure or BadResponse("the answer has no image", processed=True)
    return images
