"""What must hold after any fault, compared between callers, database, upstream and storage."""

import hashlib
import json
from collections import Counter
from typing import Any

import requests

from tests.faults.clients import Call
from tests.faults.stack import Organization, Stack, wait_for

LATEST_END_S = 60
Row = dict[str, Any]


def audit(stack: Stack, organization: Organization, calls: list[Call]) -> None:
    """Check one organization whose calls have all been answered.

    Every call got one image of its own, made by the upstream for its prompt; each generation has
    ended; each delivered image was charged once; nothing is held; the ledger verifies.
    """
    generations = _ended_generations(stack, organization)
    _check_answers(stack, calls, generations)
    _check_money(stack, organization, generations)
    _check_upstream(stack, organization, generations)
    verify_ledger(stack, organization)


def verify_ledger(stack: Stack, organization: Organization) -> None:
    """Check the ledger and the stored objects with the product's own command."""
    arguments = ("verify_ledger", "--objects", "--json", "--organization", organization.id)
    report = json.loads(stack.command(*arguments, check=False))
    assert report["violations"] == 0, report


def _ended_generations(stack: Stack, organization: Organization) -> list[Row]:
    def load() -> list[Row] | None:
        rows = stack.rows(
            "SELECT g.id, g.status, g.parameters->>'prompt' AS prompt, g.charged_micros,"
            " g.deadline_at, g.finished_at, a.key, encode(a.sha256, 'hex') AS sha256"
            " FROM gateway_generation g LEFT JOIN gateway_artifact a ON a.generation_id = g.id"
            " WHERE g.organization_id = %s",
            organization.id,
        )
        return rows if all(row["finished_at"] for row in rows) else None

    ended = wait_for(load, timeout_s=120, message="every generation ends", every_s=0.5) or []
    for row in ended:
        late_s = (row["finished_at"] - row["deadline_at"]).total_seconds()
        assert late_s < LATEST_END_S, row
    return ended


def _check_answers(stack: Stack, calls: list[Call], generations: list[Row]) -> None:
    unanswered = [(call.prompt, call.tries, call.body) for call in calls if call.status != 200]
    assert unanswered == []
    delivered = Counter(row["prompt"] for row in generations if row["status"] == "succeeded")
    assert delivered == Counter(call.prompt for call in calls)
    stored = {row["prompt"]: row for row in generations if row["status"] == "succeeded"}
    seen = set()
    with requests.Session() as session:
        for call in calls:
            data = session.get(call.url, timeout=30).content
            digest = hashlib.sha256(data).hexdigest()
            assert digest == stored[call.prompt]["sha256"]
            assert call.url.endswith(stored[call.prompt]["key"])
            seen.add(digest)
    assert len(seen) == len(calls)


def _check_money(stack: Stack, organization: Organization, generations: list[Row]) -> None:
    holds = stack.rows(
        "SELECT reference, status, captured_micros FROM billing_hold WHERE organization_id = %s",
        organization.id,
    )
    outcome = {"succeeded": "captured", "failed": "released"}
    assert {hold["reference"]: hold["status"] for hold in holds} == {
        str(row["id"]): outcome[row["status"]] for row in generations
    }
    captures = Counter(
        {
            row["reference"]: row["count"]
            for row in stack.rows(
                "SELECT reference, count(*) FROM billing_journalentry"
                " WHERE kind = 'capture' AND reference = ANY(%s) GROUP BY reference",
                [hold["reference"] for hold in holds],
            )
        }
    )
    delivered = [row for row in generations if row["status"] == "succeeded"]
    assert captures == Counter(str(row["id"]) for row in delivered)
    balance = balance_of(stack, organization)
    paid = stack.rows(
        "SELECT coalesce(sum(p.amount_micros), 0) AS sum FROM billing_posting p"
        " JOIN billing_account a ON a.id = p.account_id JOIN billing_journalentry e"
        " ON e.id = p.entry_id WHERE a.organization_id = %s AND e.kind = 'top_up'",
        organization.id,
    )[0]["sum"]
    assert balance["held"] == 0
    assert balance["posted"] == paid - sum(row["charged_micros"] for row in delivered)


def _check_upstream(stack: Stack, organization: Organization, generations: list[Row]) -> None:
    """Each stored image came from the upstream; a job with a saved id was never made twice."""
    attempts = stack.rows(
        "SELECT t.generation_id, t.error_code, t.upstream_id, g.parameters->>'prompt' AS prompt"
        " FROM gateway_attempt t JOIN gateway_generation g ON g.id = t.generation_id"
        " WHERE g.organization_id = %s",
        organization.id,
    )
    made: dict[str, set[str]] = {}
    for call in stack.upstream.calls("", steps=("generate", "result")):
        made.setdefault(call["prompt"], set()).add(call.get("sha256", ""))
    for row in generations:
        if row["sha256"]:
            assert row["sha256"] in made[row["prompt"]], row
    # An id saved only after the job was given up as lost could not be resumed.
    with_id = Counter(
        row["generation_id"]
        for row in attempts
        if row["upstream_id"] and row["error_code"] != "worker_lost"
    )
    assert [count for count in with_id.values() if count > 1] == []
    calls = Counter(call["prompt"] for call in stack.upstream.calls(""))
    recorded = Counter(row["prompt"] for row in attempts)
    # Recorded before it is made: no call without its attempt.
    assert {prompt: calls[prompt] for prompt in recorded if calls[prompt] > recorded[prompt]} == {}


def balance_of(stack: Stack, organization: Organization) -> Row:
    """Return what is posted and held in an organization's wallets, in micros."""
    return stack.rows(
        "SELECT sum(b.posted_micros) AS posted, sum(b.held_micros) AS held FROM billing_balance b"
        " JOIN billing_account a ON a.id = b.account_id"
        " WHERE a.organization_id = %s AND a.code IN ('wallet', 'wallet_promo')",
        organization.id,
    )[0]
