"""A failing provider is left alone, tried by single probes, and called again once one succeeds."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from gateway.models import Attempt, Breaker
from gateway.providers.errors import (
    BadCredentials,
    BadResponse,
    ContentRefused,
    InputUnavailable,
    ModelRetired,
    OutOfFiles,
    OutOfFunds,
    ProviderError,
    ProviderRejected,
    ProviderTimedOut,
    ProviderUnavailable,
    RateLimited,
)
from gateway.services.breakers import (
    Admission,
    Board,
    Opening,
    State,
    board,
    give_back_probe,
    record_failure,
    record_success,
)
from gateway.services.runs.jobs import NotStoredError
from tests.gateway.services.breaking import Provider

CLAIMERS = 8


@pytest.fixture
def provider(db) -> Provider:
    return Provider()


@pytest.mark.parametrize("kind", [ProviderUnavailable, BadResponse])
def test_five_failures_in_a_minute_open_it(provider, kind):
    for _ in range(4):
        provider.fail(kind)
    assert not provider.is_open

    provider.fail(kind)

    breaker = provider.breaker
    assert (breaker.is_open, breaker.reason) == (True, kind.__name__)
    assert (breaker.failures, breaker.calls, breaker.opened_at) == (5, 5, provider.now)
    assert provider.admit() == Admission(State.OPEN, retry_at=provider.now + timedelta(seconds=5))


def test_failures_over_more_than_a_minute_do_not_open_it(provider):
    for _ in range(8):
        provider.fail()
        provider.wait(15.1)

    assert not provider.is_open


def test_fewer_than_half_of_the_calls_do_not_open_it(provider):
    for _ in range(6):
        provider.succeed()
    for _ in range(5):
        provider.fail()
    assert not provider.is_open

    provider.fail()

    assert provider.is_open


def test_silence_counts_only_if_there_was_time_to_answer(provider):
    for _ in range(9):
        provider.fail(ProviderTimedOut, seconds=3)
    assert not provider.is_open

    for _ in range(5):
        provider.fail(ProviderTimedOut, seconds=58)

    assert (provider.is_open, provider.breaker.reason) == (True, "ProviderTimedOut")


def test_silence_until_a_providers_own_limit_counts(provider, settings):
    settings.PROVIDER_TIMEOUTS = {provider.name: 10}

    for _ in range(5):
        provider.fail(ProviderTimedOut, seconds=9.9)

    assert provider.is_open


@pytest.mark.parametrize(
    "kind", [ContentRefused, ProviderRejected, ModelRetired, RateLimited, NotStoredError]
)
def test_a_provider_that_answers_is_not_at_fault(provider, kind):
    for _ in range(20):
        provider.fail(kind, seconds=58)

    assert not Breaker.objects.filter(provider=provider.name).exists()
    assert provider.admit() == Admission(State.CLOSED)


@pytest.mark.parametrize("kind", [BadCredentials, OutOfFunds])
def test_a_fault_of_our_account_opens_it_at_once(provider, kind, caplog):
    for _ in range(20):
        provider.succeed()

    with caplog.at_level(logging.ERROR, logger="gateway.services.breakers"):
        provider.fail(kind)
        provider.fail(kind)

    assert (provider.is_open, provider.breaker.reason) == (True, kind.__name__)
    opened = [line for line in caplog.messages if line.startswith("breaker.opened")]
    assert len(opened) == 1
    assert f"reason={kind.__name__}" in opened[0]


def test_sandboxed_attempts_and_ones_of_unknown_outcome_are_not_counted(provider):
    for _ in range(4):
        provider.fail()
    for status, fields in (("failed", {"is_sandboxed": True}), ("unknown", {})):
        provider._attempt(Attempt.Status(status), **fields)
        Attempt.objects.filter(provider=provider.name, is_sandboxed=True).update(
            error_kind="ProviderUnavailable"
        )
    provider.fail(RateLimited)

    assert not provider.is_open
    provider.fail()
    assert (provider.breaker.failures, provider.breaker.calls) == (5, 6)


def test_a_closed_breaker_costs_no_query(provider, django_assert_num_queries):
    provider.admit()

    with django_assert_num_queries(0):
        for _ in range(100):
            assert provider.admit().state is State.CLOSED
            record_success(provider=provider.name, probe=None, now=provider.now)


def test_one_probe_is_let_through_and_its_success_closes(provider, caplog):
    provider.open()
    provider.wait(5)

    first, second = provider.admit(), provider.admit()

    assert (first.state, second.state) == (State.PROBE, State.OPEN)
    with caplog.at_level(logging.INFO, logger="gateway.services.breakers"):
        provider.succeed(first.probe)
    assert provider.admit().state is State.CLOSED
    breaker = provider.breaker
    assert (breaker.is_open, breaker.closed_at) == (False, provider.now)
    assert [line for line in caplog.messages if line.startswith("breaker.closed")]


def test_a_success_from_before_the_opening_does_not_close(provider):
    provider.open()

    provider.succeed()

    assert provider.is_open


def test_pauses_double_to_80_seconds(provider):
    """About ten probing calls in the first ten minutes of an outage that answers at once."""
    provider.open()
    opened_at = provider.now
    at = []
    for _ in range(9):
        probe = provider.probe()
        at.append((provider.now - opened_at).total_seconds())
        provider.fail(probe=probe)

    assert at == [5, 15, 35, 75, 155, 235, 315, 395, 475]
    assert (provider.breaker.probes, provider.breaker.opened_at) == (9, opened_at)


def test_pauses_begin_anew_with_the_next_opening(provider):
    provider.open()
    provider.fail(probe=provider.probe())
    provider.succeed(provider.probe())
    provider.wait(1)
    provider.open()

    assert provider.breaker.retry_at == provider.now + timedelta(seconds=5)
    assert provider.breaker.probes == 0


def test_a_probe_without_an_outcome_is_given_up_for_the_next(provider):
    """Its worker died, or the provider hangs: well within two minutes another one may try."""
    provider.open()
    lost = provider.probe()
    started: datetime = provider.now
    following = provider.probe()

    assert following.number == lost.number + 1
    assert provider.now - started == timedelta(seconds=45)
    before = provider.breaker.retry_at
    provider.fail(probe=lost)
    assert provider.breaker.retry_at == before
    provider.succeed(lost)
    assert not provider.is_open


def test_a_probe_of_an_earlier_opening_closes_nothing(provider):
    provider.open()
    lost = provider.probe()
    provider.succeed(provider.probe())
    provider.wait(1)
    provider.open()

    provider.succeed(lost)

    assert provider.is_open


def test_a_probe_that_is_refused_shows_a_provider_alive(provider):
    provider.open()

    provider.fail(ContentRefused, probe=provider.probe())

    assert not provider.is_open


@pytest.mark.parametrize("kind", [OutOfFiles, InputUnavailable])
def test_a_fault_of_ours_says_nothing_of_a_provider(provider, kind: type[ProviderError]):
    for _ in range(9):
        provider.fail(kind)
    assert not provider.is_open

    provider.open()
    provider.fail(kind, probe=provider.probe())

    assert provider.is_open
    assert provider.admit().state is State.PROBE


def test_a_probe_that_was_not_made_is_given_back(provider):
    provider.open()

    give_back_probe(provider=provider.name, probe=provider.probe(), now=provider.now)

    assert provider.admit().state is State.PROBE


def test_an_outage_that_turns_out_to_be_our_account_has_that_reason(provider):
    provider.open()
    Breaker.objects.filter(provider=provider.name).update(alerted_at=provider.now)

    provider.fail(OutOfFunds, probe=provider.probe())

    breaker = provider.breaker
    assert (breaker.is_open, breaker.reason, breaker.alerted_at) == (True, "OutOfFunds", None)


def test_calls_that_still_hang_from_before_the_closing_do_not_open_it_again(provider):
    provider.open()
    provider.succeed(provider.probe())
    provider.wait(50)
    for _ in range(5):
        provider.fail(ProviderTimedOut, seconds=58)

    assert not provider.is_open
    provider.open()


def test_view_from_before_a_quiet_time_is_given_to_nobody(provider):
    """Who asks while another one reads the rows anew would else see them as they once were."""
    provider.open()
    view = Board()
    meanwhile: list[dict[str, Opening]] = []

    def ask_too(execute, *query):
        if not meanwhile:
            meanwhile.append({})
            meanwhile.append(view.openings())
        return execute(*query)

    with connection.execute_wrapper(ask_too):
        assert provider.name in view.openings()

    assert provider.name in meanwhile[1]


def test_of_many_workers_one_gets_the_probe(committed):
    """Each on a connection of its own; all have seen that the pause is over."""
    provider = Provider()
    provider.open()
    for _ in range(5):
        provider.now = provider.breaker.retry_at
        board().refresh()
        states = at_once(lambda _: provider.admit().state)
        assert sorted(states) == [State.OPEN] * (CLAIMERS - 1) + [State.PROBE]


def test_of_many_failures_at_once_none_is_lost(committed, caplog):
    """Each commits its attempt and counts: the last to count sees all. One opening is logged."""
    provider = Provider()
    for _ in range(4):
        provider.succeed()
    attempts = [provider._attempt(Attempt.Status.FAILED) for _ in range(CLAIMERS)]

    def fail(number: int) -> None:
        record_failure(
            provider=provider.name,
            attempt_id=attempts[number].id,
            kind=ProviderUnavailable,
            probe=None,
            now=provider.now,
        )

    with caplog.at_level(logging.ERROR, logger="gateway.services.breakers"):
        at_once(fail)

    assert provider.is_open
    assert len([line for line in caplog.messages if provider.name in line]) == 1


def at_once(work) -> list[Any]:
    """Run `work` in so many threads, started together, each with a connection."""
    start = threading.Barrier(CLAIMERS)

    def run(number: int) -> Any:
        connection.ensure_connection()
        try:
            start.wait()
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=CLAIMERS) as threads:
        return list(threads.map(run, range(CLAIMERS)))
