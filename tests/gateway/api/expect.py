"""What every error answer has in common."""

import re

import requests

from tests.tenants import Tenant

REQUEST_ID = re.compile(r"req_[0-9a-f]{32}")
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    508: "api_error",
}


def expect_error(
    answer: requests.Response,
    status: int,
    code: str,
    param: str | None = None,
    *,
    retry: bool = False,
    details: frozenset[str] = frozenset(),
) -> str:
    """Check an error answer whole; return its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-should-retry"] == ("true" if retry else "false")
    assert REQUEST_ID.fullmatch(answer.headers["X-Request-Id"])
    body = answer.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"message", "type", "param", "code"} | details
    assert (error["type"], error["code"], error["param"]) == (TYPES[status], code, param)
    assert isinstance(error["message"], str)
    assert error["message"]
    return error["message"]


def expect_nothing_written(tenant: Tenant, *, posted_micros: int = 10_000_000) -> None:
    """Check that no row was written and no money moved or held."""
    assert tenant.generations() == []
    assert tenant.holds() == []
    assert tenant.wallet_micros() == (posted_micros, 0)


def expect_nothing_charged(tenant: Tenant, *, posted_micros: int = 10_000_000) -> None:
    """Check that each hold was released and the balance is as it was."""
    assert {hold.status for hold in tenant.holds()} == {"released"}
    assert tenant.wallet_micros() == (posted_micros, 0)
    assert tenant.postings("capture") == []
    assert tenant.artifacts() == []
    assert tenant.ledger_findings() == []
