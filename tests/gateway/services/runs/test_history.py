"""What a second claim learns from the attempts of the first."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from core.clock import now
from gateway.models import Attempt
from gateway.services.runs.history import LOST, WORKER_LOST, read_history
from gateway.services.runs.jobs import Purse
from gateway.services.runs.progress import INCOMPLETE, WITHHELD, Made, Progress
from gateway.types import Failure, StoredImage

START = now()
BROKEN = Failure(code="provider_unavailable", category="unavailable", message="", retryable=True)


def stored(index):
    return StoredImage(
        index=index,
        is_public=True,
        key=f"o/r/{index}.png",
        content_type="image/png",
        sha256=bytes([index]) * 32,
        size_bytes=9,
        width=8,
        height=8,
        revised_prompt="revised",
        seed=index,
    )


def attempt(number, indexes, **fields):
    row = {"status": "started", "cost_micros": 0, "claim_token": uuid4(), "started_at": START}
    return Attempt(number=number, indexes=indexes, **{**row, **fields})


def ended(number, indexes, **fields):
    return attempt(number, indexes, finished_at=START, **fields)


def history(attempts, *, n, after_s=1):
    return read_history(
        attempts,
        n=n,
        created_at=START,
        deadline_at=START + timedelta(seconds=60),
        now=START + timedelta(seconds=after_s),
    )


def test_images_costs_and_numbers_come_from_the_attempts():
    made = Made((stored(0), stored(2)), moderated=(1,), usage={"total_tokens": 5}, adjusted="x")
    past = history(
        [
            ended(1, [0, 1, 2], result=made.as_json(), cost_micros=120_000),
            ended(2, [3], status="failed", cost_micros=40_000),
        ],
        n=5,
    )

    assert past.progress.images == [stored(0), stored(2)]
    assert past.progress.given_up == {1: WITHHELD}
    assert past.progress.missing == [3, 4]
    assert past.progress.usage == {"total_tokens": 5}
    assert (past.spent, past.lost, past.attempts) == (Decimal("0.16"), Decimal("0.04"), 2)


def test_a_refused_call_is_not_made_again():
    past = history([ended(1, [0], status="refused", moderated=[0])], n=2)

    assert past.progress.missing == [1]
    assert past.progress.failure == WITHHELD


def test_an_open_call_with_an_upstream_job_is_left_to_be_collected():
    open_call = attempt(1, [0], upstream_id="job-1")

    past = history([open_call, ended(2, [1], error_code=WORKER_LOST)], n=2)

    assert past.left_behind == [open_call]
    assert past.progress.missing == [0, 1]


@pytest.mark.parametrize(("times", "after_s", "missing"), [(1, 29, [0]), (2, 29, []), (1, 31, [])])
def test_a_lost_call_is_repeated_once_and_only_in_the_first_half(times, after_s, missing):
    lost = [ended(number + 1, [0], error_code=WORKER_LOST) for number in range(times)]

    past = history(lost, n=1, after_s=after_s)

    assert past.progress.missing == missing
    assert missing or past.progress.failure == LOST


def test_a_lost_call_whose_successor_can_be_collected_is_not_given_up():
    lost = ended(1, [0], error_code=WORKER_LOST)

    past = history([lost, attempt(2, [0], upstream_id="job-2")], n=1, after_s=59)

    assert past.progress.missing == [0]


def test_usage_of_several_calls_is_added_up():
    progress = Progress(2)
    usage = {"total_tokens": 7, "input_tokens_details": {"text_tokens": 3}, "note": "a"}
    progress.add(Made((stored(0),), usage=usage), [0])
    progress.add(Made((stored(1),), usage=usage), [1])

    assert progress.usage == {
        "total_tokens": 14,
        "input_tokens_details": {"text_tokens": 6},
        "note": "a",
    }


def test_an_image_that_did_not_come_is_given_up_and_named():
    progress = Progress(3)
    progress.add(Made((stored(0),), moderated=(1,)), [0, 1, 2])

    assert progress.given_up == {1: WITHHELD, 2: INCOMPLETE}
    assert progress.delivery().undelivered == [
        {"index": 1, "outcome": "moderated", "code": "content_policy_violation"},
        {"index": 2, "outcome": "failed", "code": "provider_unavailable"},
    ]


def test_a_refusal_says_more_than_an_outage():
    progress = Progress(2)
    progress.give_up([0], BROKEN)
    progress.give_up([1], WITHHELD)

    assert progress.failure == WITHHELD


def test_a_purse_that_lost_nothing_asks_no_question():
    purse = Purse(limit=Decimal("0.01"))
    purse.reserve(Decimal("0.04"))

    assert purse.affords(Decimal("0.04"))


def test_a_purse_counts_what_is_lost_and_what_is_out():
    purse = Purse(limit=Decimal("0.16"))
    for _ in range(4):
        purse.reserve(Decimal("0.04"))
    purse.book(Decimal("0.04"), cost=Decimal("0.001"), lost=True)

    assert not purse.affords(Decimal("0.04"))
    purse.book(Decimal("0.04"), cost=Decimal(0), lost=True)
    assert purse.affords(Decimal("0.04"))
