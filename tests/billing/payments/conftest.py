"""Organizations that pay by card, at an emulator of Stripe."""

from collections.abc import Iterator

import pytest

from tests.billing.payments.emulator import SECRET, Emulator, running
from tests.billing.payments.payer import Payer


@pytest.fixture(scope="module")
def _emulator() -> Iterator[Emulator]:
    with running() as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: Emulator, settings) -> Emulator:
    settings.STRIPE_BASE_URL = _emulator.url
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    settings.STRIPE_WEBHOOK_SECRET = [SECRET]
    _emulator.control("courier")
    return _emulator


@pytest.fixture
def payer(db, emulator) -> Payer:
    """An organization in pesos without money; everything is rolled back after the test."""
    return Payer.create(emulator)
