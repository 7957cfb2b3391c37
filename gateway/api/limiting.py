"""Rate limits of a request for images, and the headers that tell of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.http import HttpRequest

from core.clock import now
from core.errors import AppError
from gateway.api.middleware import set_answer_headers
from gateway.services.requests.generations import Accepted
from gateway.services.requests.limits import IMAGES, REQUESTS, Spent, format_span, spend
from orgs.services.api_keys import Caller


class Metered:
    """The limits of one request. Whatever answers it, the headers tell how they stand."""

    def __init__(self, request: HttpRequest, spent: Spent) -> None:
        self._request = request
        self._keep(spent)

    def require_granted(self) -> None:
        """Refuse the request if a limit did.

        Raises:
            RateLimitExceededError: One did.
        """
        self._spent.require_granted()

    def settle(self, accepted: Accepted) -> None:
        """Give everything back if it turned out that another request's generation answers."""
        if not accepted.created:
            self._keep(self._spent.returned(REQUESTS, IMAGES))

    def give_images_back(self) -> None:
        """Give the images back, as there will be none."""
        self._keep(self._spent.returned(IMAGES))

    def _keep(self, spent: Spent) -> None:
        self._spent = spent
        set_answer_headers(self._request, _headers(spent))


@contextmanager
def metered(request: HttpRequest, caller: Caller, *, images: int) -> Iterator[Metered]:
    """Take one request and its images from the limits; an error in the block gives images back.

    An outcome that is not known, because the database went away, keeps what it took.

    Raises:
        RateLimitExceededError: A limit does not let it pass; nothing is taken.
    """
    limits = Metered(request, spend(caller=caller, images=images, now=now()))
    limits.require_granted()
    try:
        yield limits
    except AppError:
        limits.give_images_back()
        raise


def _headers(spent: Spent) -> Mapping[str, str]:
    """Return `X-RateLimit-{Limit,Remaining,Reset}-{Requests,Images}`, as OpenAI's clients read."""
    headers = {}
    for resource in (REQUESTS, IMAGES):
        standing = spent.standing_of(resource)
        if standing is not None:
            name = resource.capitalize()
            headers[f"X-RateLimit-Limit-{name}"] = str(standing.charge.per_minute)
            headers[f"X-RateLimit-Remaining-{name}"] = str(standing.remaining)
            headers[f"X-RateLimit-Reset-{name}"] = format_span(standing.reset_s)
    return headers
