"""A provider's file beside our calls: every discrepancy is found, named, decided and booked."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client

from billing.errors import (
    DifferenceDecidedError,
    FileImportedError,
    ReferenceUsedError,
    SelfApprovalError,
)
from billing.models import (
    JournalEntry,
    ProviderDifference,
    ProviderImport,
    ProviderLine,
    ProviderPayment,
)
from billing.services.costs import post_attempt_cost
from billing.services.reconciliation.checks import check_reconciliations
from billing.services.reconciliation.deciding import (
    approve_acceptance,
    contest,
    propose_acceptance,
    reopen,
)
from billing.services.reconciliation.importing import ProviderFile, withdraw_import
from billing.services.reconciliation.paying import Paid, record_provider_payment
from billing.services.reconciliation.reading import Fault, read_file
from billing.services.verification import verify_ledger
from core.clock import now
from gateway.services.periods.closing import list_checklist
from gateway.services.periods.importing import import_provider_file
from tests.billing.scene import check_deferred
from tests.gateway.services.rows import add_attempt, add_generation, open_key
from tests.moments import next_month
from tests.orgs.people import Person, person
from tests.visits import signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]
PAGE = "/finance/reconciliation"
MARCH = date(1999, 3, 1)
PRO, DEV, HD = "fal-ai/flux-pro/v1.1", "fal-ai/flux/dev", "fal-ai/imagen4"
HEADING = "date,model,quantity,amount,currency,request_id\n"


@pytest.fixture
def finance() -> tuple[Person, Person]:
    return person(staff_role="finance"), person(staff_role="finance")


def call(day: int, model: str, cost: int, *, hour: int = 12, provider: str = "fal") -> str:
    """Make a call of 1999-03 that cost so many micros; return the provider's id of it."""
    ended_at = datetime(1999, 3, day, hour, 59, 59, tzinfo=UTC)
    upstream_id = uuid4().hex
    attempt = add_attempt(
        add_generation(open_key()),
        number=1,
        ended_at=ended_at,
        provider=provider,
        upstream_model=model,
        upstream_id=upstream_id,
        cost_micros=cost,
        indexes=[0],
    )
    post_attempt_cost(
        attempt_reference=str(attempt.id),
        provider=provider,
        amount=Decimal(cost) / 10**6,
        now=ended_at,
    )
    return upstream_id


def line(day: int, model: str, amount: str, upstream_id: str = "", count: int = 1) -> str:
    return f"1999-03-{day:02},{model},{count},{amount},USD,{upstream_id}\n"


def imported(text: str, who: Person, *, unit: str = "requests", **period: date) -> ProviderImport:
    file = ProviderFile("fal", "march.csv", text, unit, read_file(text), **period)
    found = import_provider_file(file=file, actor=who.actor, now=now())
    return ProviderImport.objects.get(id=found)


def named(source: ProviderImport) -> dict[tuple[int, str], tuple[str, int]]:
    rows = ProviderDifference.objects.filter(source=source)
    return {(row.day.day, row.model): (row.kind, row.micros) for row in rows}


def test_every_seeded_discrepancy_is_found_and_named(finance):
    right, twice = call(2, PRO, 40_000), call(3, PRO, 40_000)
    call(4, PRO, 40_000)
    call(5, PRO, 40_000), call(5, PRO, 40_000)
    call(6, PRO, 40_000)
    call(7, DEV, 25_000)
    call(8, HD, 30_000, hour=23)
    call(9, PRO, 40_000)
    call(9, PRO, 40_000, provider="bfl")
    text = HEADING + "".join((
        line(2, PRO, "0.040", right),
        line(3, PRO, "0.04", twice), line(3, PRO, "0.04", twice),
        line(4, PRO, "0.08", count=2),
        line(5, PRO, "0.04"),
        line(6, PRO.upper(), "0.055"),
        line(9, HD, "0.03"),
        line(9, f"{PRO}-2025-01-01", "0.04"),
        line(11, "fal-ai/unheard-of", "0.99"),
    ))  # fmt: skip

    source = imported(text, finance[0])

    assert named(source) == {
        (3, PRO): ("duplicate", 40_000),
        (4, PRO): ("more", 40_000),
        (5, PRO): ("fewer", -40_000),
        (6, PRO): ("amount", 15_000),
        (7, DEV): ("missing_there", -25_000),
        # A call around midnight.
        (8, HD): ("shifted", -30_000),
        (9, HD): ("shifted", 30_000),
        (11, "fal-ai/unheard-of"): ("missing_here", 990_000),
    }
    doubled = ProviderDifference.objects.get(source=source, kind="duplicate")
    assert doubled.upstream_ids == [twice]
    # The next invoice charges one of these calls again.
    later = imported(HEADING + line(2, PRO, "0.040", right, 1) + line(2, PRO, "0"), finance[0])
    assert named(later)[2, PRO][0] == "duplicate"
    with pytest.raises(FileImportedError):
        imported(text, finance[1])
    assert ProviderLine.objects.filter(source=source).count() == 9


