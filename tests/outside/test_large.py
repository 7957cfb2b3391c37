"""Answers far larger than any image: refused, in bounded memory."""

from pathlib import Path

import pytest

from tests.outside.cases import UNAVAILABLE, Case, run_all
from tests.outside.faults_table import BFL, CORE, DALL_E, FAL, GEMINI, IDEOGRAM, OPENAI, XAI

pytestmark = [pytest.mark.big, pytest.mark.xdist_group("outside")]
GROWTH_MAX_KB = 250_000
# Each of two answers that are read whole: the text, its parsed form, and the image.
GROWTH_MAX_WHOLE_KB = 2 * GROWTH_MAX_KB


def _download(do: str) -> list[dict[str, object]]:
    return [{"step": "download", "do": do}]


ONE = {"step": "content", "do": "one_huge"}
LARGE = (
    Case(OPENAI, "base64", [{"step": "content", "do": "huge"}], UNAVAILABLE),
    Case(GEMINI, "base64", [{"step": "content", "do": "huge"}], UNAVAILABLE),
    Case(FAL, "download", _download("huge"), UNAVAILABLE),
    Case(BFL, "download", _download("endless"), UNAVAILABLE),
    Case(IDEOGRAM, "download", _download("huge"), UNAVAILABLE),
)
ENDLESS = (
    Case(DALL_E, "call", [{"do": "endless"}], UNAVAILABLE),
    Case(CORE, "call", [{"do": "endless"}], UNAVAILABLE),
    Case(IDEOGRAM, "call", [{"do": "huge"}], UNAVAILABLE),
    Case(FAL, "status", [{"step": "status", "do": "endless", "times": 1}]),
    Case(FAL, "download", _download("endless"), UNAVAILABLE),
)
# Within what several images may have together, so the answer is read whole.
AMONG_OTHERS = tuple(
    Case(OPENAI, f"one-of-four-{number}", [ONE], n=4, delivered=3) for number in range(2)
)
BOMBS = (
    Case(XAI, "call", [{"do": "bomb"}], UNAVAILABLE),
    Case(CORE, "call", [{"do": "bomb"}], UNAVAILABLE),
    Case(FAL, "download", _download("bomb"), UNAVAILABLE),
    Case(BFL, "status", [{"step": "status", "do": "bomb", "times": 1}]),
    Case(IDEOGRAM, "download", _download("bomb"), UNAVAILABLE),
)


@pytest.mark.parametrize(
    ("cases", "growth_max_kb"),
    [
        (LARGE, GROWTH_MAX_KB),
        (ENDLESS, GROWTH_MAX_KB),
        (AMONG_OTHERS, GROWTH_MAX_WHOLE_KB),
        (BOMBS, GROWTH_MAX_KB),
    ],
    ids=["large", "endless", "among-others", "bombs"],
)
def test_large_answers_are_refused_in_bounded_memory(
    cases, growth_max_kb, outside, upstream
) -> None:
    (worker,) = outside.process_ids("worker").values()
    # The high-water mark begins anew at the present size.
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    before_kb = _memory_kb(worker, "VmHWM")

    outcomes = run_all(cases, outside, upstream)

    growth_kb = _memory_kb(worker, "VmHWM") - before_kb
    assert {
        str(case): found.findings() for case, found in outcomes.items() if found.findings()
    } == {}
    assert growth_kb < growth_max_kb


def _memory_kb(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise AssertionError(name)
