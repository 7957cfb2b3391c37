"""Values the gateway's services take and return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Operation(StrEnum):
    """What is asked for: images of a prompt, of a prompt and images, or of an image alone."""

    GENERATION = "generation"
    EDIT = "edit"
    VARIATION = "variation"


@dataclass(frozen=True, slots=True)
class Connection:
    """The HTTP request that waits for an answer.

    Attributes:
        is_sdk_retry: The client says it sends the same request again.
    """

    id: UUID
    web_process_id: UUID | None
    is_sdk_retry: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's exclusive right to run one generation, until it is declared dead."""

    generation_id: UUID
    worker_id: UUID
    token: UUID


@dataclass(frozen=True, slots=True)
class ClaimedWork:
    """A claimed generation as its row was at the claim: what a worker needs to run it.

    Attributes:
        parameters: In their canonical form.
        plan: Routes, each with `queue`, `provider` and `upstream_model`.
        recoveries: How often it was taken from a dead worker.
        traceparent: The trace of its request; empty if that was not traced.
    """

    claim: Claim
    organization_id: UUID
    is_public: bool
    parameters: dict[str, object]
    plan: list[dict[str, str]]
    route_index: int
    quoted_list_micros: int
    deadline_at: datetime
    recoveries: int
    created_at: datetime
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a generation failed, as its row keeps it and as every replay answers it."""

    code: str
    category: str
    message: str
    retryable: bool
    param: str | None = None
    details: dict[str, object] | None = None
    retry_after_s: int | None = None

    def as_json(self) -> dict[str, object]:
        """Return the row's form."""
        return {
            "code": self.code,
            "category": self.category,
            "message": self.message,
            "retryable": self.retryable,
            "param": self.param,
            "details": self.details or {},
            "retry_after_s": self.retry_after_s,
        }


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image that is in S3 and was checked."""

    index: int
    is_public: bool
    key: str
    content_type: str
    sha256: bytes
    size_bytes: int
    width: int
    height: int
    revised_prompt: str
    seed: int | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a finished generation says of itself beside its images.

    Attributes:
        undelivered: Of each image that is not there `index`, `outcome` (`moderated` or `failed`)
            and `code`.
    """

    served_by: str = ""
    image_adjusted: str = ""
    usage: Mapping[str, object] | None = None
    dropped: Sequence[str] = ()
    undelivered: Sequence[Mapping[str, object]] = ()


@dataclass(frozen=True, slots=True)
class ImageView:
    """A delivered image as an answer shows it; the URL is built when this is."""

    index: int
    url: str
    is_public: bool
    key: str
    size_bytes: int
    content_type: str
    revised_prompt: str


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One call to a provider, as its generation shows it."""

    number: int
    provider: str
    upstream_model: str
    status: str
    error_code: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class GenerationView:
    """A generation as the API shows it. Amounts are micros of `currency`.

    Attributes:
        undelivered: As in `Delivery`.
        partials: Partial images that are stored.
        deleted_at: When its images were deleted.
        is_expired: Whether the organization's retention deleted them, and not somebody.
    """

    id: UUID
    organization_id: UUID
    status: str
    model: str
    requested_model: str
    parameters: dict[str, Any]
    livemode: bool
    is_sandboxed: bool
    currency: str
    quoted_micros: int
    charged_micros: int
    dropped_parameters: tuple[str, ...]
    served_by: str
    image_adjusted: str
    usage: dict[str, object] | None
    undelivered: tuple[dict[str, Any], ...]
    partials: int
    error: dict[str, object] | None
    created_at: datetime
    deadline_at: datetime
    finished_at: datetime | None
    deleted_at: datetime | None
    is_expired: bool
    images: tuple[ImageView, ...]
    attempts: tuple[AttemptView, ...]

    @property
    def delivered(self) -> tuple[int, ...]:
        """Return the indexes of the images that were delivered, deleted ones included."""
        if self.finished_at is None or self.error is not None:
            return ()
        missing = {outcome["index"] for outcome in self.undelivered}
        return tuple(index for index in range(self.parameters["n"]) if index not in missing)

    @property
    def operation(self) -> Operation:
        """Return what was asked for."""
        return Operation(self.parameters.get("operation", Operation.GENERATION))

    @property
    def is_terminal(self) -> bool:
        """Return whether the generation has ended."""
        return self.finished_at is not None
