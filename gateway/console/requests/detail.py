"""Everything about one request: a part of drawers, and a page of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.ids import quote_id, request_id
from gateway.console.gallery.grid import GalleryPageView
from gateway.errors import NotFoundError
from gateway.selectors.details import Detail, get_detail
from gateway.selectors.prompts import readable_prompts

# Of the stored request; the rest is shown elsewhere, or is the default.
PARAMETERS: Final[Mapping[str, Promise]] = {
    "size": _("Size"),
    "quality": _("Quality"),
    "style": _("Style"),
    "background": _("Background"),
    "output_format": _("Format"),
    "moderation": _("Moderation"),
    "seed": _("Seed"),
    "n": _("Images"),
    "user": _("User"),
    "max_cost": _("Most it may cost"),
    "operation": _("Operation"),
}
# What a prompt, or what was made of it, stands under.
PROMPTS: Final = ("prompt", "revised_prompt")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A line of what was asked for."""

    label: Promise
    value: object


class RequestDetailView(GalleryPageView):
    """The money trail, the attempts, the parameters, and the request and answer as they are."""

    def get(self, request: HttpRequest, generation_id: UUID) -> HttpResponse:
        """Show it; for htmx without the frame."""
        for_staff = bool(self.user.staff_role)
        is_part = "HX-Request" in request.headers
        try:
            detail = get_detail(
                organization_id=self.organization.id,
                generation_id=generation_id,
                for_staff=for_staff,
            )
        except NotFoundError as error:
            raise Http404 from error
        is_read = bool(readable_prompts(reader=self.reader, generation_ids=[generation_id]))
        context = {
            **detail_context(detail, organization_id=self.organization.id, is_read=is_read),
            "for_staff": for_staff,
            # A drawer has the prompt above.
            "is_part": is_part,
        }
        template = "console/requests/detail.html" if is_part else "console/requests/whole.html"
        return render(request, template, context)


def detail_context(detail: Detail, *, organization_id: UUID, is_read: bool) -> dict[str, Any]:
    """Return what `console/requests/detail.html` draws.

    Args:
        detail: Of which generation.
        organization_id: Whose it is.
        is_read: Whether the reader may read its prompt.
    """
    return {
        "detail": detail,
        "view": detail.view,
        "request_id": request_id(detail.view.id),
        "quote_id": quote_id(detail.quote_id) if detail.quote_id else "",
        "parameters": list(_parameters(detail)),
        "markup_percent": detail.terms.markup * 100 if detail.terms else None,
        "lines": list(_lines(detail, organization_id)),
        "raw_request": _pretty(detail.request, is_read=is_read),
        "raw_answer": _pretty(detail.answer, is_read=is_read),
        "is_read": is_read,
    }


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an entry that touches the organization's own accounts."""

    kind: str
    entry_id: UUID
    account: str
    is_debit: bool
    amount_micros: int
    currency: str
    booked_at: object


def _lines(detail: Detail, organization_id: UUID) -> Iterator[Line]:
    """Yield what was booked on the wallet; the platform's own accounts are not a customer's."""
    for entry in detail.entries:
        for posting in entry.postings:
            if posting.organization_id == organization_id:
                yield Line(
                    kind=entry.kind,
                    entry_id=entry.id,
                    account=posting.account_code,
                    is_debit=posting.direction == "debit",
                    amount_micros=posting.amount_micros,
                    currency=posting.currency,
                    booked_at=entry.booked_at,
                )


def _parameters(detail: Detail) -> Iterator[Parameter]:
    for name, label in PARAMETERS.items():
        value = detail.request.get(name)
        if value not in (None, ""):
            yield Parameter(label, value)


def _pretty(value: Mapping[str, Any], *, is_read: bool) -> str:
    """Return JSON for people, without prompts where they may not be read."""
    kept = {
        name: value[name] if is_read or name not in PROMPTS else "…"
        for name in value
        if value[name] is not None
    }
    return orjson.dumps(kept, option=orjson.OPT_INDENT_2).decode()