def test_an_accepted_difference_is_booked_by_two_people(finance):
    first, second = finance
    call(6, PRO, 40_000)
    call(7, DEV, 25_000)
    source = imported(HEADING + line(6, PRO, "0.055"), first, last=date(1999, 3, 8))
    dear, free = ProviderDifference.objects.filter(source=source).order_by("day")
    for row in (dear, free):
        propose_acceptance(difference_id=row.id, reason="Their new price.", actor=first.actor)
    with pytest.raises(SelfApprovalError):
        approve_acceptance(difference_id=dear.id, actor=first.actor, now=now())
    with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
        ProviderDifference.objects.filter(id=dear.id).update(
            status="accepted", decided_by=first.user
        )

    for row in (dear, free):
        approve_acceptance(difference_id=row.id, actor=second.actor, now=now())

    lines = {
        row.id: [
            (one.account.code, one.direction, one.amount_micros, one.reference)
            for one in JournalEntry.objects.get(
                idempotency_key=f"true_up:{row.id}"
            ).postings.order_by("line")
        ]
        for row in (dear, free)
    }
    assert lines == {
        dear.id: [
            ("provider_cost", "debit", 15_000, "fal"),
            ("provider_payable", "credit", 15_000, "fal"),
        ],
        free.id: [
            ("provider_payable", "debit", 25_000, "fal"),
            ("provider_cost", "credit", 25_000, "fal"),
        ],
    }
    entry = JournalEntry.objects.get(idempotency_key=f"true_up:{dear.id}")
    assert (entry.kind, entry.effective_at.date()) == ("true_up", date(1999, 3, 6))
    check_deferred()
    assert [one for one in verify_ledger(now=now()) if one.check.startswith("provider")] == []


def test_what_is_accepted_of_one_file_is_not_accepted_of_another(finance):
    call(6, PRO, 40_000), call(7, DEV, 25_000), call(8, HD, 30_000)
    lines = HEADING + line(6, PRO, "0.055") + line(8, HD, "0.060", count=2) + line(9, DEV, "0.010")
    found = [imported(lines + blanks, finance[0]) for blanks in ("", "\n")]
    for row in ProviderDifference.objects.filter(source__in=found):
        propose_acceptance(difference_id=row.id, reason="Right.", actor=finance[0].actor)
    first, second = (source.differences.order_by("day") for source in found)
    assert len(first) == len(second) == 4
    for row in first:
        approve_acceptance(difference_id=row.id, actor=finance[1].actor, now=now())
    for row in second:
        with pytest.raises(DifferenceDecidedError, match="accepted since"):
            approve_acceptance(difference_id=row.id, actor=finance[1].actor, now=now())

    # Of the same days again: the books say by now what the provider says.
    assert named(imported(lines + "\n\n", finance[0])) == {}
    dearer = imported(lines.replace("0.055", "0.057"), finance[0])
    assert named(dearer) == {(6, PRO): ("amount", 2_000)}


def test_a_contested_difference_books_nothing_and_a_wrong_file_is_withdrawn(finance):
    source = imported(HEADING + line(6, PRO, "0.055"), finance[0])
    [row] = ProviderDifference.objects.filter(source=source)
    contest(difference_id=row.id, reason="Not ours.", actor=finance[0].actor)
    reopen(difference_id=row.id, actor=finance[1].actor)
    row.refresh_from_db()
    assert (row.status, row.reason) == ("open", "")

    withdraw_import(import_id=source.id, actor=finance[1].actor)

    assert not JournalEntry.objects.filter(kind="true_up").exists()
    assert not ProviderLine.objects.exists()
    assert named(imported(HEADING + line(6, PRO, "0.055"), finance[0]))


def test_payments_to_providers_are_booked_once_and_verified(finance):
    paid = Paid("fal", 5_000_000, " Wire  7 ", date(1999, 3, 20))
    row = record_provider_payment(paid=paid, actor=finance[0].actor, now=now())
    with pytest.raises(ReferenceUsedError), transaction.atomic():
        record_provider_payment(paid=paid, actor=finance[1].actor, now=now())

    entry = JournalEntry.objects.get(idempotency_key=f"provider_payment:{row.id}")
    assert list(entry.postings.order_by("line").values_list("account__code", "direction")) == [
        ("provider_payable", "debit"),
        ("cash", "credit"),
    ]
    check_deferred()
    assert list(check_reconciliations()) == []
    ProviderPayment.objects.filter(id=row.id).update(micros=6_000_000)
    [found] = check_reconciliations()
    assert (found.check, found.row_id) == ("provider_entry", str(row.id))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_providerpayment WHERE id = %s", [row.id])
    assert [one.check for one in check_reconciliations()] == ["provider_row"]


