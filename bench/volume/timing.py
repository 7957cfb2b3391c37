"""Seed the database of the environment and time what reads it, request by request."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from typing import Final
from uuid import UUID, uuid4

# Sets Django up, which the imports below need.
from bench.requests import HEADING, MOST_RUNS, Case, Run, request, time_case  # isort: skip

from django.conf import settings
from django.db import connection
from django.test import Client

from bench.volume.rows import RARE_MODEL, Owner, add_rows
from billing.services.topups import top_up
from core.clock import now
from core.ids import request_id
from gateway.selectors.figures import Scope, day_totals, latencies, spend_by, totals_by
from gateway.selectors.gallery import GalleryFilters, list_images
from gateway.selectors.requests import RequestFilters, list_requests
from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from gateway.services.rollups import rebuild_rollups
from orgs.models import Membership, Organization
from orgs.services.audit import SYSTEM
from orgs.services.organizations import add_member, create_user

ORGANIZATIONS: Final = 200
KEYS: Final = 5
# More than all its images cost.
CREDIT_MICROS: Final = 10**12


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: the large organization, a key of it, and the session of its owner."""

    organization_id: UUID
    key: str
    cookie: str


def main() -> int:
    """Seed, print a line for each case; return 1 if a request was not answered with 200."""
    generations = int(sys.argv[1])
    began = time.perf_counter()
    reader = seed(generations)
    print(f"Seeded {generations} generations in {time.perf_counter() - began:.0f} s.")
    print(HEADING)
    for case in _cases(reader):
        print(time_case(case), flush=True)
    return 0


def seed(generations: int) -> Reader:
    """Open the organizations and add the rows; return who reads."""
    moment = now()
    owners, keys = [], []
    for number in range(ORGANIZATIONS):
        organization = open_organization(name=f"Volume {number}", currency="USD")
        made = [
            open_api_key(organization=organization, terms=KeyTerms(name=f"Key {one}"))
            for one in range(1 if number else KEYS)
        ]
        top_up(
            organization_id=organization.id,
            amount_micros=CREDIT_MICROS,
            idempotency_key=str(organization.id),
            now=moment,
        )
        owners.append(Owner(organization.id, tuple(key.id for key, _ in made)))
        keys.append(made[0][1])
    large = owners[0].organization_id
    with connection.cursor() as cursor:
        add_rows(cursor, owners=owners, generations=generations)
        rebuild_rollups()
        cursor.execute("VACUUM ANALYZE gateway_rollup, gateway_fact")
    return Reader(large, keys[0], _session(large))


def _session(organization_id: UUID) -> str:
    """Sign an owner in; return the cookie's value."""
    email = "owner@bench.localhost"
    user = create_user(email=email, password=uuid4().hex, actor=SYSTEM, name="Owner")
    organization = Organization.objects.get(id=organization_id)
    add_member(organization=organization, user=user, role=Membership.Role.OWNER, actor=SYSTEM)
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def _cases(reader: Reader) -> Iterator[Case]:
    yield from _polls(reader)
    yield from _lists(reader)
    yield from _usage(reader)
    yield from _selectors(reader)
    yield from _pages(reader)


def _polls(reader: Reader) -> Iterator[Case]:
    ended = [f"/v1/images/generations/{one}" for one in _ids(reader, "status = 'succeeded'")]
    yield Case("poll: ended", _api(reader, ended), 15)
    queued = [f"/v1/images/generations/{one}" for one in _ids(reader, "status = 'queued'")]
    yield Case("poll: queued, anywhere in the queue", _api(reader, queued), 15)


def _lists(reader: Reader) -> Iterator[Case]:
    middle, *_ = _ids(reader, "status <> 'queued'")
    deep = f"after={middle}"
    client = _value(reader, "client_request_id")
    queries = {
        "20 a page, newest": ("",),
        "20 a page, deep": (deep,),
        "100 a page, newest": ("limit=100",),
        "100 a page, deep": ("limit=100", deep),
        "by model, common": ("model=openai/gpt-image-1",),
        "by model, rare": (f"model={RARE_MODEL}",),
        "by model, none": ("model=openai/dall-e-2",),
        "by status, succeeded": ("status=succeeded",),
        "by status, failed": ("status=failed",),
        "by status, canceled": ("status=canceled",),
        "by status, queued": ("status=queued",),
        "by status, running (none)": ("status=running",),
        "by user": ("user=user-1000",),
        "by user, none": ("user=nobody",),
        "by client_request_id": (f"client_request_id={client}",),
    }
    for name, words in queries.items():
        path = f"/v1/images/generations?{'&'.join(words)}"
        yield Case(f"list: {name}", _api(reader, [path]), 15)


