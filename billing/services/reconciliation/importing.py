"""Importing a provider's file: its lines, and where they differ from our books."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from billing.errors import (
    DifferenceDecidedError,
    FileImportedError,
    ReconciliationNotFoundError,
)
from billing.models import ProviderDifference, ProviderImport, ProviderLine, ProviderWaiver
from billing.money import format_amount
from billing.services.reconciliation.accepted import add_accepted, lock_differences
from billing.services.reconciliation.comparing import Kind, compare
from billing.services.reconciliation.reading import CURRENCY, Charge, Sheet
from billing.services.staff import require_finance
from billing.types import BookedCalls, CallCell
from orgs.errors import InvalidInputError
from orgs.services.audit import Action, Actor, Target, record

Status = ProviderDifference.Status
BookedOf = Callable[[date, date], Mapping[CallCell, BookedCalls]]
"""Reads what was booked between two days, both included."""
_DECIDED: Final = (Status.PROPOSED, Status.ACCEPTED)


@dataclass(frozen=True, slots=True)
class ProviderFile:
    """A file that was read without errors.

    Attributes:
        provider: Whose.
        name: What it is called.
        text: Its content, which makes it the same file or another.
        unit: What its counts are of: `requests`, `images` or `none`.
        sheet: What was read.
        first: The first day it is of; None: that of its first charge,
        last: and the last.
    """

    provider: str
    name: str
    text: str
    unit: str
    sheet: Sheet
    first: date | None = None
    last: date | None = None


def import_file(
    *, file: ProviderFile, booked_of: BookedOf, actor: Actor, now: datetime
) -> ProviderImport:
    """Write a file's lines down, and each day and model that differs. One transaction.

    What was accepted from other files counts as booked. What differs by a call around midnight
    alone is marked as explained.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        FileImportedError: This very file was imported before.
        InvalidInputError: It has errors, or its period ends before it begins.
    """
    user_id = require_finance(actor)
    charges = file.sheet.charges
    if file.sheet.errors or not charges:
        raise InvalidInputError("The file has errors.", param="file")
    first = file.first or min(one.day for one in charges)
    last = file.last or max(one.day for one in charges)
    if last < first:
        raise InvalidInputError("The period ends before it begins.", param="last")
    try:
        with transaction.atomic():
            lock_differences()
            source = ProviderImport.objects.create(
                provider=file.provider,
                file_name=file.name[:200],
                digest=hashlib.sha256(file.text.encode()).digest(),
                unit=file.unit,
                first_day=first,
                last_day=last,
                lines=len(charges),
                micros=sum(one.micros for one in charges),
                imported_by_id=user_id,
                imported_at=now,
            )
            booked = add_accepted(source, booked_of(first, last))
            _write_differences(source, charges, booked)
            _write_lines(source, charges)
            _log(Action.PROVIDER_FILE_IMPORTED, source, actor)
    except IntegrityError as error:
        if "billing_providerimport_digest" not in str(error):
            raise
        raise FileImportedError("This very file was imported before.", param="file") from error
    return source


def withdraw_import(*, import_id: UUID, actor: Actor) -> None:
    """Forget a file that should not have been imported; nothing of it was accepted. Logged.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        ReconciliationNotFoundError: There is no such import.
        DifferenceDecidedError: A difference of it is accepted, or about to be.
    """
    require_finance(actor)
    with transaction.atomic():
        source = ProviderImport.objects.select_for_update().filter(id=import_id).first()
        if source is None:
            raise ReconciliationNotFoundError("There is no such import.")
        if source.differences.select_for_update().filter(status__in=_DECIDED).exists():
            raise DifferenceDecidedError("A difference of it is accepted, or about to be.")
        _log(Action.PROVIDER_FILE_WITHDRAWN, source, actor)
        source.delete()


def waive_month(*, provider: str, month: date, reason: str, actor: Actor, now: datetime) -> None:
    """Say that a provider's month need not be reconciled. Logged; repeated, the reason changes.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        InvalidInputError: There is no reason.
    """
    user_id = require_finance(actor)
    words = reason.strip()[:500]
    if not words:
        raise InvalidInputError("Say why.", param="reason")
    month = month.replace(day=1)
    with transaction.atomic():
        ProviderWaiver.objects.update_or_create(
            provider=provider,
            month=month,
            defaults={"reason": words, "waived_by_id": user_id, "waived_at": now},
        )
        record(
            action=Action.PROVIDER_WAIVED,
            actor=actor,
            organization_id=None,
            target=Target("provider", provider, provider),
            after={"month": f"{month:%Y-%m}", "reason": words},
        )


def _write_differences(
    source: ProviderImport, charges: list[Charge], booked: Mapping[CallCell, BookedCalls]
) -> None:
    ids = [one.upstream_id for one in charges if one.upstream_id]
    before = ProviderLine.objects.filter(upstream_id__in=ids, source__provider=source.provider)
    charged_before = frozenset(before.values_list("upstream_id", flat=True))
    found = compare(charges, booked, unit=source.unit, charged_before=charged_before)
    ProviderDifference.objects.bulk_create(
        ProviderDifference(
            source=source,
            day=one.day,
            model=one.model,
            kind=one.kind,
            our_count=one.our_count,
            our_micros=one.our_micros,
            their_count=one.their_count,
            their_micros=one.their_micros,
            upstream_ids=list(one.upstream_ids[:100]),
            status=Status.EXPLAINED if one.kind == Kind.SHIFTED else Status.OPEN,
        )
        for one in found
    )


def _write_lines(source: ProviderImport, charges: list[Charge]) -> None:
    ProviderLine.objects.bulk_create(
        (
            ProviderLine(
                source=source,
                number=one.number,
                day=one.day,
                model=one.model,
                upstream_id=one.upstream_id,
                count=one.count,
                micros=one.micros,
            )
            for one in charges
        ),
        batch_size=2000,
    )


def _log(action: Action, source: ProviderImport, actor: Actor) -> None:
    record(
        action=action,
        actor=actor,
        organization_id=None,
        target=Target("provider_file", source.id, f"{source.provider} {source.file_name}"),
        after={
            "period": f"{source.first_day} {source.last_day}",
            "amount": f"{format_amount(source.micros, CURRENCY)} {CURRENCY}",
            "lines": source.lines,
        },
    )
