"""Rates are counted in Valkey: without it nothing is refused, and nobody waits for it."""

import json
import time

import pytest
import requests

from tests.faults.stack import wait_for

pytestmark = pytest.mark.xdist_group("supervisor")
ASKED = 30
# Waiting for Valkey each time would be half a second each, beside what a request takes.
PATIENCE_S = ASKED * 0.5 * 0.8
HEADER = "X-RateLimit-Remaining-Requests"


def test_frozen_valkey_costs_a_limited_key_next_to_nothing(machine):
    """The organization has no money, so that answers come without a job, which Valkey announces."""
    (organization,) = machine.organizations("0")
    arguments = ("create_api_key", organization.id, "--requests-per-minute", "5", "--json")
    key = json.loads(machine.command(*arguments))["key"]

    def ask():
        answer = requests.post(
            f"{machine.base_url}/v1/images/generations",
            json={"model": "openai/dall-e-3", "prompt": "a lighthouse"},
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
        )
        return answer.status_code, answer.headers.get(HEADER)

    assert [ask() for _ in range(6)] == [(402, str(left)) for left in (4, 3, 2, 1, 0)] + [
        (429, "0")
    ]
    with machine.frozen("valkey"):
        started_s = time.monotonic()
        unlimited = {ask() for _ in range(ASKED)}
        took_s = time.monotonic() - started_s
    assert unlimited == {(402, None)}
    assert took_s < PATIENCE_S
    assert wait_for(
        lambda: (found := ask())[1] is not None and found,
        timeout_s=20,
        message="limits hold again",
    ) == (429, "0")
