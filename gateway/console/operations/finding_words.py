"""What each kind of finding is called, what it means, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from gateway.services.operations.findings import Kind


@dataclass(frozen=True, slots=True)
class Words:
    """A kind in words."""

    title: Promise
    meaning: Promise
    advice: Promise


WORDS: Final[Mapping[str, Words]] = {
    Kind.LEDGER_VIOLATION: Words(
        _("The ledger contradicts itself"),
        _("A row of the books, or of what they are about, does not say what the others say."),
        _("Change no row by hand. Find out what wrote it, and correct it by an entry."),
    ),
    Kind.ROLLUP_DIFFERENCE: Words(
        _("Figures differ from what they count"),
        _("Usage pages and reports show a sum that its rows do not add up to. No money is wrong."),
        _("Run rebuild_rollups; if it comes back, look for what writes past the rollups."),
    ),
    Kind.PRICE_LOSS: Words(
        _("An image can cost more than it sells for"),
        _("Requests for it do not take this route, or lose money where that was accepted."),
        _("Set a price that covers the worst case, or retire the route."),
    ),
    Kind.HOLD_OVERDUE: Words(
        _("Money is held past its deadline"),
        _("A customer's money is set aside for a request that should have ended."),
        _("Look at the request and at the sweeper: it releases such holds within seconds."),
    ),
    Kind.GENERATION_STUCK: Words(
        _("A request did not end"),
        _("Its deadline is over, and neither a worker nor the sweeper has ended it."),
        _("See that the sweeper runs, and what its log says of this request."),
    ),
    Kind.OBJECTS_LEFT: Words(
        _("Files are left in the storage"),
        _("Files of an ended request that no image names could not be deleted yet."),
        _("See that the storage answers and that its key may delete."),
    ),
    Kind.PURGE_OVERDUE: Words(
        _("A deleted organization still has data"),
        _("Its data should have been deleted, and could not be."),
        _("See that the storage answers; the next daily run tries again."),
    ),
    Kind.RESULTS_LATE: Words(
        _("Results came too late"),
        _("They were paid for to the provider and given to nobody; customers paid nothing."),
        _("See how long the provider takes at present; pause it if that lasts."),
    ),
    Kind.PROVIDER_OUT_OF_FUNDS: Words(
        _("Our account at a provider is empty"),
        _("It makes no images for us until money is added there."),
        _("Add money to the account, then let a call through to close the breaker."),
    ),
    Kind.PROVIDER_BAD_CREDENTIALS: Words(
        _("A provider does not accept our key"),
        _("It makes no images for us until it gets a valid one."),
        _("Set a valid key, restart web and workers, then let a call through."),
    ),
    Kind.PROVIDER_DOWN: Words(
        _("A provider fails"),
        _("Its breaker is open: requests take other routes, where there are any."),
        _("Nothing, if it is short: a probe closes the breaker once the provider works again."),
    ),
}
FAMILIES: Final[Mapping[str, Promise]] = {
    "ledger": _("Ledger"),
    "rollup": _("Figures"),
    "price": _("Prices"),
    "hold": _("Holds"),
    "generation": _("Requests"),
    "objects": _("Storage"),
    "organization": _("Organizations"),
    "provider": _("Providers"),
}
STATES: Final[Mapping[str, Promise]] = {
    "open": pgettext_lazy("findings", "Open"),
    "acknowledged": pgettext_lazy("findings", "Acknowledged"),
    "closed": pgettext_lazy("findings", "Closed"),
    "all": pgettext_lazy("findings", "All"),
}
