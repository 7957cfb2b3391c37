"""Fetch exchange rates from those who publish them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.conf import settings

from billing.selectors.rates.force import SAMPLE
from billing.selectors.rates.history import newest_as_of
from billing.services.rates.recording import record_rates
from billing.sources import banxico, ecb
from billing.sources.calendars import age_days
from billing.sources.types import PublishedRate, SourceError
from core.http.client import shared_client
from core.postgres.connections import forbid_open_transaction, release_connections

HISTORY: Final = timedelta(days=90)
TIMEOUT_S: Final = 20
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one source; `error` is empty where it answered."""

    source: str
    added: int = 0
    aside: int = 0
    error: str = ""


def fetch_rates(*, now: datetime) -> list[Fetched]:
    """Fetch what each source has published since the last rate that is known of it.

    Repeating it changes nothing. A source that fails is logged, and stops no other; its last rate
    stays in force until it is stale. No connection is held while a source is waited for.

    Args:
        now: When the rates are recorded.
    """
    return [_fetch(name, fetch, now=now) for name, fetch in _sources(now=now).items()]


def load_shipped_rates(*, now: datetime) -> Fetched:
    """Record the last 90 days of the ECB's rates that were shipped with this software.

    For a start without a network. They have their own dates, and go stale like fetched ones.
    """
    rates = ecb.shipped_history(span=HISTORY)
    recorded = record_rates(source=ecb.NAME, rates=rates, now=now)
    return Fetched(ecb.NAME, *recorded)


def _sources(*, now: datetime) -> dict[str, Callable[[], Sequence[PublishedRate]]]:
    http = shared_client(
        allow_private=settings.ALLOW_PRIVATE_UPSTREAMS,
        version=settings.VERSION,
        before_request=forbid_open_transaction,
    )
    since = newest_as_of(source=_name_of(ecb.NAME), base=ecb.BASE)
    is_next = since is not None and age_days(ecb.NAME, as_of=since, now=now) <= 1
    found: dict[str, Callable[[], Sequence[PublishedRate]]] = {
        ecb.NAME: partial(
            ecb.fetch,
            http=http,
            base_url=settings.ECB_BASE_URL,
            timeout_s=TIMEOUT_S,
            has_history=not is_next,
        )
    }
    if settings.BANXICO_TOKEN:
        last = newest_as_of(source=_name_of(banxico.NAME), base=banxico.BASE)
        found[banxico.NAME] = partial(
            banxico.fetch,
            http=http,
            base_url=settings.BANXICO_BASE_URL,
            token=settings.BANXICO_TOKEN,
            timeout_s=TIMEOUT_S,
            since=max(last or now - HISTORY, now - HISTORY).date(),
            until=now.date(),
        )
    return found


def _fetch(name: str, fetch: Callable[[], Sequence[PublishedRate]], *, now: datetime) -> Fetched:
    release_connections()
    try:
        rates = fetch()
    except SourceError as error:
        logger.error("billing.rates.source_failed source=%s error=%s", name, error)  # noqa: TRY400 - an answer, not a bug
        return Fetched(name, error=str(error))
    recorded = record_rates(source=_name_of(name), rates=rates, now=now)
    if recorded.aside:
        logger.error("billing.rates.kept_aside source=%s rates=%d", name, recorded.aside)
    return Fetched(name, *recorded)


def _name_of(source: str) -> str:
    """Return under which name a source's rates are kept: what an emulator says is a sample."""
    urls = {ecb.NAME: settings.ECB_BASE_URL, banxico.NAME: settings.BANXICO_BASE_URL}
    is_emulated = bool(settings.SANDBOX_BASE_URL) and urls[source].startswith(
        f"{settings.SANDBOX_BASE_URL}/"
    )
    return SAMPLE if is_emulated else source
