"""An organization of Mexico that pays by card, at an emulator of Stripe."""

from decimal import Decimal

import pytest

from billing.services.taxes.rates import NewTaxRate, set_tax_rate
from core.clock import now
from orgs.models import Organization
from orgs.services.audit import SYSTEM
from tests.billing.payments.conftest import _emulator, emulator
from tests.billing.payments.payer import Payer
from tests.orgs.people import Person, person

__all__ = ["_emulator", "emulator"]


@pytest.fixture
def payer(db, emulator) -> Payer:
    payer = Payer.create(emulator)
    set_tax_rate(terms=NewTaxRate("mx", "IVA", Decimal("0.16")), actor=SYSTEM, now=now())
    Organization.objects.filter(id=payer.scene.organization_id).update(
        billing_country="MX", legal_name="Talleres, S.A.", tax_id="TAL010101AAA"
    )
    return payer


@pytest.fixture
def finance(db) -> Person:
    return person(staff_role="finance")
