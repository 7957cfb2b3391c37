"""Importing providers' files, compared with the calls that were made."""

from datetime import datetime
from functools import partial
from uuid import UUID

from billing.services.reconciliation.importing import ProviderFile, import_file
from gateway.selectors.reports.calls import booked_calls
from orgs.services.audit import Actor


def import_provider_file(*, file: ProviderFile, actor: Actor, now: datetime) -> UUID:
    """Write a provider's file down with its differences to our calls; return the import's id.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        FileImportedError: This very file was imported before.
        InvalidInputError: It has errors, or its period ends before it begins.
    """
    booked_of = partial(booked_calls, provider=file.provider)
    return import_file(file=file, booked_of=booked_of, actor=actor, now=now).id
