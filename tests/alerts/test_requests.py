"""Alerts on requests: of a running product whose provider has a bad day."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
import requests
from django.db import connection

from tests.alerts.timeline import State, alert, assert_fires, system
from tests.stack import Stack
from tests.tenants import Tenant, new_prompt

AT_ONCE = 8


@pytest.fixture
def state(stack: Stack) -> Callable[[], State]:
    """Return what web and worker answer now; of all others, that they do."""

    def scrape(process: str) -> str:
        address = f"http://127.0.0.1:{stack.metrics_ports[process]}/metrics"
        return requests.get(address, timeout=20).text

    return lambda: system("", web=scrape("web"), worker=scrape("worker"))


def generate(tenant: Tenant, tag: str) -> list[int]:
    """Ask for a few images at once; return the answers' status."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        prompts = [f"{tag} {number}" for number in range(AT_ONCE)]
        return [answer.status_code for answer in pool.map(tenant.generate, prompts)]


def rename(stack: Stack, table: str, to: str) -> None:
    """Take a table away from the running product, or give it back."""
    with stack.database(), connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {to}")


@contextmanager
def locked_wallet(stack: Stack, tenant: Tenant) -> Iterator[None]:
    """Keep requests of an organization from being accepted, until the end."""
    with psycopg.connect(stack.environment["DATABASE_URL"]) as session:
        session.execute(
            "SELECT 1 FROM billing_balance WHERE account_id IN"
            " (SELECT id FROM billing_account WHERE organization_id = %s) FOR UPDATE",
            [tenant.organization_id],
        )
        yield


def test_a_provider_that_is_down_fails_requests_and_images(
    stack: Stack, tenant: Tenant, state: Callable[[], State]
):
    tag = new_prompt("down")
    assert generate(tenant, new_prompt("up")) == [200] * AT_ONCE
    healthy = state()
    stack.upstream.rule(tag, status=503)
    assert generate(tenant, tag) == [503] * AT_ONCE
    then = state()

    images = alert("ImagesFailing", provider="openai")
    fast = alert("RequestsFailing")
    assert_fires(alert("RequestsFailing"), healthy=healthy, then=then, after=5)
    assert_fires(
        alert("ImagesFailing", provider="openai"), fast, healthy=healthy, then=then, after=10
    )
    assert_fires(alert("RequestsFailingSlowly"), fast, images, healthy=healthy, then=then, after=20)


def test_images_that_cannot_be_used_cost_and_earn_nothing(
    stack: Stack, tenant: Tenant, state: Callable[[], State]
):
    tag = new_prompt("broken")
    assert generate(tenant, new_prompt("whole")) == [200] * AT_ONCE
    healthy = state()
    stack.upstream.rule(tag, send="truncated")
    assert generate(tenant, tag) == [503] * AT_ONCE
    then = state()

    assert_fires(
        alert("CostWithoutImages", provider="openai"),
        alert("RequestsFailing"),
        alert("ImagesFailing", provider="openai"),
        healthy=healthy,
        then=then,
        after=14,
    )


def test_a_fault_of_this_server_is_told_of(
    stack: Stack, tenant: Tenant, state: Callable[[], State]
):
    assert tenant.get("/v1/usage").status_code == 200
    healthy = state()
    rename(stack, "gateway_rollup", "gateway_rollup_gone")
    answer = tenant.get("/v1/usage")
    rename(stack, "gateway_rollup_gone", "gateway_rollup")
    assert answer.status_code == 500

    assert_fires(alert("InternalErrors"), healthy=healthy, then=state(), after=2, goes_on=False)


def test_requests_that_wait_to_be_accepted_are_told_of(
    stack: Stack, tenant: Tenant, state: Callable[[], State]
):
    assert generate(tenant, new_prompt("quick")) == [200] * AT_ONCE
    healthy = state()
    with ThreadPoolExecutor(1) as pool, locked_wallet(stack, tenant):
        answers = pool.submit(generate, tenant, new_prompt("slow"))
        time.sleep(1.5)
    assert answers.result() == [200] * AT_ONCE

    assert_fires(alert("AcceptingSlowly"), healthy=healthy, then=state(), after=12)
