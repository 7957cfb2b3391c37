"""Queues: what waits, and who works, refreshed while it is looked at."""

from collections.abc import Mapping
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.clock import now
from gateway.console.operations.platform import OperatorView
from gateway.selectors.operations.findings import find_checks
from gateway.selectors.operations.queues import read_board
from gateway.services.operations.checks import SWEEPER
from gateway.services.routing import queues
from orgs.selectors.outbox import read_outbox

# The sweeper passes every two seconds.
SWEEPER_LATE_S: Final = 20
PROCESS_STATES: Final[Mapping[str, tuple[str, Promise]]] = {
    "alive": ("ok", pgettext_lazy("process", "Alive")),
    "draining": ("running", pgettext_lazy("process", "Draining")),
    "dead": ("failed", pgettext_lazy("process", "Dead")),
    "ended": ("off", pgettext_lazy("process", "Ended")),
}
KINDS: Final[Mapping[str, Promise]] = {
    "web": pgettext_lazy("process", "Web"),
    "worker": pgettext_lazy("process", "Worker"),
}


class QueuesView(OperatorView):
    """The board; the page asks for it again every three seconds, unless that is switched off."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it."""
        moment = now()
        board = read_board(queues=queues(), now=moment)
        sweeper = find_checks().get(SWEEPER)
        swept_at = None if sweeper is None else sweeper.finished_at
        context = {
            "board": board,
            "processes": [
                (one, *PROCESS_STATES[one.state], KINDS[one.kind]) for one in board.processes
            ],
            "workers": sum(
                one.kind == "worker" and one.state == "alive" for one in board.processes
            ),
            "queued": sum(one.queued for one in board.queues),
            "running": sum(one.running for one in board.queues),
            "outbox": read_outbox(),
            "swept_at": swept_at,
            "is_sweeper_late": swept_at is None
            or (moment - swept_at).total_seconds() > SWEEPER_LATE_S,
            "is_live": request.GET.get("live") != "off",
            "title": _("Queues"),
        }
        return render(request, "console/operations/queues.html", context)
