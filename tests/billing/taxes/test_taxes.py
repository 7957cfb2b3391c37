"""What tax is added to a top-up, from its terms to the ledger and back."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing.errors import InvalidAmountError, TotalNotSeenError
from billing.models import Payment, TaxProfile
from billing.selectors.taxes.terms import find_terms
from billing.services.payments.charges import begin_charge, charge_low_wallets
from billing.services.payments.transfers import approve_payment
from billing.services.taxes.amounts import net_within, tax_on
from billing.services.taxes.profiles import set_tax_treatment
from billing.services.taxes.rates import NewTaxRate, set_tax_rate
from core.clock import now
from orgs.errors import InvalidInputError, PermissionDeniedError
from orgs.models import Organization
from orgs.services.audit import SYSTEM
from tests.billing.payments.payer import PESO, Payer
from tests.billing.payments.test_transfers import ask
from tests.billing.scene import check_deferred
from tests.orgs.people import Person, person

RATE = Decimal("0.16")


def owner_of(payer: Payer) -> Organization:
    return Organization.objects.get(id=payer.scene.organization_id)


def treat(payer: Payer, who: Person, treatment: str, reason: str = "") -> None:
    set_tax_treatment(
        organization_id=payer.scene.organization_id,
        treatment=treatment,
        reason=reason,
        actor=who.actor,
        now=now(),
    )


def test_tax_comes_on_top_and_the_wallet_gets_the_net(payer: Payer):
    for seen in (None, 500, 581):
        with pytest.raises(TotalNotSeenError):
            payer.start(500, seen=seen)
    payment = payer.pay(500, seen=580)

    assert payer.emulator.objects("payment_intent")[-1]["amount"] == 58_000
    assert [name for name, _ in payer.emulator.objects("checkout.session")[-1]["lines"]] == [
        "Lienzo: Scene",
        "IVA 16 %",
    ]
    assert payer.lines("top_up") == [
        ("payment_clearing", "debit", 580),
        ("wallet", "credit", 500),
        ("tax_payable", "credit", 80),
    ]
    assert (payment.tax_country, payment.tax_name, payment.tax_rate) == ("MX", "IVA", RATE)
    check_deferred()
    assert payer.findings() == []


def test_a_payment_keeps_the_tax_it_was_started_with(payer: Payer):
    payment = payer.pay(500, seen=580, is_told=False)
    set_tax_rate(terms=NewTaxRate("MX", "IVA", Decimal("0.08")), actor=SYSTEM, now=now())

    payer.tell_all(payer.intent_of_payment(payment))

    assert payer.lines("top_up")[-1] == ("tax_payable", "credit", 80)
    assert payer.findings() == []


def test_money_of_another_total_is_not_credited(payer: Payer):
    payment = payer.pay(500, seen=580, is_told=False)
    intent = payer.intent_of_payment(payment)
    payer.emulator.change(intent, amount=50_000, amount_received=50_000)

    payer.tell_all(intent)

    payment.refresh_from_db()
    assert (payment.failure_code, payer.wallet()) == ("mismatch", 0)


def test_treatments_and_countries_decide_and_say_why(payer: Payer, finance: Person):
    rows = Organization.objects.filter(id=payer.scene.organization_id)

    def basis() -> tuple[object, ...]:
        terms = find_terms(owner_of(payer), at=now())
        return terms.basis, terms.rate, terms.reason

    assert basis() == ("standard", RATE, "")
    treat(payer, finance, "exempt", "Art. 15 LIVA")
    assert basis() == ("exempt", 0, "Art. 15 LIVA")
    treat(payer, finance, "reverse_charge")
    assert basis() == ("reverse_charge", 0, "")
    rows.update(tax_id="")
    assert basis() == ("standard", RATE, "")
    treat(payer, finance, "standard")
    rows.update(billing_country="DE")
    assert basis() == ("no_rate", 0, "")
    rows.update(billing_country="")
    assert basis() == ("no_country", 0, "")
    with pytest.raises(InvalidInputError):
        treat(payer, finance, "reverse_charge")
    with pytest.raises(InvalidInputError):
        treat(payer, finance, "exempt", " ")
    for nobody in (payer.owner, person(staff_role="operator")):
        with pytest.raises(PermissionDeniedError):
            treat(payer, nobody, "standard")
        with pytest.raises(PermissionDeniedError):
            set_tax_rate(terms=NewTaxRate("MX", "IVA", RATE), actor=nobody.actor, now=now())
    assert payer.team.log().count("tax_profile.treatment_changed") == 3
    assert payer.pay(500).tax_basis == "no_country"


def test_rates_begin_at_their_date_and_never_change(payer: Payer):
    later = now() + timedelta(days=10)
    set_tax_rate(terms=NewTaxRate("MX", "IVA", Decimal("0.18"), later), actor=SYSTEM, now=now())
    owner = owner_of(payer)
    assert find_terms(owner, at=later - timedelta(seconds=1)).rate == RATE
    assert find_terms(owner, at=later).rate == Decimal("0.18")
    assert find_terms(owner, at=now() - timedelta(days=1)).basis == "no_rate"

    for bad in ("-0.01", "1", "0.1234567"):
        with pytest.raises(InvalidAmountError):
            set_tax_rate(terms=NewTaxRate("MX", "IVA", Decimal(bad)), actor=SYSTEM, now=now())
    for wrong in (NewTaxRate("MEX", "IVA", RATE), NewTaxRate("MX", " ", RATE)):
        with pytest.raises(InvalidInputError):
            set_tax_rate(terms=wrong, actor=SYSTEM, now=now())
    TaxProfile.objects.create(organization=owner, treatment="standard", created_at=now())
    check_deferred()
    for table in ("billing_taxrate", "billing_taxprofile"):
        for verb in ("UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"):
            with (
                pytest.raises(DatabaseError, match="is refused"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(verb.format(table))


@pytest.mark.parametrize(
    ("currency", "net", "tax"),
    [
        ("MXN", 100_030_000, 16_000_000),
        ("MXN", 100_031_250, 16_010_000),
        ("JPY", 1_003_000_000, 160_000_000),
        ("JPY", 1_004_000_000, 161_000_000),
        ("KWD", 10_003_125, 1_601_000),
    ],
)
def test_tax_is_rounded_half_up_to_the_minor_unit(currency, net, tax):
    assert tax_on(net, RATE, currency) == tax


def test_a_transfer_is_parted_by_the_rate_of_the_day_it_came(payer: Payer, finance: Person):
    before = now() - timedelta(days=5)
    set_tax_rate(terms=NewTaxRate("MX", "IVA", Decimal("0.25"), before), actor=SYSTEM, now=now())
    with pytest.raises(InvalidAmountError):
        ask(payer, finance, amount_micros=750 * PESO + 1)
    payment = ask(payer, finance)
    assert (payment.net_micros, payment.tax_micros) == (600 * PESO, 150 * PESO)

    approve_payment(payment_id=payment.id, actor=person(staff_role="finance").actor, now=now())

    assert payer.lines("top_up") == [
        ("cash", "debit", 750),
        ("wallet", "credit", 600),
        ("tax_payable", "credit", 150),
    ]
    assert payer.findings() == []
    chance = random.Random(5)
    for _ in range(300):
        gross = chance.randint(1, 10**6) * 10_000
        rate = Decimal(chance.randint(1, 9999)) / 10_000
        net = net_within(gross, rate, "MXN")
        assert 0 < net <= gross
        assert abs(gross - net - tax_on(net, rate, "MXN")) <= 10_000


def test_the_cap_counts_what_is_charged(payer: Payer):
    with pytest.raises(InvalidAmountError), transaction.atomic():
        payer.fill_by("ok", amount=300, cap=347)
    payer.fill_by("ok", threshold=400, amount=300, cap=695)

    assert charge_low_wallets(now=now()) == 1
    assert payer.wallet() == 300
    assert payer.automatic()[0].gross_micros == 348 * PESO
    # A second one fits without tax (600), and with it (696) does not.
    assert begin_charge(organization_id=payer.scene.organization_id, now=now()) is None


def test_tax_goes_back_in_parts_that_sum_up_to_the_whole(payer: Payer):
    payment = payer.pay(500, seen=580)
    chance = random.Random(11)
    left = 58_000
    while left > 20_000:
        part = min(left, chance.randint(1, 9_999))
        payer.emulator.refund(payment.reference, part)
        payer.tell_all(payment.reference)
        left -= part
    assert payer.findings() == []
    dispute = payer.emulator.control("disputes", payment_intent=payment.reference, amount=left)
    payer.tell_all(payment.reference)
    assert tax_owed() == 0
    payer.emulator.control(f"disputes/{dispute['id']}", status="won")
    payer.tell_all(payment.reference)

    payment.refresh_from_db()
    refunds = payment.refunds.all()
    disputed = payment.disputes.get()
    assert sum(one.tax_micros for one in refunds) + disputed.tax_micros == 80 * PESO
    assert tax_owed() == disputed.tax_micros == 80 * PESO - sum(r.tax_micros for r in refunds)
    assert abs(disputed.tax_micros - disputed.amount_micros * 16 / 116) <= 10_000
    check_deferred()
    assert payer.findings() == []


def tax_owed() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(CASE direction WHEN 'credit' THEN amount_micros"
            " ELSE -amount_micros END), 0) FROM billing_posting AS p"
            " JOIN billing_account AS a ON a.id = p.account_id WHERE a.code = 'tax_payable'"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (
            "net_micros = net_micros + 1, tax_micros = tax_micros - 1",
            {"payment_entry", "payment_tax"},
        ),
        ("tax_rate = 0.08", {"payment_tax"}),
    ],
)
def test_a_changed_tax_is_named(payer: Payer, change, checks):
    payment = payer.pay(500, seen=580)
    assert payer.findings() == []
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE billing_payment SET {change} WHERE id = %s", [payment.id])

    assert {finding.check for finding in payer.findings()} >= checks
    assert Payment.objects.get(id=payment.id).tax_basis == "standard"
