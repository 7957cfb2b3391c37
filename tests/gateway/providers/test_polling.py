import time

import pytest

from gateway.providers import errors, polling


def test_until_returns_the_first_answer():
    answers = iter([None, None, "done", "never"])

    assert polling.until(lambda: next(answers), deadline=time.monotonic() + 20) == "done"


def test_until_ends_at_the_deadline_before_the_first_question():
    asked: list[int] = []
    started = time.monotonic()

    with pytest.raises(errors.ProviderTimedOut) as raised:
        polling.until(lambda: asked.append(1), deadline=started + 0.2, first_s=20.0)

    assert raised.value.processed is True
    assert asked == []
    assert time.monotonic() - started < 10


def test_until_lets_a_failure_through():
    def fail():
        raise errors.BadResponse("no")

    with pytest.raises(errors.BadResponse):
        polling.until(fail, deadline=time.monotonic() + 20)


@pytest.mark.parametrize(("expected_s", "pause_s"), [(5.0, 0.5), (60.0, 2.0)])
def test_first_pause_is_a_tenth_up_to_two_seconds(expected_s: float, pause_s: float):
    assert polling.first_pause_s(expected_s) == pause_s


@pytest.mark.parametrize(
    ("status", "passing"), [(500, True), (503, True), (408, True), (429, True), (404, False)]
)
def test_answers_that_pass_are_told_from_those_that_stay(status: int, passing: bool):
    assert polling.is_passing(status) is passing
