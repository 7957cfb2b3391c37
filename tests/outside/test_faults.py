"""Everything that can go wrong with an answer: an image or the documented error, never a 500."""

import pytest

from tests.outside.cases import Case, Outcome, run_all
from tests.outside.faults_table import cases

pytestmark = pytest.mark.xdist_group("stack")
CASES = tuple(cases())


@pytest.fixture(scope="module")
def outcomes(outside, upstream) -> dict[Case, Outcome]:
    return run_all(CASES, outside, upstream)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_costs_nothing_but_the_image(case: Case, outcomes: dict[Case, Outcome]) -> None:
    assert outcomes[case].is_right() == []
