"""Generating in the console: money, repeated forms, and its code, which is run."""

import hashlib
import os
import sys
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from billing.models import Hold
from billing.services.prices import sync_list_prices
from billing.services.topups import top_up
from core.clock import now
from gateway.catalog.prices import list_prices
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.management.commands.bootstrap import price_row
from gateway.models import Generation
from gateway.selectors.details import get_detail
from gateway.services.playground.callers import console_caller
from gateway.services.playground.capabilities import model_capabilities
from gateway.services.playground.code import as_curl, as_python, as_typescript
from gateway.services.playground.generating import batch_views, generate_in_console, run_again
from gateway.storage import ensure_buckets, input_key, private_storage
from orgs.errors import OrganizationSuspendedError
from orgs.models import Organization, User
from orgs.services.audit import SYSTEM
from orgs.services.lifecycle import request_deletion
from tests.compatibility.programs import run, run_shell, settings_of
from tests.gateway.services.rows import open_key
from tests.tenants import new_prompt

MODELS = ("fal/flux-1.1-pro", "openai/dall-e-3")
# What breaks out of quotes in Python, JavaScript or a shell.
HOSTILE = 'it\'s "q" \\ $HOME `id` ${1} \n\t%s {x} \u2028 ünïcode 🎨 </script> @file'


@pytest.fixture
def member(committed, settings):
    """A member of a demo organization with USD 1: the sandbox draws, and the wallet pays."""
    settings.SANDBOX_BASE_URL, settings.LIENZO_SANDBOX = "http://127.0.0.1:9", "auto"
    sync_list_prices(rows=[price_row(price) for price in list_prices()], now=now())
    organization = open_key().organization
    Organization.objects.filter(id=organization.id).update(is_demo=True)
    top_up(
        organization_id=organization.id,
        amount_micros=1_000_000,
        idempotency_key=uuid4().hex,
        now=now(),
    )
    person = User.objects.create_user(f"{uuid4().hex}@example.com")
    return console_caller(organization_id=organization.id, user_id=person.id, livemode=True)


def ask(caller, key: str, **body):
    sent = {"prompt": "a lighthouse", **body}
    return generate_in_console(
        caller=caller, body=sent, models=MODELS, submission_key=key, now=now()
    )


def test_a_form_is_one_batch_and_paid_once_however_often_it_is_sent(member):
    batch = ask(member, "form-1")
    again = ask(member, "form-1")
    other = ask(member, "form-2")

    rows = Generation.objects.filter(organization_id=member.organization_id)
    assert again == batch
    assert {row.batch_id for row in rows} == {batch.id, other.id}
    assert {row.created_by_id for row in rows} == {member.user_id}
    assert {row.api_key_id for row in rows} == {None}
    assert all(row.answered_at for row in rows)
    holds = Hold.objects.filter(organization_id=member.organization_id)
    assert sorted(holds.values_list("amount_micros", flat=True)) == [42_000] * 4
    views = batch_views(organization_id=member.organization_id, batch_id=batch.id)
    assert {view.id for view in views} == {one.generation_id for one in batch.results}


def test_one_models_refusal_does_not_stop_the_others(member):
    flux, dall_e = ask(member, "form", n=2).results

    assert flux.error is None
    assert dall_e.error is not None
    assert (dall_e.error.param, dall_e.generation_id) == ("n", None)
    with pytest.raises(InvalidRequestError):
        generate_in_console(caller=member, body={}, models=(), submission_key="x", now=now())


def test_the_balance_is_the_limit(member):
    results = [ask(member, str(number), n=1).results for number in range(12)]

    errors = [one.error.code for pair in results for one in pair if one.error]
    assert errors == ["insufficient_balance"]


def test_nothing_is_made_for_an_organization_that_is_to_be_deleted(member):
    first = ask(member, "form").results[0].generation_id
    assert first is not None
    own: dict[str, Any] = {"organization_id": member.organization_id, "now": now()}
    request_deletion(
        **own, name=Organization.objects.get(id=own["organization_id"]).name, actor=SYSTEM
    )
    before = Hold.objects.filter(organization_id=member.organization_id).count()
    caller = console_caller(
        organization_id=member.organization_id, user_id=member.user_id, livemode=True
    )

    with pytest.raises(OrganizationSuspendedError):
        ask(caller, "another")
    with pytest.raises(OrganizationSuspendedError):
        run_again(**own, user_id=member.user_id, generation_id=first, submission_key="again")

    assert Hold.objects.filter(organization_id=member.organization_id).count() == before == 2


