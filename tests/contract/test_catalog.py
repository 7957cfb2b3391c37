"""Every model of the catalog through its adapter and its provider's emulator, paid for.

One table: each public id once in dollars at its default size, each model again in euros at its
last size and lowest quality, and in pesos at its first size as WebP.
"""

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
import requests
from PIL import Image
from pytest_django import DjangoDbBlocker

from billing.services.fx import set_rate
from core.clock import now
from gateway.catalog.prices import price_of, prices_of
from gateway.catalog.registry import catalog
from gateway.catalog.sizes import Size
from gateway.catalog.types import Model
from tests.stack import Stack
from tests.tenants import Tenant, new_prompt

RATES = {"USD": Decimal(1), "EUR": Decimal("0.8637"), "MXN": Decimal("18.2345")}
MARKUP = Decimal("1.05")
AT_ONCE = 6
# The product's published prices in USD per image, at 1024x1024 or the only size.
PUBLISHED = {
    "openai/gpt-image-1": "0.19",
    "openai/dall-e-3": "0.04",
    "google/imagen-4": "0.04",
    "xai/grok-2-image": "0.07",
    "fal/flux-1.1-pro": "0.04",
    "fal/flux-1.1-pro-ultra": "0.06",
    "fal/recraft-v3": "0.04",
    "fal/ideogram-v2": "0.08",
    "fal/sd-3.5-large": "0.065",
}


@dataclass(frozen=True, eq=False)
class Case:
    """One paid request."""

    model: Model
    currency: str
    size: Size
    quality: str | None
    output_format: str | None

    def __str__(self) -> str:
        return f"{self.model.id}-{self.currency}"

    @property
    def body(self) -> dict[str, Any]:
        fields = {
            "model": self.model.id,
            "size": str(self.size),
            "quality": self.quality,
            "output_format": self.output_format,
            "response_format": "url",
        }
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def cost(self) -> Decimal:
        """The price of the image to the micro, by arithmetic of this test's own."""
        usd = price_of(prices_of(self.model.key), self.size, self.quality)
        assert usd is not None
        return (usd * MARKUP * RATES[self.currency]).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def cases() -> Iterator[Case]:
    seen = set()
    for model in catalog().models():
        yield Case(model, "USD", model.default_size, model.default_quality, None)
        if model.key not in seen:
            seen.add(model.key)
            lowest = model.qualities[0] if model.qualities else None
            yield Case(model, "EUR", model.sizes.listed[-1], lowest, None)
            yield Case(model, "MXN", model.sizes.listed[0], model.default_quality, "webp")


CASES = tuple(cases())


@dataclass(frozen=True)
class Delivered:
    """What came back: the answer, and the image behind its URL."""

    answer: requests.Response
    content_type: str
    data: bytes


@pytest.fixture(scope="module")
def emulated(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("emulated")
    stack = Stack(
        folder,
        django_db_blocker,
        dict(os.environ),
        is_emulated=True,
        web_processes=1,
        left_out=("sweeper", "dispatcher"),
    )
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def tenants(emulated: Stack) -> dict[str, Tenant]:
    with emulated.database():
        for currency in ("EUR", "MXN"):
            set_rate(
                base="USD",
                quote=currency,
                rate=RATES[currency],
                source="manual",
                as_of=now(),
                now=now(),
            )
    return {currency: Tenant.open(emulated, currency=currency, amount="1000") for currency in RATES}


@pytest.fixture(scope="module")
def delivered(tenants: dict[str, Tenant]) -> dict[Case, Delivered]:
    """Every case, a few at a time."""

    def deliver(case: Case) -> Delivered:
        answer = tenants[case.currency].generate(new_prompt(), **case.body)
        if answer.status_code != 200:
            return Delivered(answer, "", b"")
        image = requests.get(answer.json()["data"][0]["url"], timeout=30)
        return Delivered(answer, image.headers["Content-Type"], image.content)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(CASES, pool.map(deliver, CASES), strict=True))


@pytest.mark.xdist_group("catalog")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_model_gives_its_pixels_in_its_format_at_its_price(
    case: Case, delivered: dict[Case, Delivered]
) -> None:
    found = delivered[case]

    assert found.answer.status_code == 200, found.answer.text
    image = Image.open(io.BytesIO(found.data))
    image.load()
    assert image.size == (case.size.width, case.size.height)
    assert image.format is not None
    wanted = case.output_format or case.model.default_output_format
    assert found.content_type == f"image/{wanted or image.format.lower()}"
    assert found.content_type == f"image/{image.format.lower()}"
    assert Decimal(found.answer.headers["X-Cost"]) == case.cost
    assert found.answer.headers["X-Cost-Currency"] == case.currency
    assert "X-Dropped-Params" not in found.answer.headers


@pytest.mark.xdist_group("catalog")
@pytest.mark.parametrize(("model", "usd"), PUBLISHED.items())
def test_a_published_price_is_what_is_charged(
    model: str, usd: str, delivered: dict[Case, Delivered]
) -> None:
    (case,) = [one for one in CASES if (one.model.id, one.currency) == (model, "USD")]

    assert Decimal(delivered[case].answer.headers["X-Cost"]) == Decimal(usd) * MARKUP


@pytest.mark.xdist_group("catalog")
@pytest.mark.parametrize("currency", RATES)
def test_the_wallet_paid_what_the_answers_said(
    currency: str, tenants: dict[str, Tenant], delivered: dict[Case, Delivered]
) -> None:
    spent = sum(
        Decimal(found.answer.headers["X-Cost"])
        for case, found in delivered.items()
        if case.currency == currency
    )

    available, held = tenants[currency].balance()
    assert Decimal(available) == 1000 - spent
    assert Decimal(held) == 0
    assert tenants[currency].ledger_findings() == []
