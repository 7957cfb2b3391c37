"""Checking generations, artifacts and attempts against the ledger and against S3."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import connection

from billing.selectors.entries import booked_costs, capture_lines
from billing.selectors.holds import open_holds
from billing.services.verification import ledger_checks, snapshot
from billing.types import CaptureLine, Finding
from gateway.models import Artifact, Attempt, Generation
from gateway.services.reports.margin_days import check_margin_days
from gateway.services.rollup_checks import check_rollups
from gateway.storage import ObjectNotFoundError, private_storage, public_storage

PAGE = 1000


def verify_money(*, now: datetime, organization_id: UUID | None = None) -> list[Finding]:
    """Check every invariant of billing, and that it says what the gateway's rows say.

    One read-only snapshot; takes no locks; memory grows with one organization's images.
    """
    with snapshot():
        return [
            finding
            for check in money_checks(now=now, organization_id=organization_id)
            for finding in check()
        ]


def money_checks(
    *, now: datetime, organization_id: UUID | None = None
) -> list[Callable[[], list[Finding]]]:
    """Return the steps of `verify_money`; each sees one instant if it is run in a `snapshot`."""
    checks: list[Callable[[], Iterable[Finding]]] = [
        *ledger_checks(now=now, organization_id=organization_id),
        lambda: _check_captures(organization_id),
        lambda: _check_open_holds(organization_id),
        lambda: check_rollups(organization_id=organization_id),
        lambda: check_margin_days(organization_id=organization_id),
    ]
    if organization_id is None:
        checks.append(_check_attempt_costs)
    return [partial(_run, check) for check in checks]


def _run(check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    return list(check())


def verify_objects(*, organization_id: UUID | None = None) -> Iterator[Finding]:
    """Check that the stored bytes of every artifact are the ones delivered. Reads all of them."""
    last: UUID | None = None
    while page := _artifact_page(organization_id, last):
        connection.close()
        for artifact in page:
            finding = _check_object(artifact)
            if finding is not None:
                yield finding
        last = page[-1].id


def _artifact_page(organization_id: UUID | None, last: UUID | None) -> list[Artifact]:
    artifacts = Artifact.objects.filter(deleted_at__isnull=True)
    if organization_id is not None:
        artifacts = artifacts.filter(generation__organization_id=organization_id)
    if last is not None:
        artifacts = artifacts.filter(id__gt=last)
    return list(artifacts.order_by("id")[:PAGE])


def _check_object(artifact: Artifact) -> Finding | None:
    storage = public_storage() if artifact.is_public else private_storage()
    digest = hashlib.sha256()
    try:
        with storage.open_stream(artifact.key) as stream:
            for chunk in stream:
                digest.update(chunk)
    except ObjectNotFoundError:
        return _finding("objects", artifact, f"the object {artifact.key} is missing")
    if digest.digest() != bytes(artifact.sha256):
        return _finding("objects", artifact, f"the object {artifact.key} has other bytes")
    return None


def _check_captures(organization_id: UUID | None) -> Iterator[Finding]:
    """Compare artifacts with capture lines, organization by organization, both ways."""
    for owner in _owners(organization_id):
        lines: dict[str, CaptureLine] = {}
        for line in capture_lines(organization_id=owner):
            known = lines.get(line.artifact_reference)
            if (
                known is not None
                and known.entry_id == line.entry_id
                and known.account_code != line.account_code
            ):
                # Promotional credit paid one part of it, the wallet the other.
                paid_micros = known.amount_micros + line.amount_micros
                lines[line.artifact_reference] = replace(line, amount_micros=paid_micros)
                continue
            if known is not None:
                yield Finding(
                    check="artifacts",
                    table="billing_posting",
                    row_id=str(line.posting_id),
                    message=f"artifact {line.artifact_reference} is charged a second time",
                )
            lines[line.artifact_reference] = line
        yield from _match_artifacts(owner, lines)


def _match_artifacts(owner: UUID, lines: dict[str, CaptureLine]) -> Iterator[Finding]:
    artifacts = Artifact.objects.filter(
        generation__organization_id=owner, generation__livemode=True
    ).select_related("generation")
    for artifact in artifacts.iterator(chunk_size=PAGE):
        line = lines.pop(str(artifact.id), None)
        if line is None:
            yield _finding("artifacts", artifact, "delivered but never charged")
        elif line.reference != str(artifact.generation_id):
            yield _finding("artifacts", artifact, f"charged under hold {line.reference}")
        elif line.amount_micros != artifact.generation.unit_micros:
            yield _finding("artifacts", artifact, f"charged {line.amount_micros} micros")
    for line in lines.values():
        yield Finding(
            check="artifacts",
            table="billing_posting",
            row_id=str(line.posting_id),
            message=f"charges artifact {line.artifact_reference}, which does not exist",
        )
    yield from _check_charges(owner)


def _check_charges(owner: UUID) -> Iterator[Finding]:
    """Check that a generation says it charged what its images cost."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT generation.id, generation.charged_micros,
                generation.unit_micros * count(artifact.id)
            FROM gateway_generation AS generation
            LEFT JOIN gateway_artifact AS artifact ON artifact.generation_id = generation.id
            WHERE generation.organization_id = %s AND generation.livemode
            GROUP BY generation.id
            HAVING generation.charged_micros <> generation.unit_micros * count(artifact.id)
            """,
            [owner],
        )
        rows = cursor.fetchall()
    for generation_id, charged, due in rows:
        yield Finding(
            check="charges",
            table="gateway_generation",
            row_id=str(generation_id),
            message=f"says {charged} micros were charged; its images cost {due}",
        )


def _check_open_holds(organization_id: UUID | None) -> Iterator[Finding]:
    """Check that a hold is open exactly while its generation is."""
    holds = {hold.reference: hold for hold in open_holds(organization_id=organization_id)}
    running = Generation.objects.filter(finished_at__isnull=True, livemode=True)
    if organization_id is not None:
        running = running.filter(organization_id=organization_id)
    open_ids = {str(one) for one in running.values_list("id", flat=True)}
    for reference in holds.keys() - open_ids:
        yield Finding(
            check="holds",
            table="billing_hold",
            row_id=str(holds[reference].id),
            message=f"is open, but generation {reference} has ended or does not exist",
        )
    for generation_id in open_ids - holds.keys():
        yield Finding(
            check="holds",
            table="gateway_generation",
            row_id=generation_id,
            message="is open without an open hold",
        )


def _check_attempt_costs() -> Iterator[Finding]:
    """Check that what each attempt cost is booked, and booked at that amount."""
    last: UUID | None = None
    while True:
        attempts = Attempt.objects.filter(cost_micros__gt=0).order_by("id")
        page = list((attempts.filter(id__gt=last) if last else attempts)[:PAGE])
        if not page:
            return
        booked = booked_costs(references=[str(attempt.id) for attempt in page])
        for attempt in page:
            amount = booked.get(str(attempt.id))
            if amount != attempt.cost_micros:
                yield Finding(
                    check="costs",
                    table="gateway_attempt",
                    row_id=str(attempt.id),
                    message=f"cost {attempt.cost_micros} micros; booked: {amount}",
                )
        last = page[-1].id


def _owners(organization_id: UUID | None) -> list[UUID]:
    if organization_id is not None:
        return [organization_id]
    return list(
        Generation.objects.order_by("organization_id")
        .values_list("organization_id", flat=True)
        .distinct()
    )


def _finding(check: str, artifact: Artifact, message: str) -> Finding:
    return Finding(check=check, table="gateway_artifact", row_id=str(artifact.id), message=message)