def test_running_again_keeps_the_parameters_and_takes_todays_price(member):
    first = ask(member, "form", size="1024x1024", max_cost="0.05").results[0].generation_id
    assert first is not None
    how = {"organization_id": member.organization_id, "user_id": member.user_id, "now": now()}

    second = run_again(generation_id=first, submission_key="again", **how)

    assert run_again(generation_id=first, submission_key="again", **how) == second
    old, new = (Generation.objects.get(id=one) for one in (first, second))
    assert new.parameters == {**old.parameters, "max_cost": None}
    assert new.created_by_id == member.user_id
    with pytest.raises(NotFoundError):
        run_again(
            generation_id=first,
            submission_key="theirs",
            **{**how, "organization_id": open_key().organization_id},
        )


def test_running_an_edit_again_sends_its_images_along_while_they_are_kept(member):
    first = ask(member, "edit").results[1].generation_id
    row = Generation.objects.get(id=first)
    file: dict[str, Any] = {
        "content_type": "image/png",
        "sha256": hashlib.sha256(b"sent").hexdigest(),
        "size_bytes": 4,
        "width": 1,
        "height": 1,
    }
    edit = {"model": "openai/gpt-image-1", "operation": "edit", "inputs": [file], "mask": None}
    parameters = {**row.parameters, **edit, "size": "1024x1024", "quality": "low", "style": None}
    Generation.objects.filter(id=first).update(parameters=parameters)
    how = {"organization_id": member.organization_id, "user_id": member.user_id, "now": now()}
    connection.close()
    ensure_buckets()
    with pytest.raises(InvalidRequestError, match="no longer kept"):
        run_again(generation_id=first, submission_key="late", **how)
    private_storage().put_image(
        input_key(member.organization_id, first, 0),
        b"sent",
        content_type="image/png",
        cache_control="private",
        sha256=file["sha256"],
    )

    second = run_again(generation_id=first, submission_key="soon", **how)

    connection.close()
    with private_storage().open_stream(input_key(member.organization_id, second, 0)) as stream:
        assert b"".join(stream) == b"sent"
    assert Generation.objects.get(id=second).parameters["inputs"] == [file]


def test_capabilities_follow_the_model(member):
    by_id = {one.id: one for one in model_capabilities(caller=member, now=now())}

    flux, dall_e = by_id["fal/flux-1.1-pro"], by_id["openai/dall-e-3"]
    assert flux.available
    assert {price.unit_micros for price in flux.prices} == {42_000}
    assert dall_e.words["style"] == ("vivid", "natural")
    assert (dall_e.max_n, set(dall_e.qualities)) == (1, {"standard", "hd"})
    assert {(one.size, one.quality): one.unit_micros for one in dall_e.prices}[
        "1024x1024", "hd"
    ] == 84_000
    assert "style" not in flux.parameters


def test_shown_code_sends_the_exact_request(tenant, tmp_path):
    test = tenant.another_key(livemode=False)
    body = {
        "model": "fal/flux-1.1-pro",
        "prompt": new_prompt(HOSTILE),
        "n": 1,
        "size": "1024x768",
        "seed": 7,
        "user": None,
    }
    base_url = tenant.stack.url
    program = tmp_path / "program.py"
    program.write_text(as_python(body=body, base_url=base_url), encoding="utf-8")
    variables = settings_of(test)

    printed = run([sys.executable, program], tmp_path, variables)
    answer = run_shell(as_curl(body=body, base_url=base_url), tmp_path, variables)

    assert "/generated-images/" in printed
    assert '"url"' in answer
    rows = test.generations()
    assert len(rows) == 2
    for row in rows:
        assert row.parameters["prompt"] == body["prompt"]
        assert (row.parameters["size"], row.parameters["seed"]) == ("1024x768", 7)
        assert row.client_request_id == ""


def test_detail_follows_the_money(tenant):
    assert tenant.generate(new_prompt()).status_code == 200
    [row] = tenant.generations()
    how = {"organization_id": tenant.organization_id, "generation_id": row.id}

    with tenant.stack.database():
        mine, staffs = get_detail(**how), get_detail(**how, for_staff=True)
        with pytest.raises(NotFoundError):
            get_detail(**{**how, "organization_id": uuid4()})

    assert mine.terms is not None
    assert (mine.terms.captured_micros, mine.terms.markup) == (42_000, Decimal("0.05"))
    assert mine.terms.price_source
    assert [entry.kind for entry in mine.entries] == ["capture"]
    assert (mine.attempts[0].cost_micros, mine.cost_entries) == (0, ())
    assert staffs.attempts[0].cost_micros > 0
    assert [entry.kind for entry in staffs.cost_entries] == ["attempt_cost"]
    assert mine.images[0].sha256 == bytes(tenant.artifacts()[0].sha256).hex()
    assert (mine.api_key_id, mine.created_by_id) == (tenant.api_key_id, None)
    assert tenant.key not in repr(mine)


def test_typescript_is_json_in_code():
    code = as_typescript(
        body={"model": "m", "prompt": HOSTILE, "seed": 7, "stream": True}, base_url="http://h"
    )

    assert '...({"seed":7} as object),' in code
    assert "for await" in code
    assert os.linesep.join(code.splitlines()[8:10]).count("\n") == 1
