"""A statement's content with types and words, for pages and files alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.console.billing import KINDS

ACCOUNTS: Final[Mapping[str, Promise]] = {
    "wallet": _("Wallet"),
    "wallet_promo": _("Promotional credit"),
    "receivable": pgettext_lazy("account", "Owed"),
}


@dataclass(frozen=True, slots=True)
class Movement:
    """What entries of one kind did to an account."""

    label: Promise
    kind: str
    entries: int
    micros: int


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the organization in the month."""

    label: Promise
    code: str
    opening_micros: int
    closing_micros: int
    movements: tuple[Movement, ...]
    from_seq: int
    to_seq: int
    head: str


@dataclass(frozen=True, slots=True)
class Line:
    """Images of one model at one price."""

    model: str
    size: str
    quality: str
    list_amount: Decimal
    list_currency: str
    markup: Decimal
    images: int
    micros: int


@dataclass(frozen=True, slots=True)
class Rate:
    """An exchange rate that images were charged at."""

    base: str
    quote: str
    rate: Decimal
    spread: Decimal
    source: str
    as_of: datetime | None
    images: int
    micros: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """All of a statement. Instants are in the organization's zone; amounts in micros.

    `number` and `issued_at` are None, and `digest` empty, while the month is running.
    """

    number: int | None
    issued_at: datetime | None
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    language: str
    currency: str
    issuer: str
    customer: Mapping[str, str]
    accounts: tuple[Account, ...]
    lines: tuple[Line, ...]
    rates: tuple[Rate, ...]
    digest: str

    @property
    def images(self) -> int:
        """Return how many images were charged."""
        return sum(line.images for line in self.lines)

    @property
    def charged_micros(self) -> int:
        """Return what they were charged."""
        return sum(line.micros for line in self.lines)

    @property
    def name(self) -> str:
        """Return a name for files."""
        return f"statement-{self.starts_at:%Y-%m}-{self.number or 'so-far'}"


def make_sheet(content: Mapping[str, Any], *, digest: str = "") -> Sheet:
    """Read a content."""
    zone = ZoneInfo(content["time_zone"])

    def instant(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text).astimezone(zone)

    starts_at, ends_at = instant(content["starts_at"]), instant(content["ends_at"])
    assert starts_at is not None  # noqa: S101 - every content has both
    assert ends_at is not None  # noqa: S101 - every content has both
    return Sheet(
        number=content.get("number"),
        issued_at=instant(content.get("issued_at")),
        starts_at=starts_at,
        ends_at=ends_at,
        time_zone=content["time_zone"],
        language=content["language"],
        currency=content["currency"],
        issuer=content["issuer"],
        customer=content["customer"],
        accounts=tuple(map(_account, content["accounts"])),
        lines=tuple(map(_line, content["lines"])),
        rates=tuple(_rate(rate, instant(rate["as_of"])) for rate in content["rates"]),
        digest=digest,
    )


def _account(said: Mapping[str, Any]) -> Account:
    return Account(
        label=ACCOUNTS[said["code"]],
        code=said["code"],
        opening_micros=said["opening"],
        closing_micros=said["closing"],
        movements=tuple(
            Movement(KINDS[move["kind"]][1], move["kind"], move["entries"], move["amount"])
            for move in said["movements"]
        ),
        from_seq=said["from_seq"],
        to_seq=said["to_seq"],
        head=said["head"],
    )


def _line(said: Mapping[str, Any]) -> Line:
    return Line(
        model=said["model"],
        size=said["size"],
        quality=said["quality"],
        list_amount=Decimal(said["list_amount"]),
        list_currency=said["list_currency"],
        markup=Decimal(said["markup"]),
        images=said["images"],
        micros=said["amount"],
    )


def _rate(said: Mapping[str, Any], as_of: datetime | None) -> Rate:
    return Rate(
        base=said["base"],
        quote=said["quote"],
        rate=Decimal(said["rate"]),
        spread=Decimal(said["spread"]),
        source=said["source"],
        as_of=as_of,
        images=said["images"],
        micros=said["amount"],
    )
