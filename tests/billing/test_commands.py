import json
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from billing.models import FxRate


def run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    [line] = out.getvalue().splitlines()
    printed: dict[str, Any] = json.loads(line)
    return printed


def test_top_up_credits_the_wallet_and_prints_the_balance(scene):
    printed = run("top_up", str(scene.organization_id), "12.5")

    assert (printed["amount"], printed["available"], printed["currency"]) == (
        "12.50",
        "12.50",
        "MXN",
    )
    assert scene.balance() == (12_500_000, 0)


def test_top_up_with_a_key_books_once(scene):
    for created in (True, False):
        printed = run("top_up", str(scene.organization_id), "1", "--idempotency-key", "k1")
        assert printed["created"] is created

    assert scene.balance() == (1_000_000, 0)


def test_set_fx_rate_holds_for_the_next_quote(scene):
    printed = run("set_fx_rate", "USD", "MXN", "21.5")

    assert FxRate.objects.get(id=printed["id"]).source == "manual"
    assert scene.quote().rate == Decimal("21.5")


def test_without_json_a_sentence_is_printed(scene):
    out = StringIO()

    call_command("top_up", str(scene.organization_id), "1", stdout=out)

    assert out.getvalue() == "Added MXN 1.00; MXN 1.00 is available.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["top_up", "nonsense", "1"], "not an organization id"),
        (["top_up", str(uuid4()), "1"], "no organization"),
        (["set_fx_rate", "USD", "MXN", "x"], "not a rate"),
        (["set_fx_rate", "USD", "MXN", "0"], "positive"),
        (["set_fx_rate", "USD", "USD", "1"], "different"),
        (["set_fx_rate", "USD", "QQQ", "1"], "ISO 4217"),
    ],
)
def test_bad_input_is_a_clear_error(db, arguments, message):
    with pytest.raises(CommandError, match=message):
        call_command(*arguments)


@pytest.mark.parametrize("amount", ["0", "1e3", "abc", "0.0000001"])
def test_a_bad_amount_credits_nothing(scene, amount):
    with pytest.raises(CommandError):
        call_command("top_up", str(scene.organization_id), amount)

    assert scene.balance() == (0, 0)
