"""A credit note's content with types, for its page and files alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from billing.selectors.refunds.notes import CreditNoteView
from billing.services.refunds.telling import public_reference


@dataclass(frozen=True, slots=True)
class Image:
    """One image that was refunded, at what it was charged."""

    position: int
    artifact: str
    micros: int


@dataclass(frozen=True, slots=True)
class CreditNoteSheet:
    """All of a credit note. Instants are in the organization's zone; amounts in micros."""

    number: int
    issued_at: datetime
    issuer: str
    customer: Mapping[str, str]
    language: str
    time_zone: str
    currency: str
    request_id: str
    charged_at: datetime
    charged_micros: int
    model: str
    size: str
    quality: str
    reason: str
    images: tuple[Image, ...]
    micros: int
    digest: str


def make_sheet(view: CreditNoteView) -> CreditNoteSheet:
    """Read a content."""
    said: Mapping[str, Any] = view.content
    zone = ZoneInfo(said["time_zone"])
    return CreditNoteSheet(
        number=said["number"],
        issued_at=datetime.fromisoformat(said["issued_at"]).astimezone(zone),
        issuer=said["issuer"],
        customer=said["customer"],
        language=said["language"],
        time_zone=said["time_zone"],
        currency=said["currency"],
        request_id=public_reference(said["reference"]),
        charged_at=datetime.fromisoformat(said["charged_at"]).astimezone(zone),
        charged_micros=said["charged"],
        model=said["model"],
        size=said["size"],
        quality=said["quality"],
        reason=said["reason"],
        images=tuple(
            Image(one["position"], one["artifact"], one["amount"]) for one in said["images"]
        ),
        micros=said["amount"],
        digest=view.digest,
    )
