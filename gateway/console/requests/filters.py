"""What the gallery's and the log's addresses ask for, read leniently, and shown as chips."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TypedDict
from uuid import UUID

from django.http import QueryDict
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gateway.catalog.registry import catalog
from orgs.selectors.api_keys import KeyView, list_keys
from orgs.selectors.people import MemberView, list_members

LABELS: Mapping[str, Promise] = {
    "model": _("Model"),
    "key": _("API key"),
    "member": _("Member"),
    "from": _("From"),
    "to": _("Until"),
}


class Common(TypedDict):
    """The fields of `CommonFilters` that an address gives."""

    model: str | None
    api_key_id: UUID | None
    member_id: UUID | None
    created_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set; `without` is the rest of the address."""

    label: Promise
    text: str
    without: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What the form of filters offers."""

    models: Sequence[str]
    keys: Sequence[KeyView]
    members: Sequence[MemberView]


def choices_of(*, organization_id: UUID, now: datetime) -> Choices:
    """Return the models, keys and members there are to choose from. Two queries."""
    return Choices(
        sorted({model.id for model in catalog().models()}),
        list_keys(organization_id=organization_id, now=now),
        list_members(organization_id=organization_id),
    )


def read_common(query: QueryDict) -> Common:
    """Return the filters of an address; days are those of the zone that is active."""
    until = _day(query.get("to", ""))
    return Common(
        model=query.get("model") or None,
        api_key_id=read_uuid(query.get("key", "")),
        member_id=read_uuid(query.get("member", "")),
        created_after=_midnight(_day(query.get("from", ""))),
        created_before=_midnight(until + timedelta(days=1) if until else None),
    )


def chips_of(query: QueryDict, choices: Choices) -> Iterator[Chip]:
    """Yield the filters of an address that both lists have."""
    names = {str(one.id): one.name for one in choices.keys}
    names |= {str(one.user_id): one.name or one.email for one in choices.members}
    for name, label in LABELS.items():
        if text := query.get(name, ""):
            day = _day(text)
            shown = formats.date_format(day, "SHORT_DATE_FORMAT") if day else names.get(text, text)
            yield chip_of(query, name, label, shown)


def chip_of(query: QueryDict, name: str, label: Promise, text: str) -> Chip:
    """Return a filter that is set, with the address of the first page without it."""
    return Chip(label, text, changed(query, {name: "", "cursor": ""}))


def changed(query: QueryDict, changes: Mapping[str, str]) -> str:
    """Return an address's query, question mark included, with some fields set or left out."""
    copy = query.copy()
    for name, value in changes.items():
        copy.pop(name, None)
        if value:
            copy[name] = value
    text = copy.urlencode()
    return f"?{text}" if text else ""


def read_uuid(text: str) -> UUID | None:
    """Return an id, or None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # Beyond, a day's end or its instant in UTC cannot be told.
    return day if date(2000, 1, 1) <= day <= date(9000, 1, 1) else None


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else timezone.make_aware(datetime.combine(day, time.min))
