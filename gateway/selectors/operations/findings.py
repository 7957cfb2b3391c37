"""Reading findings and checks, for operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet

from gateway.models import Check, Finding

STATES: Final = ("open", "acknowledged", "closed", "all")
FAMILIES: Final = (
    "ledger",
    "rollup",
    "price",
    "hold",
    "generation",
    "objects",
    "organization",
    "provider",
)
"""The words before the dot of a finding's kind."""
_IN_STATE: Final = {
    "open": Q(resolved_at__isnull=True, acknowledged_at__isnull=True),
    "acknowledged": Q(resolved_at__isnull=True, acknowledged_at__isnull=False),
    "closed": Q(resolved_at__isnull=False),
}


@dataclass(frozen=True, slots=True)
class FindingCounts:
    """How many findings are open: critical, warnings, and those somebody looks after already."""

    critical: int
    warning: int
    acknowledged: int


@dataclass(frozen=True, slots=True)
class FindingPage:
    """Some findings, and whether more follow."""

    rows: Sequence[Finding]
    has_more: bool


def list_findings(*, state: str, family: str, limit: int, offset: int) -> FindingPage:
    """Return findings: open before closed ones, critical first, then the last seen.

    Args:
        state: One of `STATES`.
        family: One of `FAMILIES`; empty for all.
        limit: How many at most.
        offset: How many to leave out before them.
    """
    rows = Finding.objects.select_related("organization")
    if state in _IN_STATE:
        rows = rows.filter(_IN_STATE[state])
    if family:
        rows = rows.filter(kind__startswith=f"{family}.")
    found = list(_ordered(rows)[offset : offset + limit + 1])
    return FindingPage(found[:limit], len(found) > limit)


def find_finding(*, finding_id: UUID) -> Finding | None:
    """Return one finding, or None."""
    return Finding.objects.select_related("organization").filter(id=finding_id).first()


def count_open() -> FindingCounts:
    """Return how many are open. One query."""
    open_ones = Finding.objects.filter(resolved_at__isnull=True)
    return FindingCounts(
        **open_ones.aggregate(
            critical=Count("id", filter=Q(severity="critical", acknowledged_at__isnull=True)),
            warning=Count("id", filter=Q(severity="warning", acknowledged_at__isnull=True)),
            acknowledged=Count("id", filter=Q(acknowledged_at__isnull=False)),
        )
    )


def find_checks() -> dict[str, Check]:
    """Return the checks that have ever run or been asked for, by name."""
    return {check.name: check for check in Check.objects.all()}


def _ordered(rows: QuerySet[Finding]) -> QuerySet[Finding]:
    return rows.order_by(
        F("resolved_at").desc(nulls_first=True),
        F("acknowledged_at").desc(nulls_first=True),
        "severity",
        "-last_seen_at",
        "-id",
    )
