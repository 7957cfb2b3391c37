"""Providers that do not accept our key, or say that our account is empty."""

from collections.abc import Mapping

import pytest

from tests.outside.cases import UNAVAILABLE, Case, run_all
from tests.outside.faults_table import AZURE, BFL, CORE, FAL, GEMINI, IDEOGRAM, OPENAI, XAI, XL

pytestmark = [pytest.mark.big, pytest.mark.xdist_group("outside")]


def _rule(status: int, body: Mapping[str, object]) -> list[Mapping[str, object]]:
    return [{"status": status, "body": body}]


def _openai(code: str) -> Mapping[str, object]:
    return {"error": {"message": "No.", "type": code, "param": None, "code": code}}


def _google(status: str, message: str, **details: str) -> Mapping[str, object]:
    error = {"code": 400, "message": message, "status": status, "details": [details]}
    return {"error": error}


KEYS = (
    Case(OPENAI, "key", _rule(401, _openai("invalid_api_key")), UNAVAILABLE),
    Case(AZURE, "key", _rule(401, {"error": {"code": "401", "message": "No."}}), UNAVAILABLE),
    Case(
        GEMINI,
        "key",
        _rule(400, _google("INVALID_ARGUMENT", "Not valid.", reason="API_KEY_INVALID")),
        UNAVAILABLE,
    ),
    Case(XAI, "key", _rule(401, {"code": "401", "error": "Incorrect API key."}), UNAVAILABLE),
    Case(FAL, "key", _rule(401, {"detail": "Authentication is required."}), UNAVAILABLE),
    Case(BFL, "key", _rule(403, {"detail": "Not authenticated"}), UNAVAILABLE),
    Case(CORE, "key", _rule(401, {"name": "unauthorized", "errors": ["No."]}), UNAVAILABLE),
    Case(IDEOGRAM, "key", _rule(401, {"error": "Unauthorized"}), UNAVAILABLE),
)
FUNDS = (
    Case(OPENAI, "funds", _rule(429, _openai("insufficient_quota")), UNAVAILABLE),
    Case(GEMINI, "funds", _rule(400, _google("FAILED_PRECONDITION", "Billing.")), UNAVAILABLE),
    Case(XAI, "funds", _rule(403, {"code": "403", "error": "No credits left."}), UNAVAILABLE),
    Case(
        FAL,
        "funds",
        _rule(403, {"detail": "User is locked. Reason: Exhausted balance."}),
        UNAVAILABLE,
    ),
    Case(BFL, "funds", _rule(402, {"detail": "Insufficient credits"}), UNAVAILABLE),
    Case(XL, "funds", _rule(402, {"name": "payment_required", "message": "No."}), UNAVAILABLE),
    Case(IDEOGRAM, "funds", _rule(402, {"error": "No credits"}), UNAVAILABLE),
)


@pytest.mark.parametrize(
    ("cases", "kind"),
    [(KEYS, "BadCredentials"), (FUNDS, "OutOfFunds")],
    ids=["keys", "funds"],
)
def test_our_account_is_at_fault_and_the_customer_pays_nothing(
    cases, kind, outside, upstream
) -> None:
    """One call each: it opens the provider's breaker at once."""
    outcomes = run_all(cases, outside, upstream)

    wrong = {str(case): found.findings() for case, found in outcomes.items() if found.findings()}
    assert wrong == {}
    for case, outcome in outcomes.items():
        kinds = [
            one.error_kind for one in outcome.attempts if one.provider == case.subject.provider
        ]
        assert kinds == [kind], str(case)
