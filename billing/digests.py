"""Digests that make a change of a booked row visible.

Canonical form: a JSON array without spaces, ASCII only; instants are integer microseconds since
1970-01-01 UTC, decimals are written in full without trailing zeros.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from billing.models import Grant, Hold, JournalEntry, Posting

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FORMAT: Final = 1


def _instant(value: datetime | None) -> int | None:
    return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)


def _decimal(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _sha256(fields: list[object]) -> bytes:
    return hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode("ascii")).digest()


def posting_digest(posting: Posting) -> bytes:
    """Return the SHA-256 of a posting; its place in a chain is not part of it."""
    return _sha256(
        [
            _FORMAT,
            str(posting.entry_id),
            posting.line,
            str(posting.account_id),
            str(posting.direction),
            posting.amount_micros,
            posting.currency,
            posting.reference,
        ]
    )


def entry_digest(entry: JournalEntry, posting_digests: Iterable[bytes]) -> bytes:
    """Return the SHA-256 of an entry and the digests of its postings in the order of lines."""
    return _sha256(
        [
            _FORMAT,
            str(entry.id),
            entry.kind,
            entry.idempotency_key,
            entry.reference,
            entry.description,
            _instant(entry.effective_at),
            _instant(entry.booked_at),
            entry.lines,
            [bytes(digest).hex() for digest in posting_digests],
        ]
    )


def chain_head(previous: bytes, digest: bytes) -> bytes:
    """Return the head after an entry, as `sha256(head || digest)` computes it in SQL."""
    return hashlib.sha256(previous + digest).digest()


def hold_digest(hold: Hold) -> bytes:
    """Return the SHA-256 of the columns of a hold in its present state, without `promo_micros`."""
    return _sha256(
        [
            _FORMAT,
            str(hold.id),
            str(hold.organization_id),
            str(hold.account_id),
            None if hold.api_key_id is None else str(hold.api_key_id),
            hold.reference,
            hold.amount_micros,
            hold.unit_micros,
            hold.list_unit_micros,
            hold.count,
            hold.currency,
            hold.price_version_id,
            hold.pixels,
            _decimal(hold.list_amount),
            hold.list_currency,
            _decimal(hold.markup),
            hold.markup_version_id,
            _decimal(hold.rate),
            hold.fx_rate_id,
            hold.budget_period.isoformat(),
            _instant(hold.deadline_at),
            _instant(hold.authorized_at),
            str(hold.status),
            hold.captured_micros,
            hold.captured_count,
            _instant(hold.closed_at),
            # Holds are older than input images.
            *([hold.inputs] if hold.inputs else []),
            # And than spreads.
            *(
                ["spread", _decimal(hold.spread), hold.spread_version_id]
                if _has_spread(hold)
                else []
            ),
        ]
    )


def grant_digest(grant: Grant) -> bytes:
    """Return the SHA-256 of the terms of a grant and of what was decided about it."""
    return _sha256(
        [
            _FORMAT,
            str(grant.id),
            str(grant.organization_id),
            str(grant.account_id),
            grant.amount_micros,
            grant.currency,
            _instant(grant.expires_at),
            grant.reason,
            str(grant.status),
            None if grant.requested_by_id is None else str(grant.requested_by_id),
            None if grant.decided_by_id is None else str(grant.decided_by_id),
            _instant(grant.created_at),
            _instant(grant.decided_at),
        ]
    )


def _has_spread(hold: Hold) -> bool:
    return bool(hold.spread) or hold.spread_version_id is not None
