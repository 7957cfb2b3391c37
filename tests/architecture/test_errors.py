"""Error codes: one meaning each, and the page that lists them."""

from collections import defaultdict

from core.errors import Category
from gateway.api.errors import SHAPES, answer_to
from gateway.errors import ContentRefusedError
from tests.architecture.tree import DOCS, error_classes, table_rows

PAGE = DOCS / "errors.md"
# One meaning each, said of different things: a value that cannot be, what does not exist for the
# caller, and a fault of ours.
SHARED_CODES = frozenset({"invalid_value", "not_found", "internal_error"})
# Codes of the upstream, passed on by `ContentRefusedError`.
PASSED_ON = frozenset({"moderation_blocked"})


def test_each_code_has_one_meaning() -> None:
    classes = defaultdict(list)
    categories = defaultdict(set)
    for error in error_classes():
        classes[error.code].append(error.__name__)
        categories[error.code].add((error.category, error.retryable))

    shared = {code for code, names in classes.items() if len(names) > 1}
    assert shared <= SHARED_CODES, {code: classes[code] for code in shared - SHARED_CODES}
    assert {code: found for code, found in categories.items() if len(found) > 1} == {}


def test_each_error_has_a_code_of_its_own_or_its_base_and_says_what_it_is() -> None:
    for error in error_classes():
        assert error.code.replace("_", "").isalpha(), error
        assert error.code == error.code.lower(), error
        assert error.__doc__, error


def test_each_category_has_a_shape() -> None:
    assert set(SHAPES) == set(Category)


def test_page_lists_the_code_status_type_and_retry_of_every_error() -> None:
    expected = {
        error.code: (
            str(SHAPES[error.category].status),
            f"`{SHAPES[error.category].type}`",
            "yes" if error.retryable or error.category is Category.INTERNAL else "no",
        )
        for error in error_classes()
    }
    expected |= dict.fromkeys(PASSED_ON, expected[ContentRefusedError.code])

    documented = {row[0].strip("`"): tuple(row[1:4]) for row in table_rows(PAGE)}

    assert documented == expected


def test_retryable_errors_are_answered_so() -> None:
    for error in error_classes():
        if error is not ContentRefusedError:
            answer = answer_to(error("It failed."))
            wanted = error.retryable or error.category is Category.INTERNAL
            assert answer.headers["X-Should-Retry"] == str(wanted).lower()
