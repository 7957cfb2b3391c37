"""Requests that schemathesis draws from the document: no 5xx, and nothing undocumented."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.api.reference.document import document
from gateway.api.streaming import EVENTS
from tests.reference import expect_documented, pattern_of
from tests.tenants import Tenant, new_prompt

SCHEMA = schemathesis.openapi.from_dict(dict(document()))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TIMEOUT_S = 60
LABELS = [
    f"{method.upper()} {path}"
    for path, methods in document()["paths"].items()
    for method in methods
]


@dataclass
class Fuzzed:
    """An organization, and ids of its own to be asked about."""

    tenant: Tenant
    ids: dict[str, str]

    def fuzz(self, label: str, *, count: int) -> None:
        """Send so many requests to an operation, right and wrong ones, and check each answer."""
        method, path = label.split(" ", 1)
        operation = SCHEMA[path][method]
        own = {name: value for name, value in self.ids.items() if f"{{{name}}}" in path}
        drawn = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]
        if own:
            drawn += [
                operation.as_strategy(generation_mode=mode, path_parameters=own)
                for mode in GenerationMode
            ]

        @seed(0)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(drawn))
        def run(case: Any) -> None:
            self._send(case, path)

        run()

    def _send(self, case: Any, path: str) -> None:
        headers = {"Authorization": f"Bearer {self.tenant.key}"}
        how = case.as_transport_kwargs(base_url=self.tenant.stack.url, headers=headers)
        answer = requests.request(timeout=TIMEOUT_S, allow_redirects=False, **how)
        assert answer.status_code < 500, f"{how}: {answer.text}"
        if re.fullmatch(pattern_of(path), urlsplit(str(answer.request.url)).path):
            expect_documented(answer, path=path)
            # Of a stream it would hold the frame of an event, not its data, against the schema.
            is_stream = answer.headers.get("Content-Type") == EVENTS
            case.validate_response(answer, checks=CHECKS[:-1] if is_stream else CHECKS)
        else:
            # What stands for a parameter has made another path of it.
            assert answer.status_code in {200, 404, 405}, f"{how}: {answer.text}"


@pytest.fixture
def fuzzed(tenant: Tenant) -> Fuzzed:
    generation_id = tenant.generate(new_prompt()).headers["X-Generation-Id"]
    # Nothing listens there, and nothing is said to it: the event has no sender.
    body = {"url": "https://example.com/", "events": ["balance.low"]}
    webhook = tenant.request("POST", "/v1/webhooks", json=body).json()["id"]
    return Fuzzed(tenant, {"generation_id": generation_id, "webhook": webhook})


@pytest.mark.parametrize("label", LABELS)
def test_few_drawn_requests_are_answered_as_documented(fuzzed, label):
    fuzzed.fuzz(label, count=8)


@pytest.mark.big
@pytest.mark.parametrize("label", LABELS)
def test_many_drawn_requests_are_answered_as_documented(fuzzed, label):
    fuzzed.fuzz(label, count=400)
