"""Everything that can go wrong with an answer: an image or the documented error, never a 500."""

import pytest

from tests.outside.cases import Case, Outcome, key_findings, run_all
from tests.outside.faults_table import every_case, some_cases

pytestmark = [pytest.mark.big, pytest.mark.xdist_group("outside")]
CASES = tuple(some_cases())


@pytest.fixture(scope="module")
def outcomes(outside, upstream) -> dict[Case, Outcome]:
    return run_all(CASES, outside, upstream)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_costs_nothing_but_the_image(case: Case, outcomes: dict[Case, Outcome]) -> None:
    assert outcomes[case].findings() == []


def test_keys_go_to_their_providers_alone(outcomes: dict[Case, Outcome], upstream) -> None:
    assert outcomes
    assert key_findings(upstream.seen()) == []


@pytest.mark.big
def test_each_fault_of_each_provider_costs_nothing_but_the_image(outside, upstream) -> None:
    found = run_all(tuple(every_case()), outside, upstream)

    wrong = {str(case): outcome.findings() for case, outcome in found.items()}
    assert {name: findings for name, findings in wrong.items() if findings} == {}
    assert key_findings(upstream.seen()) == []
