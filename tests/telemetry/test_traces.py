"""One product that tells all it can: logs as JSON, traces and reports of errors."""

import json
import os
import secrets
from collections.abc import Callable, Iterator

import pytest
from pytest_django import DjangoDbBlocker

from config.settings import VERSION
from tests.stack import Stack, wait_until
from tests.telemetry.misbehavior import logs_of, misbehave, odd_prompt, wait_for_event
from tests.telemetry.receivers import Received, SentSpan, receiving
from tests.tenants import MODEL, Tenant, new_prompt

pytestmark = [pytest.mark.big, pytest.mark.xdist_group("telling")]
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5


@pytest.fixture(scope="module")
def received() -> Iterator[Received]:
    with receiving() as book:
        yield book


@pytest.fixture(scope="module")
def telling(
    received: Received,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Stack]:
    stack = Stack(
        tmp_path_factory.mktemp("telling"),
        django_db_blocker,
        dict(os.environ),
        settings={
            "LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            # So that a test knows the id of its trace.
            "TRUST_TRACEPARENT": "1",
            "SENTRY_DSN": received.sentry_dsn,
        },
    )
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def tenant(telling: Stack) -> Tenant:
    return Tenant.open(telling)


@pytest.fixture
def trace_of(received: Received) -> Callable[..., dict[str, SentSpan]]:
    def find(trace_id: str, *, until: str) -> dict[str, SentSpan]:
        def found() -> dict[str, SentSpan]:
            spans = received.in_trace(trace_id)
            names = [one.name for one in spans.values()]
            return spans if until in names and len(names) >= 10 else {}

        return dict(wait_until(found, f"{until} in trace {trace_id}"))

    return find


def test_one_trace_leads_from_the_request_to_the_image(tenant: Tenant, telling, trace_of) -> None:
    trace_id, caller = secrets.token_hex(16), secrets.token_hex(8)
    prompt = new_prompt()
    headers = {"traceparent": f"00-{trace_id}-{caller}-01"}

    answer = tenant.generate(prompt, headers=headers)

    spans = trace_of(trace_id, until="POST /v1/images/generations")
    by_name = {one.name: one for one in spans.values()}
    request = by_name["POST /v1/images/generations"]
    run = by_name["generate"]
    call = by_name["generate_content dall-e-3"]
    assert answer.status_code == 200
    # Each hangs below another, and the first below the caller's own.
    assert {one.parent_id for one in spans.values()} <= {*spans, caller}
    assert request.parent_id == caller
    assert {one.service for one in spans.values()} == {"lienzo-web", "lienzo-worker"}
    children = {name: spans[one.parent_id].name for name, one in by_name.items() if one != request}
    assert children == {
        "authorize": request.name,
        "publish generate.openai": request.name,
        "wait": request.name,
        "generate": request.name,
        "claim": "generate",
        "generate_content dall-e-3": "generate",
        "POST": call.name,
        "check": "generate",
        "S3/PutObject": "generate",
        "settle": "generate",
    }
    assert (request.kind, run.kind, call.kind) == (SERVER, CONSUMER, CLIENT)
    assert request.start_ns <= run.start_ns <= call.start_ns <= call.end_ns <= run.end_ns
    assert by_name["settle"].end_ns <= request.end_ns
    public_id = answer.headers["X-Request-Id"]
    assert request.attributes["lienzo.request.id"] == public_id
    assert run.attributes["lienzo.request.id"] == public_id
    assert request.attributes["http.response.status_code"] == 200
    assert call.attributes["gen_ai.provider.name"] == "openai"
    assert call.attributes["gen_ai.request.model"] == "dall-e-3"
    # Nothing of it reaches the provider.
    [sent] = telling.upstream.calls(prompt)
    assert "traceparent" not in sent["headers"]


def test_polls_and_downloads_are_part_of_the_call(tenant: Tenant, received) -> None:
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}

    answer = tenant.generate(new_prompt(), model="fal/flux-1.1-pro", headers=headers)

    def calls() -> list[SentSpan]:
        spans = received.in_trace(trace_id)
        parents = [one.span_id for one in spans.values() if one.name.startswith("generate_content")]
        return [one for one in spans.values() if one.parent_id in parents]

    assert answer.status_code == 200
    wait_until(lambda: len(calls()) >= 3, "calls below the provider's")
    assert {one.name for one in calls()} == {"POST", "GET"}
    assert {one.attributes["server.address"] for one in calls()} == {"127.0.0.1"}
    assert {key for one in calls() for key in one.attributes} == {
        "http.request.method",
        "http.response.status_code",
        "server.address",
        "server.port",
    }


