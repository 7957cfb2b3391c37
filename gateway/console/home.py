"""Home: how an organization is doing; before its first image, how to make it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.selectors.budgets import WalletStatus, get_wallet_status
from core.clock import now
from gateway.console.examples import generation_examples
from gateway.console.usage import FiguresView
from gateway.console.usage_charts import ending_chart, group_name, spend_chart
from gateway.selectors.figures import (
    Scope,
    Spend,
    day_totals,
    days_left,
    spend_by,
    totals_by,
)
from gateway.selectors.gallery import GalleryFilters, GalleryImage, list_images
from gateway.selectors.prompts import Reader, readable_prompts
from gateway.selectors.reasons import reason_of
from gateway.services.gallery.thumbnails import EDGES, request_thumbnails
from orgs.console.access import OrganizationView
from orgs.permissions import Permission, may_view_prompts
from orgs.selectors.api_keys import list_keys

PACE_DAYS: Final = 30
IMAGES: Final = 8
FAILURES: Final = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """An image of the strip; `has_thumbnail` is False until it is made."""

    image: GalleryImage
    alt: str
    has_thumbnail: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A step to the first image."""

    icon: str
    title: Promise
    text: Promise
    is_done: bool


class HomeView(FiguresView):
    """The month's figures, the last images, and what needs attention."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them, or the first steps while there is no image of any kind."""
        images = self._images(livemode=self.livemode)
        may_look = self.may(Permission.VIEW_GENERATIONS)
        is_elsewhere = False
        if may_look and not images:
            is_elsewhere = bool(self._images(livemode=not self.livemode))
            if not is_elsewhere:
                return render(request, "console/home/start.html", first_steps(self))
        status = get_wallet_status(
            organization_id=self.organization.id,
            time_zone=self.organization.time_zone,
            now=now(),
        )
        month = Scope(
            organization_id=self.organization.id,
            zone=self.organization.time_zone,
            first=status.month,
            last=self.today,
            livemode=self.livemode,
        )
        total = next(iter(totals_by(month, by=None)), None)
        context = {
            **self._pace(month, status),
            "status": status,
            "may_see_requests": may_look,
            "may_see_balance": self.may(Permission.VIEW_BALANCE),
            "month": month,
            "total": total,
            "failures": [
                (reason_of(one.code), one) for one in (total.failures[:FAILURES] if total else ())
            ],
            "images": self._strip(images),
            "is_waiting": any(not {*one.thumbnails, *one.unmade} for one in images),
            "is_elsewhere": is_elsewhere,
            "currency": self.organization.currency,
        }
        return render(request, "console/home/page.html", context)

    def _pace(self, month: Scope, status: WalletStatus) -> dict[str, Any]:
        """Return the chart of the last days, and how long the balance lasts at their pace."""
        scope = replace(month, first=month.last - timedelta(days=PACE_DAYS - 1))
        period = f"?since={scope.first}&until={scope.last}"
        if not self.livemode:
            return {"chart": ending_chart(day_totals(scope)), "period": period}
        rows: list[Spend] = spend_by(scope)
        groups = {row.group for row in rows}
        return {
            "chart": spend_chart(
                scope,
                rows,
                currency=self.organization.currency,
                names={group: group_name("model", group, {}) for group in groups},
                urls={},
            ),
            "period": period,
            "days_left": days_left(
                available_micros=status.balance.available_micros, spend=rows, last=scope.last
            ),
        }

    def _images(self, *, livemode: bool) -> Sequence[GalleryImage]:
        if not self.may(Permission.VIEW_GENERATIONS):
            return ()
        filters = GalleryFilters(livemode=livemode)
        return list_images(
            organization_id=self.organization.id, filters=filters, limit=IMAGES
        ).images

    def _strip(self, images: Sequence[GalleryImage]) -> list[Shown]:
        unmade = [one.artifact_id for one in images if not {*one.thumbnails, *one.unmade}]
        if unmade:
            request_thumbnails(organization_id=self.organization.id, artifact_ids=unmade, now=now())
        readable = readable_prompts(
            reader=Reader(
                self.organization.id,
                self.user.id,
                may_view_prompts(
                    self.membership.role, are_shared=self.organization.developers_see_prompts
                ),
            ),
            generation_ids=[one.generation_id for one in images],
        )
        return [
            Shown(
                one,
                alt=one.alt
                if one.generation_id in readable
                else _("Image by %(model)s") % {"model": one.model},
                has_thumbnail=EDGES[0] in one.thumbnails,
            )
            for one in images
        ]


class FirstStepsView(OrganizationView):
    """The steps alone, asked for again and again until the first image is there."""

    permission = Permission.VIEW_GENERATIONS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return the fragment; with an image, have the page loaded anew."""
        page = list_images(organization_id=self.organization.id, filters=GalleryFilters(), limit=1)
        if page.images:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "console/home/steps.html", first_steps(self))


def first_steps(view: OrganizationView) -> dict[str, Any]:
    """Return what leads to the first image, and how far it has come. One query."""
    keys = list_keys(organization_id=view.organization.id, now=now(), with_ended=False)
    is_used = any(key.last_used_at is not None for key in keys)
    return {
        "steps": (
            Step(
                "key",
                gettext_lazy("Make an API key"),
                gettext_lazy("A test key draws in the sandbox and costs nothing."),
                is_done=bool(keys),
            ),
            Step(
                "terminal-2",
                gettext_lazy("Send the first request"),
                gettext_lazy("Paste the command below with your key, or use the playground."),
                is_done=is_used,
            ),
            Step(
                "photo",
                gettext_lazy("See the first image"),
                gettext_lazy("This page turns into your figures as soon as it is drawn."),
                is_done=False,
            ),
        ),
        "tabs": generation_examples(key="YOUR_API_KEY"),
        "may_generate": view.may(Permission.CREATE_GENERATIONS),
    }
