"""What the processes of a product log, and what they do not."""

import os
import re

import pytest

from tests.telemetry.misbehavior import logs_of, misbehave, wait_for_event
from tests.tenants import Tenant

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ \d+ [\w.]+ ")


def test_no_line_has_a_prompt_or_a_key(stack, tenant: Tenant) -> None:
    since = stack.log_sizes()

    hushed = misbehave(tenant)

    wait_for_event(stack, "worker", "worker.run_crashed", since)
    lines = logs_of(stack, since)
    told = "\n".join(line for each in lines.values() for line in each)
    for event in ("attempt.failed", "Internal Server Error", "generating.database_lost"):
        assert event in told
    assert "[prompt]" in told
    assert [text for text in hushed if text in told] == []
    first = [each[0] for each in lines.values() if each]
    assert [line for line in first if not LINE.match(line)] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="Celery warns of root alone")
def test_warning_of_being_root_is_a_line_like_all_others(stack) -> None:
    words = "superuser privileges|specify a different user|User information"

    said = [line for line in stack.log_lines("worker", {}) if re.search(words, line)]

    assert said
    assert [line for line in said if not LINE.match(line)] == []