def test_every_line_is_json_and_has_neither_prompt_nor_key(
    tenant: Tenant, telling, received
) -> None:
    # What is said before a process serves is JSON, too.
    assert all(json.loads(line) for each in logs_of(telling, {}).values() for line in each)
    since = telling.log_sizes()

    hushed = misbehave(tenant)

    wait_for_event(telling, "worker", "worker.run_crashed", since)
    logs = logs_of(telling, since)
    lines = {name: [json.loads(line) for line in each] for name, each in logs.items()}
    told = "\n".join(line for each in logs.values() for line in each)
    assert [text for text in hushed if text in told] == []
    assert "[prompt]" in told
    for name, each in lines.items():
        assert {line["process"] for line in each} <= {name}
    failed = [line for line in lines["worker"] if line.get("event") == "attempt.failed"]
    assert {line["organization_id"] for line in failed} == {str(tenant.organization_id)}
    assert {line["provider"] for line in failed} == {"openai"}
    assert all(line["attempt_id"] and line["generation_id"] for line in failed)
    [crash] = [line for line in lines["web"] if "exception" in line]
    assert crash["exception"]["type"] == "IntegrityError"
    assert crash["logger"] == "django.request"
    asked = [line for line in lines["web"] if line.get("event") == "request.answered"]
    assert {"/v1/images/generations", "/v1/models/<path:model_id>", ""} <= {
        line["route"] for line in asked
    }
    assert {200, 400, 401, 404, 405, 500} & {line["status"] for line in asked} >= {401, 404, 500}
    _reports_tell_of_crashes(received, tenant, request_id=crash["request_id"])
    sent = b"\n".join(received.raw)
    assert [text for text in hushed if text.encode() in sent] == []


def _reports_tell_of_crashes(received: Received, tenant: Tenant, *, request_id: str) -> None:
    """Two things broke, one in web and one in the worker; what was refused is not reported."""
    wait_until(lambda: len(received.reports) >= 2, "reports of both crashes")
    reports = {report["tags"]["process"]: report for report in received.reports}
    assert len(received.reports) == 2
    assert set(reports) == {"web", "worker"}
    assert reports["web"]["tags"]["request_id"] == request_id
    for report in reports.values():
        assert report["release"] == f"lienzo@{VERSION}"
        assert report["tags"]["organization_id"] == str(tenant.organization_id)
        assert report["exception"]["values"][-1]["type"] == "IntegrityError"
        assert {"request", "user", "extra", "breadcrumbs"} & set(report) == set()
    assert reports["worker"]["logentry"]["message"].startswith("worker.run_crashed")
    assert reports["worker"]["tags"]["generation_id"]


def test_a_failed_request_says_so(tenant: Tenant, telling, received) -> None:
    tag = new_prompt("tracefails")
    trace_id = secrets.token_hex(16)
    telling.close_breakers()
    telling.upstream.rule(
        tag, status=400, body={"error": {"message": odd_prompt(tag), "code": "x"}}
    )

    tenant.generate(tag, headers={"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"})

    wait_until(
        lambda: any(one.name == "fail" for one in received.in_trace(trace_id).values()),
        "the end of the run",
    )
    failed = {one.name for one in received.in_trace(trace_id).values() if one.is_error}
    assert "generate_content dall-e-3" in failed
    assert tag.encode() not in b"".join(received.raw)


def test_a_collector_that_is_away_slows_nothing(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> None:
    stack = Stack(
        tmp_path_factory.mktemp("alone"),
        django_db_blocker,
        dict(os.environ),
        web_processes=1,
        settings={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        left_out=("sweeper", "dispatcher"),
    )
    try:
        stack.start()
        tenant = Tenant.open(stack)
        answers = [tenant.generate(new_prompt(), model=MODEL) for _ in range(5)]
        since = stack.log_sizes()
        wait_for_event(stack, "worker", "tracing.lost", dict.fromkeys(since, 0))
    finally:
        stack.stop()

    assert [answer.status_code for answer in answers] == [200] * 5
