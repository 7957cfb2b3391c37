"""Finance's pages of refunds and adjustments, credit notes, and the command."""

import csv
import io
import json
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from pypdf import PdfReader

from billing.models import CreditNote
from core.ids import request_id
from orgs.models import Organization
from orgs.permissions import Permission
from tests.billing.refunds.test_refunds import Office
from tests.billing.scene import UNIT
from tests.orgs.people import Team, person
from tests.visits import check_doors, signed_in, visit

REFUNDS = "/finance/refunds"


@pytest.fixture
def office(db, pages) -> Office:
    return Office.open()


def test_finance_finds_a_request_asks_and_another_approves(office: Office):
    asking, deciding = signed_in(office.first.user), signed_in(office.second.user)
    public = request_id(UUID(office.reference))
    assert "No refunds yet" in visit(asking, REFUNDS)
    assert "No request of this id" in visit(asking, f"{REFUNDS}?request=req_0")

    form = asking.get(REFUNDS, {"request": f" {public} "})["Location"]
    text = visit(asking, form)
    assert "Image 3" in text
    assert "prompt" not in text.lower().replace("its prompt nor", "")
    assert asking.post(form, {"images": [office.artifact(0)], "reason": " "}).status_code == 200
    assert asking.post(form, {"images": ["other"], "reason": "x"}).status_code == 200
    answer = asking.post(form, {"images": [office.artifact(0)], "reason": "Blurred."})
    page = answer["Location"]
    assert "Blurred." in visit(deciding, REFUNDS)
    assert 'name="approve"' not in visit(asking, page)
    asking.post(page, {"approve": "1"})
    assert CreditNote.objects.filter(organization_id=office.scene.organization_id).count() == 0

    assert 'name="approve"' in visit(deciding, page)
    deciding.post(page, {"approve": "1"})

    assert office.scene.balance()[0] == 10_000_000 - 2 * UNIT
    text = visit(deciding, page)
    assert 'name="approve"' not in text
    assert office.first.user.email in text
    assert f'value="{office.artifact(0)}"' not in visit(asking, form)
    later = asking.post(form, {"images": [office.artifact(1)], "reason": "Too."})["Location"]
    deciding.post(later, {"reason": "It is fine."})
    assert "It is fine." in visit(asking, later)


def test_the_organization_sees_its_credit_note_and_no_other_does(office: Office):
    office.approve(office.ask(0, 2))
    number = CreditNote.objects.get(organization_id=office.scene.organization_id).number
    team = Team(Organization.objects.get(id=office.scene.organization_id))
    client = signed_in(team.person("billing").user)
    home = f"/o/{team.organization.id}"
    note = f"{home}/credit-notes/{number}"

    assert f"credit-notes/{number}" in visit(client, f"{home}/credit-notes")
    assert "credit-notes" in visit(client, f"{home}/statements")
    assert "Not what was asked for." in visit(client, note)
    assert "Refund or correction" in visit(client, f"{home}/billing")
    charge = client.get(f"{home}/billing/requests/{office.reference}")["Location"]
    link = f"{home}/credit-notes?request={office.reference}"
    assert link in visit(client, charge)
    assert f"/{number}/pdf" in visit(client, link)
    assert f"/{number}/pdf" not in visit(client, f"{home}/credit-notes?request={number}")
    assert "No credit notes yet" in visit(client, f"{home}/credit-notes?cursor=1")
    for path in (f"{home}/credit-notes", note, f"{note}/pdf"):
        check_doors(team, path, Permission.VIEW_BALANCE)
    for path in (f"{home}/credit-notes/{number + 99}", f"{note}/docx"):
        assert client.get(path).status_code == 404, path

    rows = list(csv.DictReader(io.StringIO(client.get(f"{note}/csv").content.decode())))
    assert [(row["image"], row["amount"]) for row in rows] == [("1", "0.840000"), ("3", "0.840000")]
    fields = json.loads(client.get(f"{note}/json").content)
    assert (fields["amount"], fields["currency"], fields["number"]) == ("1.68", "MXN", number)
    drawn = client.get(f"{note}/pdf").content
    assert drawn == client.get(f"{note}/pdf").content
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(drawn)).pages)
    for part in (f"Credit note no. {number}", "1.68", "Not what was asked for."):
        assert part in text, part


def test_finance_adjusts_a_wallet_by_two_people(office: Office):
    asking, deciding = signed_in(office.first.user), signed_in(office.second.user)
    ask = f"{REFUNDS}/adjustments/new"
    form = {
        "organization": str(office.scene.organization_id),
        "direction": "debit",
        "currency": "MXN",
        "amount": "900",
        "reason": "Paid out by hand.",
    }
    visit(asking, ask)
    for bad in ({"organization": str(uuid4())}, {"currency": "USD"}, {"amount": "x"}):
        assert asking.post(ask, {**form, **bad}).status_code == 200

    page = asking.post(ask, form)["Location"]
    before = office.scene.balance()
    deciding.post(page, {"approve": "1"})
    assert office.scene.balance() == before
    assert "Less is available" in deciding.get(page).content.decode()
    deciding.post(page, {"reason": "Too much."})
    page = asking.post(ask, {**form, "amount": "1.5"})["Location"]
    assert 'name="approve"' not in visit(asking, page)
    deciding.post(page, {"approve": "1"})

    assert office.scene.balance()[0] == before[0] - 1_500_000
    assert "Debit of a wallet" in visit(deciding, REFUNDS)


def test_pages_of_refunds_are_of_finance_alone(office: Office):
    refund = office.ask(0)
    team = Team(Organization.objects.get(id=office.scene.organization_id))
    for path in ("", f"/{refund.id}", f"/of/{office.reference}", "/adjustments/new"):
        for user in (team.person("owner").user, person(staff_role="operator").user):
            assert signed_in(user).get(f"{REFUNDS}{path}").status_code == 404
    client = signed_in(office.first.user)
    for path in (f"/{uuid4()}", f"/of/{uuid4()}", f"/adjustments/{uuid4()}"):
        assert client.get(f"{REFUNDS}{path}").status_code == 404


def run(*arguments: str) -> dict[str, str]:
    out = io.StringIO()
    call_command("refund_generation", *arguments, "--json", stdout=out)
    found: dict[str, str] = json.loads(out.getvalue())
    return found


def test_the_command_asks_and_another_person_approves(office: Office):
    first, second = office.first.user.email, office.second.user.email
    public = request_id(UUID(office.reference))
    for wrong in (("--by", "nobody@example.com"), ("--by", first, "--images", "4")):
        with pytest.raises(CommandError):
            run(public, *wrong, "--reason", "x")
    asked = run(public, "--by", first, "--images", "1,2", "--reason", "Blurred.")
    with pytest.raises(CommandError):
        run(asked["id"], "--approve", "--by", first)

    done = run(asked["id"], "--approve", "--by", second)

    assert (done["amount"], done["currency"]) == ("1.68", "MXN")
    assert office.scene.balance()[0] == 10_000_000 - UNIT
