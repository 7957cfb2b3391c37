"""`GET /v1/usage`: what was charged, in buckets of the organization's time zone."""

import csv
import io
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from billing.services.holds import authorize_hold, capture_hold
from billing.services.quotes import Cell, quote_unit
from core.clock import now
from orgs.models import ApiKey
from tests.gateway.api.expect import expect_error
from tests.gateway.services.rows import add_generation
from tests.tenants import MODEL, Tenant, new_prompt

USAGE = "/v1/usage"
MEXICO = ZoneInfo("America/Mexico_City")
NEW_YORK = ZoneInfo("America/New_York")


def usage(tenant: Tenant, **query: object) -> dict[str, Any]:
    answer = tenant.get(f"{USAGE}?{urlencode(query)}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def results(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [result for bucket in page["data"] for result in bucket["results"]]


def all_buckets(tenant: Tenant, **query: object) -> list[dict[str, Any]]:
    page = usage(tenant, **query)
    buckets: list[dict[str, Any]] = page["data"]
    while page["has_more"]:
        page = usage(tenant, **query, page=page["next_page"])
        buckets += page["data"]
    assert page["next_page"] is None
    return buckets


def images_by_day(buckets: list[dict[str, Any]], zone: ZoneInfo) -> dict[str, int]:
    return {
        f"{datetime.fromtimestamp(bucket['start_time'], zone):%m-%d %H:%M}": sum(
            result["images"] for result in bucket["results"]
        )
        for bucket in buckets
    }


@pytest.fixture
def charge_at() -> Callable[[Tenant, datetime], None]:
    """Charge an image at an instant of the past."""

    def charge_at(tenant: Tenant, instant: datetime) -> None:
        with tenant.stack.database():
            api_key = ApiKey.objects.get(id=tenant.api_key_id)
            generation = add_generation(api_key, status="failed", finished_at=now(), error={})
            quote = quote_unit(
                organization_id=tenant.organization_id,
                currency="USD",
                cell=Cell("flux-1.1-pro", "1024x1024", quality="", pixels=1024 * 1024),
                now=now(),
            )
            authorize_hold(
                organization_id=tenant.organization_id,
                api_key_id=tenant.api_key_id,
                reference=str(generation.id),
                quote=quote,
                count=1,
                deadline_at=instant + timedelta(seconds=60),
                now=instant - timedelta(seconds=5),
            )
            capture_hold(
                reference=str(generation.id), artifact_references=[str(uuid4())], now=instant
            )

    return charge_at


def test_bucket_sums_are_what_the_wallet_lost(tenant, stack):
    failing = new_prompt()
    stack.upstream.rule(failing, status=500)
    started = int(time.time())
    tenant.generate(new_prompt())
    tenant.generate(new_prompt(), model="dall-e-2", n=3, size="256x256")
    tenant.generate(failing)
    lost = 10 - Decimal(tenant.balance()[0])

    page = usage(tenant, start_time=started, end_time=started + 60)

    assert page["object"] == "page"
    assert {bucket["object"] for bucket in page["data"]} == {"bucket"}
    [result] = results(page)
    assert result == {
        "object": "usage.result",
        "model": None,
        "api_key_id": None,
        "user": None,
        "images": 4,
        "requests": 2,
        "amount": f"{lost.normalize():f}",
        "currency": "USD",
    }


def test_groups_are_by_model_key_and_user(tenant):
    another = tenant.another_key()
    tenant.generate(new_prompt(), user="alice")
    tenant.generate(new_prompt(), user="bob")
    another.generate(new_prompt(), user="alice", model="dall-e-2", size="256x256")
    another.generate(new_prompt())

    def grouped(*names: str, **query: object) -> dict[tuple[str | None, ...], int]:
        found = results(usage(tenant, **query))
        return {tuple(one[name] for name in names): one["requests"] for one in found}

    keys = (str(tenant.api_key_id), str(another.api_key_id))
    assert grouped("model", group_by="model") == {(MODEL,): 3, ("dall-e-2",): 1}
    assert grouped("user", group_by="user") == {("alice",): 2, ("bob",): 1, (None,): 1}
    assert grouped("api_key_id", group_by="api_key_id") == {(keys[0],): 2, (keys[1],): 2}
    several = {
        ("alice", MODEL): 1,
        ("bob", MODEL): 1,
        ("alice", "dall-e-2"): 1,
        (None, MODEL): 1,
    }
    assert grouped("user", "model", group_by="user,model") == several
    for form in ("group_by=user&group_by=model", "group_by[]=user&group_by[]=model"):
        page = tenant.get(f"{USAGE}?{form}").json()
        assert {(one["user"], one["model"]) for one in results(page)} == set(several)


def test_days_are_those_of_the_organizations_time_zone(tenant, charge_at):
    tenant.set_organization(time_zone="America/Mexico_City")
    midnight = datetime(2026, 10, 15, tzinfo=MEXICO)
    for offset in (-1, 0, 3 * 3600, 86_399, 86_400):
        charge_at(tenant, midnight + timedelta(seconds=offset))
    start = int(midnight.timestamp())

    page = usage(tenant, start_time=start - 1, end_time=start + 86_401)

    assert images_by_day(page["data"], MEXICO) == {
        "10-14 00:00": 1,
        "10-15 00:00": 3,
        "10-16 00:00": 1,
    }
    assert {bucket["end_time"] - bucket["start_time"] for bucket in page["data"]} == {86_400}


def test_first_and_last_bucket_count_what_lies_within_the_period(tenant, charge_at):
    noon = datetime(2026, 10, 15, 12, tzinfo=ZoneInfo("UTC"))
    for minutes in (-1, 0, 59, 60):
        charge_at(tenant, noon + timedelta(minutes=minutes))
    start = int(noon.timestamp())

    page = usage(tenant, start_time=start, end_time=start + 3600)

    assert [one["images"] for one in results(page)] == [2]
    [bucket] = page["data"]
    assert (bucket["start_time"], bucket["end_time"]) == (start - 43_200, start + 43_200)


def test_day_of_a_clock_change_has_25_hours(tenant, charge_at):
    tenant.set_organization(time_zone="America/New_York")
    first = datetime(2026, 11, 1, tzinfo=NEW_YORK)
    second = datetime(2026, 11, 2, tzinfo=NEW_YORK)
    charge_at(tenant, second - timedelta(seconds=1))
    period = {"start_time": int(first.timestamp()), "end_time": int(second.timestamp())}

    days = all_buckets(tenant, **period)
    hours = all_buckets(tenant, **period, bucket_width="1h", limit=10)

    assert [bucket["end_time"] - bucket["start_time"] for bucket in days] == [25 * 3600]
    assert [len(bucket["results"]) for bucket in hours] == [0] * 24 + [1]
    assert [bucket["start_time"] for bucket in hours[1:]] == [
        bucket["end_time"] for bucket in hours[:-1]
    ]


def test_hours_begin_when_the_local_clock_says_so(tenant, charge_at):
    tenant.set_organization(time_zone="Asia/Kolkata")
    charge_at(tenant, datetime(2026, 10, 15, 10, 45, tzinfo=ZoneInfo("Asia/Kolkata")))
    start = int(datetime(2026, 10, 15, 10, tzinfo=ZoneInfo("Asia/Kolkata")).timestamp())

    page = usage(tenant, start_time=start, end_time=start + 3600, bucket_width="1h")

    assert [(one["start_time"], len(one["results"])) for one in page["data"]] == [(start, 1)]


def test_pages_cover_the_period_once(tenant, charge_at):
    first = datetime(2026, 9, 1, tzinfo=ZoneInfo("UTC"))
    for day in (0, 3, 4, 9):
        charge_at(tenant, first + timedelta(days=day, hours=5))
    period = {"start_time": int(first.timestamp()), "end_time": int(first.timestamp()) + 864_000}

    whole = all_buckets(tenant, **period, limit=31)

    assert len(whole) == 10
    assert sum(len(bucket["results"]) for bucket in whole) == 4
    for limit in (1, 3, 10):
        assert all_buckets(tenant, **period, limit=limit) == whole


def test_period_without_charges_has_empty_buckets(tenant):
    page = usage(tenant, start_time=1_700_000_000, end_time=1_700_000_000 + 3 * 86_400, limit=31)

    assert [bucket["results"] for bucket in page["data"]] == [[]] * 4
    assert usage(tenant, start_time=1_700_000_000, end_time=1_700_000_000)["data"] == []


@pytest.mark.parametrize(("width", "count"), [("1d", 7), ("1h", 24)])
def test_default_is_the_last_days_or_hours(width, count, tenant):
    tenant.generate(new_prompt())

    page = usage(tenant, bucket_width=width)

    assert len(page["data"]) == count
    assert page["has_more"] is False
    assert [len(bucket["results"]) for bucket in page["data"]] == [0] * (count - 1) + [1]
    assert page["data"][-1]["start_time"] <= time.time() < page["data"][-1]["end_time"]


def test_csv_has_the_same_rows(tenant):
    tenant.generate(new_prompt(), user='=HYPERLINK("x")')
    tenant.generate(new_prompt(), user="a, b\nc")
    tenant.generate(new_prompt())

    answer = tenant.get(f"{USAGE}?group_by=user&format=csv")

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    page = usage(tenant, group_by="user")
    assert {row["user"] for row in rows} == {'\'=HYPERLINK("x")', "a, b\nc", ""}
    assert [row["amount"] for row in rows] == [one["amount"] for one in results(page)]
    assert [int(row["start_time"]) for row in rows] == [page["data"][-1]["start_time"]] * 3
    assert set(rows[0]) == {"start_time", "end_time"} | set(results(page)[0]) - {"object"}


def test_csv_names_its_next_page(tenant):
    query = "start_time=1700000000&end_time=1700300000&limit=1"
    page = tenant.get(f"{USAGE}?{query}").json()

    answer = tenant.get(f"{USAGE}?{query}&format=csv")

    assert answer.headers["X-Next-Page"] == page["next_page"]
    assert answer.text == (
        "start_time,end_time,model,api_key_id,user,images,requests,amount,currency\r\n"
    )


def test_only_ones_own_live_images_count(tenant, open_tenant):
    other = open_tenant()
    tester = tenant.another_key(livemode=False)
    tenant.generate(new_prompt())
    tester.generate(new_prompt())

    assert [one["requests"] for one in results(usage(tenant))] == [1]
    assert results(usage(tester)) == results(usage(tenant))
    assert results(usage(other)) == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("start_time=yesterday", "start_time"),
        ("start_time=-1", "start_time"),
        ("start_time=1e9", "start_time"),
        ("end_time=2026-11-21", "end_time"),
        ("end_time=999999999999", "end_time"),
        ("start_time=200&end_time=100", "end_time"),
        ("bucket_width=1m", "bucket_width"),
        ("bucket_width=", "bucket_width"),
        ("group_by=prompt", "group_by"),
        ("group_by=model,prompt", "group_by"),
        ("limit=0", "limit"),
        ("limit=32", "limit"),
        ("bucket_width=1h&limit=169", "limit"),
        ("limit=x", "limit"),
        ("page=2", "page"),
        ("page=page_12", "page"),
        ("start_time=1700000000&end_time=1700300000&page=page_1700000001", "page"),
        ("page=page_99999999999999999999", "page"),
        ("format=xml", "format"),
        ("limit=1&limit=2", "limit"),
    ],
)
def test_bad_values_are_refused_by_name(query, param, tenant):
    expect_error(tenant.get(f"{USAGE}?{query}"), 400, "invalid_value", param)


def test_usage_needs_its_scope(tenant):
    reader = tenant.another_key(scopes=("images:read", "images:write"))

    expect_error(reader.get(USAGE), 403, "insufficient_scope")