def test_a_bad_line_is_named_by_its_number():
    text = HEADING + (
        "1999-03-01,a,1,0.1,USD,\n\n1999-02-30,a,1,0.1,USD,\n1999-03-01,,1,0.1,USD,\n"
        "1999-03-01,a,one,0.1,USD,\n1999-03-01,a,1,NaN,USD,\n1999-03-01,a,1,0.1,EUR,\n"
        "1999-03-01,a\n1999-04-01,a,1,0.1,USD,\n0026-03-01,a,1,0.1,USD,\n"
        "9999-12-31T23:00-05:00,a,1,0.1,USD,\n"
    )

    sheet = read_file(text, last=date(1999, 3, 31))

    assert [(one.line, one.fault) for one in sheet.errors] == [
        (4, Fault.DATE), (5, Fault.MODEL), (6, Fault.COUNT), (7, Fault.AMOUNT),
        (8, Fault.CURRENCY), (9, Fault.CELLS), (10, Fault.PERIOD),
        (11, Fault.DATE), (12, Fault.DATE),
    ]  # fmt: skip
    assert [one.fault for one in read_file("day,cost\n1,2\n").errors] == [Fault.COLUMN]


def test_formats_of_providers_are_read_as_they_are():
    costs = (
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item\n"
        '920246400,920332800,1999-03-01T00:00:00+00:00,x,4.2e-05,usd,"gpt-image-1, image output"\n'
    )
    activity = "start_time;num_model_requests;model;total\n920246400;3;gpt-image-1;$1.26\n"
    own = "When\tWhat\tHow much\n1999-03-01T23:30:00-02:00\ta\t1\n"

    [first] = read_file(costs).charges
    [second] = read_file(activity).charges
    columns = {"date": "when", "model": "WHAT", "amount": "how much"}
    [third] = read_file(own, columns=columns).charges

    assert (first.day, first.model, first.micros) == (MARCH, "gpt-image-1", 42)
    assert (second.day, second.count, second.micros) == (MARCH, 3, 1_260_000)
    assert (third.day, third.micros) == (date(1999, 3, 2), 1_000_000)


def upload(client: Client, text: str, **fields: str) -> str:
    file = SimpleUploadedFile("march.csv", text.encode(), "text/csv")
    data = {"provider": "fal", "unit": "requests", "file": file, **fields}
    return client.post(f"{PAGE}/import", data, follow=True).content.decode()


def test_finance_goes_from_a_file_to_the_calls_and_decides(finance):
    first, second = (signed_in(one.user) for one in finance)
    upstream_id = call(3, PRO, 40_000)
    text = HEADING + line(3, PRO, "0.04", upstream_id) * 2
    assert "nothing is imported" in upload(first, text + "x,y\n")
    assert not ProviderImport.objects.exists()

    page = upload(first, text)

    [row] = ProviderDifference.objects.all()
    path = f"{PAGE}/differences/{row.id}"
    assert "Charged twice" in page
    assert path in page
    detail = visit(first, path)
    assert detail.count(upstream_id) >= 8
    assert "/finance/reports/entries/" in detail
    for client, button in ((first, "propose"), (first, "approve"), (second, "approve")):
        client.post(path, {button: "1", "reason": "Credit follows."})
    assert "Accepted" in visit(second, path)
    assert "imported before" in upload(second, text)
    home = visit(second, PAGE)
    assert "All decided" in home
    assert home.count("0.08") >= 1
    day = {"amount": "1.5", "bank_reference": "W1", "paid_on": "1999-03-30", "provider": "fal"}
    assert "The payment is booked" in (
        second.post(f"{PAGE}/payment", day, follow=True).content.decode()
    )
    assert "recorded already" in second.post(f"{PAGE}/payment", day).content.decode()
    spanish = signed_in(finance[0].user, language="es")
    assert "Conciliación" in visit(spanish, f"{PAGE}/files/{row.source_id}")


def providers(month: date = MARCH) -> tuple[str, ...]:
    lines = list_checklist(month=month, now=next_month())
    return next(one.names for one in lines if one.name == "providers")


def test_a_month_waits_for_its_providers(finance):
    client = signed_in(finance[0].user)
    call(6, PRO, 40_000)
    call(9, PRO, 40_000, provider="bfl")
    assert providers() == ("bfl", "fal")

    upload(client, HEADING + line(6, PRO, "0.05"))
    assert providers() == ("bfl", "fal")
    [row] = ProviderDifference.objects.all()
    contest(difference_id=row.id, reason="Too dear.", actor=finance[0].actor)
    assert providers() == ("bfl",)
    data = {"provider": "bfl", "month": "1999-03", "reason": "Sends no file."}
    assert client.post(f"{PAGE}/waiver", data).status_code == 302

    assert providers() == ()
    assert "Sends no file." in visit(client, PAGE)
