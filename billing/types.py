"""Values that billing's services and selectors take and return."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account by what it is; `id` follows from the other three, so none has to be read first."""

    id: UUID
    code: str
    currency: str
    organization_id: UUID | None


@dataclass(frozen=True, slots=True)
class Line:
    """One posting to be made: `direction` is `debit` or `credit`, the amount is positive."""

    account: AccountRef
    direction: str
    amount_micros: int
    reference: str = ""


@dataclass(frozen=True, slots=True)
class EntryView:
    """A booked entry; `created` is False when its idempotency key had been booked before."""

    id: UUID
    kind: str
    idempotency_key: str
    created: bool


@dataclass(frozen=True, slots=True)
class BalanceView:
    """What an organization has, its promotional credit included.

    Attributes:
        available_micros: What may still be authorized.
        held_micros: What is set aside.
        promo_micros: How much of what is available is promotional credit.
        had_promo: Whether there ever was any.
        owed_micros: What it owes after disputes and refunds; the next money pays it first.
    """

    currency: str
    available_micros: int
    held_micros: int
    promo_micros: int = 0
    had_promo: bool = False
    owed_micros: int = 0


@dataclass(frozen=True, slots=True)
class UnitQuote:
    """The price of one image for one organization at one instant, and what it was made of.

    `list_amount` is per image in `list_currency`; `unit_micros` is in `currency`. A price book in
    the wallet's own currency has markup 0 and rate 1, and neither a markup nor a rate row. `spread`
    is what was added to the rate, as a fraction; it has no row where it is the platform's setting.
    `inputs` counts the images sent along to make one image of, which are in the amounts.
    `has_promo` says whether there was promotional credit just now; it only chooses a statement.
    """

    unit_micros: int
    currency: str
    list_unit_micros: int
    price_version_id: int
    price_book: str
    price_unit: str
    pixels: int
    list_amount: Decimal
    list_currency: str
    markup: Decimal
    markup_id: int | None
    rate: Decimal
    fx_rate_id: int | None
    inputs: int = 0
    spread: Decimal = Decimal(0)
    spread_id: int | None = None
    has_promo: bool = False


@dataclass(frozen=True, slots=True)
class AuthorizedHold:
    """Money set aside for one generation."""

    id: UUID
    reference: str
    amount_micros: int
    unit_micros: int
    count: int
    currency: str
    deadline_at: datetime


@dataclass(frozen=True, slots=True)
class Captured:
    """What a capture charged, and what it gave back of the hold."""

    entry_id: UUID
    reference: str
    amount_micros: int
    released_micros: int
    unit_micros: int
    count: int
    currency: str


@dataclass(frozen=True, slots=True)
class HoldView:
    """A hold as it stands."""

    id: UUID
    reference: str
    organization_id: UUID
    status: str
    amount_micros: int
    unit_micros: int
    count: int
    captured_micros: int
    captured_count: int
    currency: str
    deadline_at: datetime


@dataclass(frozen=True, slots=True)
class PostingView:
    """One line of a booked entry."""

    line: int
    account_code: str
    organization_id: UUID | None
    direction: str
    amount_micros: int
    currency: str
    reference: str


@dataclass(frozen=True, slots=True)
class EntryDetail:
    """A booked entry with its lines."""

    id: UUID
    kind: str
    idempotency_key: str
    reference: str
    effective_at: datetime
    booked_at: datetime
    description: str
    postings: tuple[PostingView, ...]


@dataclass(frozen=True, slots=True)
class CaptureLine:
    """A line by which a delivered image was charged, to a wallet or to promotional credit."""

    posting_id: int
    entry_id: UUID
    organization_id: UUID
    account_code: str
    reference: str
    artifact_reference: str
    amount_micros: int
    currency: str


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price as a catalog publishes it; empty `route`, `size`, `quality` mean any.

    Per megapixel: `base_amount`, plus `amount` for each million pixels beyond `base_pixels`.
    `input_amount` comes on top for each image sent along to be edited.
    """

    kind: str
    model_key: str
    amount: Decimal
    currency: str
    source: str
    source_date: date
    unit: str = "image"
    route: str = ""
    size: str = ""
    quality: str = ""
    price_book: str = "platform"
    base_amount: Decimal = Decimal(0)
    base_pixels: int = 0
    input_amount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class PriceView:
    """A price version that is active at the instant asked for."""

    id: int
    kind: str
    price_book: str
    model_key: str
    route: str
    size: str
    quality: str
    unit: str
    amount: Decimal
    base_amount: Decimal
    base_pixels: int
    input_amount: Decimal
    currency: str
    source: str
    source_date: date
    active_from: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """One violated invariant: which check, which row, what is wrong."""

    check: str
    table: str
    row_id: str
    message: str


@dataclass(frozen=True, slots=True)
class BookedCalls:
    """What was booked of a day and an upstream model: calls that cost something, in USD.

    `early` and `late` are how many of them ended within minutes after, or before, midnight.
    """

    calls: int
    images: int
    micros: int
    early: int = 0
    late: int = 0


CallCell = tuple[date, str]
"""A day of UTC and an upstream model."""
