"""Our side of Stripe's protocol against `localstripe`, which is not ours.

It knows customers, payment intents and refunds; it has no checkout sessions (404), no events and no
idempotency keys.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests

from billing.errors import CardRefusedError, ForgedEventError, PaymentsUnavailableError
from billing.services.payments import stripe_api
from embedded.ports import choose_ports
from sandbox.stripe_events import Courier
from tests.billing.payments.emulator import SECRET

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(settings) -> Iterator[str]:
    (port,) = choose_ports(1, keep=(), avoid=set())
    command = (sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                requests.get(url, timeout=1)
                break
            except requests.ConnectionError:
                assert process.poll() is None
                time.sleep(0.05)
        settings.STRIPE_BASE_URL = url
        settings.STRIPE_SECRET_KEY = "sk_test_12345"
        settings.STRIPE_WEBHOOK_SECRET = [SECRET]
        yield url
    finally:
        process.kill()
        process.wait()


def post(url: str, path: str, **fields: object) -> dict[str, object]:
    answer = requests.post(f"{url}/v1/{path}", data=fields, auth=("sk_test_12345", ""), timeout=5)
    answer.raise_for_status()
    return dict(answer.json())


def test_a_saved_card_is_charged_refunded_and_forgotten(url: str):
    organization_id, payment_id = uuid4(), uuid4()
    customer = stripe_api.create_customer(organization_id=organization_id, name="Acme", email="")
    method = str(post(url, "payment_methods/pm_card_visa/attach", customer=customer)["id"])
    params = {
        "amount": 30_000,
        "currency": "mxn",
        "customer": customer,
        "payment_method": method,
        "payment_method_types": ["card"],
        "off_session": True,
        "confirm": True,
        "metadata": {"payment": str(payment_id), "organization": str(organization_id)},
    }

    intent = stripe_api.charge_card(params=params, payment_id=payment_id)

    assert (intent.status, intent.received, intent.currency) == ("succeeded", 30_000, "MXN")
    assert (intent.payment_id, intent.organization_id) == (payment_id, organization_id)
    assert (intent.customer_id, intent.livemode) == (customer, False)
    assert intent.card is not None
    assert (intent.card.method_id, intent.card.last4) == (method, "4242")

    refund = post(url, "refunds", payment_intent=intent.id, amount=12_000)
    (found,) = stripe_api.read_intent(intent.id).refunds
    assert (found.id, found.amount, found.status) == (refund["id"], 12_000, "succeeded")

    declined = {**params, "payment_method": "pm_card_chargeCustomerFail"}
    with pytest.raises(CardRefusedError) as refused:
        stripe_api.charge_card(params=declined, payment_id=uuid4())
    assert refused.value.details["reason"] == "card_declined"

    stripe_api.detach_card(method)
    body = b'{"id": "evt_invented"}'
    with pytest.raises(ForgedEventError):
        stripe_api.read_event(body=body, signature=Courier("", SECRET).sign(body))
    with pytest.raises(PaymentsUnavailableError):
        stripe_api.read_session("cs_test_none")
