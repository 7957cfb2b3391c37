"""Read the journal."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from billing.models import AccountCode, Direction, EntryKind, JournalEntry, Posting
from billing.types import CaptureLine, EntryDetail, PostingView

ATTEMPT_KEY_PREFIX: Final = "attempt:"
_PAGE: Final = 2000


def entries_for(*, reference: str) -> list[EntryDetail]:
    """Return every entry about a reference, oldest first, with its lines. Two queries."""
    return list_entries(references=[reference])


def list_entries(*, references: Collection[str]) -> list[EntryDetail]:
    """Return every entry about some references, oldest first, with its lines. Two queries."""
    return _details(JournalEntry.objects.filter(reference__in=references))


def find_entry(*, entry_id: UUID) -> list[EntryDetail]:
    """Return one entry with its lines, if there is one. Two queries."""
    return _details(JournalEntry.objects.filter(id=entry_id))


def _details(rows: QuerySet[JournalEntry]) -> list[EntryDetail]:
    lines = Posting.objects.select_related("account").order_by("line")
    entries = rows.prefetch_related(Prefetch("postings", lines)).order_by("booked_at", "id")
    return [
        EntryDetail(
            id=entry.id,
            kind=entry.kind,
            idempotency_key=entry.idempotency_key,
            reference=entry.reference,
            effective_at=entry.effective_at,
            booked_at=entry.booked_at,
            description=entry.description,
            postings=tuple(
                PostingView(
                    line=p.line,
                    account_code=p.account.code,
                    organization_id=p.account.organization_id,
                    direction=p.direction,
                    amount_micros=p.amount_micros,
                    currency=p.currency,
                    reference=p.reference,
                )
                for p in entry.postings.all()
            ),
        )
        for entry in entries
    ]


def capture_lines(
    *, organization_id: UUID | None = None, reference: str | None = None
) -> Iterator[CaptureLine]:
    """Yield the lines that paid every delivered image, in the order of postings.

    An image that promotional credit paid for in part has two, one of each account.
    Reads in pages, so that the whole journal can be walked in bounded memory.
    """
    lines = Posting.objects.filter(
        entry__kind=EntryKind.CAPTURE,
        account__code__in=(AccountCode.WALLET, AccountCode.WALLET_PROMO),
        direction=Direction.DEBIT,
    )
    if organization_id is not None:
        lines = lines.filter(account__organization_id=organization_id)
    if reference is not None:
        lines = lines.filter(entry__reference=reference)
    last = 0
    while page := list(
        lines.filter(id__gt=last).select_related("entry", "account").order_by("id")[:_PAGE]
    ):
        for posting in page:
            owner = posting.account.organization_id
            assert owner is not None  # noqa: S101 - a wallet always has an owner (billing_account_owner)
            yield CaptureLine(
                posting_id=posting.id,
                entry_id=posting.entry_id,
                organization_id=owner,
                account_code=posting.account.code,
                reference=posting.entry.reference,
                artifact_reference=posting.reference,
                amount_micros=posting.amount_micros,
                currency=posting.currency,
            )
        last = page[-1].id


def booked_costs(*, references: Sequence[str]) -> dict[str, int]:
    """Return the booked cost in micros of those attempts that have one, by attempt reference."""
    keys = [f"{ATTEMPT_KEY_PREFIX}{reference}" for reference in references]
    rows = Posting.objects.filter(
        entry__idempotency_key__in=keys,
        account__code=AccountCode.PROVIDER_COST,
        direction=Direction.DEBIT,
    ).values_list("entry__idempotency_key", "amount_micros")
    return {key.removeprefix(ATTEMPT_KEY_PREFIX): amount for key, amount in rows}