def _usage(reader: Reader) -> Iterator[Case]:
    moment = now()
    for name, period, width in (
        ("24 hours", timedelta(hours=24), "bucket_width=1h&limit=25"),
        ("7 days", timedelta(days=7), "bucket_width=1d&limit=8"),
        ("31 days", timedelta(days=30), "bucket_width=1d&limit=31"),
    ):
        for group in ("", "model", "user", "api_key_id"):
            start = int((moment - period).timestamp())
            path = f"/v1/usage?start_time={start}&{width}" + (f"&group_by={group}" if group else "")
            yield Case(f"usage: {name}{f' by {group}' if group else ''}", _api(reader, [path]))


def _selectors(reader: Reader) -> Iterator[Case]:
    own = reader.organization_id
    today = now().date()
    scope = Scope(own, "UTC", today - timedelta(days=30), today)
    yield Case("figures: day_totals, 31 days", lambda: day_totals(scope))
    yield Case("figures: spend_by model", lambda: spend_by(scope))
    yield Case("figures: spend_by user", lambda: spend_by(scope, by="user"))
    yield Case("figures: totals_by model, with failures", lambda: totals_by(scope))
    yield Case("figures: latencies", lambda: latencies(scope))
    yield Case("figures: latencies by model", lambda: latencies(scope, by="model"))
    gallery = {
        "newest": GalleryFilters(),
        "by rare model": GalleryFilters(model=RARE_MODEL),
        "frequent word": GalleryFilters(text="lighthouse"),
        "rare word": GalleryFilters(text="31416"),
    }
    for name, images in gallery.items():
        yield Case(f"gallery: 50, {name}", _gallery(own, images))
    log = {
        "newest": RequestFilters(),
        "failed": RequestFilters(status="failed"),
        "one code": RequestFilters(error_code="provider_timeout"),
        "by provider's id": RequestFilters(search="upstream-1000"),
    }
    for name, requests in log.items():
        yield Case(f"request log: 50, {name}", _log(own, requests))


def _gallery(organization_id: UUID, filters: GalleryFilters) -> Run:
    return lambda: list_images(organization_id=organization_id, filters=filters, limit=50)


def _log(organization_id: UUID, filters: RequestFilters) -> Run:
    return lambda: list_requests(organization_id=organization_id, filters=filters, limit=50)


def _pages(reader: Reader) -> Iterator[Case]:
    own = f"/o/{reader.organization_id}"
    paths = {
        "home": "",
        "usage": "/usage",
        "usage by user": "/usage?by=user",
        "charges": "/usage/charges",
        "billing": "/billing",
        "billing, credits": "/billing?show=credits",
        "budgets": "/budgets",
        "gallery": "/gallery",
        "requests": "/requests",
        "keys": "/keys",
        "playground": "/playground",
    }
    for name, path in paths.items():
        run = request(f"{own}{path}", cookie=reader.cookie)
        yield Case(f"page: {name}", run, 100, is_page=True)


def _api(reader: Reader, paths: Sequence[str]) -> Run:
    """Return the requests of these paths, one after another."""
    runs = cycle([request(path, key=reader.key) for path in paths])
    return lambda: next(runs)()  # noqa: PLW0108 - another one each time


def _ids(reader: Reader, condition: str) -> list[str]:
    """Return generations of the middle of those of a kind."""
    statement = f"""
        SELECT id FROM (
            SELECT id, percent_rank() OVER (ORDER BY created_at) AS rank FROM gateway_generation
            WHERE organization_id = %s AND {condition}
        ) AS ranked WHERE rank >= 0.5 ORDER BY rank LIMIT {MOST_RUNS}
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [reader.organization_id])
        return [request_id(row[0]) for row in cursor]


def _value(reader: Reader, column: str) -> str:
    statement = f"""
        SELECT {column} FROM gateway_generation
        WHERE organization_id = %s AND {column} <> '' ORDER BY created_at OFFSET 100 LIMIT 1
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [reader.organization_id])
        return str(cursor.fetchall()[0][0])


if __name__ == "__main__":
    sys.exit(main())
