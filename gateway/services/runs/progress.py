"""What has become of each image of a generation so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.types import Delivery, Failure, StoredImage

REFUSALS = frozenset({"moderation_blocked", "content_policy_violation"})
INCOMPLETE = Failure(
    code="provider_unavailable",
    category="unavailable",
    message="The provider returned fewer images than asked for. You were not charged for the rest.",
    retryable=True,
    retry_after_s=1,
)
WITHHELD = Failure(
    code="content_policy_violation",
    category="invalid_request",
    message=(
        "Your request was refused by the provider's safety system. You were not charged."
        " Change the prompt and try again."
    ),
    retryable=False,
    param="prompt",
)


@dataclass(frozen=True, slots=True)
class Made:
    """What one call gave, stored.

    Attributes:
        images: Some or all of the call's indexes.
        moderated: Indexes of images that the provider withheld.
        adjusted: What was done to the pixels, for `X-Image-Adjusted`.
        usage: The provider's token counts, in OpenAI's shape.
        dropped: Parameters the route lacks.
        served_by: For `X-Served-By`; empty where the model itself served.
    """

    images: tuple[StoredImage, ...]
    moderated: tuple[int, ...] = ()
    adjusted: str = ""
    usage: Mapping[str, object] | None = None
    dropped: tuple[str, ...] = ()
    served_by: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the form an attempt's row keeps."""
        return {
            "images": [{**asdict(image), "sha256": image.sha256.hex()} for image in self.images],
            "moderated": list(self.moderated),
            "adjusted": self.adjusted,
            "usage": self.usage,
            "dropped": list(self.dropped),
            "served_by": self.served_by,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Made:
        """Return what a row kept."""
        return cls(
            images=tuple(
                StoredImage(**{**image, "sha256": bytes.fromhex(image["sha256"])})
                for image in kept["images"]
            ),
            moderated=tuple(kept["moderated"]),
            adjusted=kept["adjusted"],
            usage=kept["usage"],
            dropped=tuple(kept["dropped"]),
            served_by=kept["served_by"],
        )


@dataclass(slots=True)
class Progress:
    """The images of one generation: stored, given up, or still missing."""

    n: int
    stored: dict[int, StoredImage] = field(default_factory=dict)
    given_up: dict[int, Failure] = field(default_factory=dict)
    adjusted: str = ""
    usage: dict[str, object] | None = None
    dropped: list[str] = field(default_factory=list)
    served_by: list[str] = field(default_factory=list)

    @property
    def missing(self) -> list[int]:
        """Return the indexes of the images that are neither stored nor given up."""
        return [
            index
            for index in range(self.n)
            if index not in self.stored and index not in self.given_up
        ]

    def add(self, made: Made, indexes: Sequence[int]) -> None:
        """Take in what a call for `indexes` gave; what it left out is given up."""
        self.stored |= {image.index: image for image in made.images}
        for index in indexes:
            if index not in self.stored:
                self.given_up[index] = WITHHELD if index in made.moderated else INCOMPLETE
        self.adjusted = self.adjusted or made.adjusted
        self.usage = _sum(self.usage, made.usage)
        self.dropped += [name for name in made.dropped if name not in self.dropped]
        if made.served_by and made.served_by not in self.served_by:
            self.served_by.append(made.served_by)

    def give_up(self, indexes: Iterable[int], failure: Failure) -> None:
        """Note that images will not be made."""
        self.given_up |= dict.fromkeys(indexes, failure)

    @property
    def images(self) -> list[StoredImage]:
        """Return the stored images in order."""
        return [self.stored[index] for index in sorted(self.stored)]

    @property
    def undelivered(self) -> list[dict[str, object]]:
        """Return the outcome of each image that is not there, as the generation's row keeps it."""
        return [
            {
                "index": index,
                "outcome": "moderated" if failure.code in REFUSALS else "failed",
                "code": failure.code,
            }
            for index, failure in sorted(self.given_up.items())
            if index not in self.stored
        ]

    def delivery(self) -> Delivery:
        """Return what the finished generation says of itself."""
        return Delivery(
            served_by=", ".join(self.served_by),
            image_adjusted=self.adjusted,
            usage=self.usage,
            dropped=self.dropped,
            undelivered=self.undelivered,
        )

    @property
    def failure(self) -> Failure:
        """Return why there is no image at all: a refusal says more than anything else."""
        failures = [failure for _, failure in sorted(self.given_up.items())]
        refusals = [failure for failure in failures if failure.code in REFUSALS]
        return (refusals or failures)[0]


def _sum(left: Mapping[str, object] | None, right: Mapping[str, object] | None) -> Any:  # noqa: ANN401 - JSON
    """Add two usage blocks, counter by counter."""
    if left is None or right is None:
        return dict(left or right or {}) or None
    total = dict(left)
    for name, value in right.items():
        before = total.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            total[name] = _sum(before, value)
        elif isinstance(before, int) and isinstance(value, int):
            total[name] = before + value
        else:
            total.setdefault(name, value)
    return total
