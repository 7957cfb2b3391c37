"""One organization with what billing needs to charge it, and short names for what tests do."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import connection, transaction

from billing.models import Balance, Grant, Hold
from billing.services.accounts import open_accounts
from billing.services.credits.granting import GrantTerms, give_credit
from billing.services.fx import set_rate
from billing.services.holds import authorize_hold, capture_hold, release_hold
from billing.services.prices import set_price
from billing.services.quotes import Cell, quote_unit
from billing.services.topups import top_up
from billing.services.verification import verify_ledger
from billing.types import AuthorizedHold, Captured, EntryView, Finding, UnitQuote
from core.clock import now
from orgs.models import ApiKey, Organization

UNIT = 840_000
"""One image of the scene: USD 0.040 x 1.05 x 20 MXN/USD, in micros of a peso."""


@dataclass
class Scene:
    organization_id: UUID
    api_key_id: UUID
    currency: str
    model_key: str
    at: datetime = field(default_factory=now)

    @classmethod
    def create(
        cls,
        *,
        currency: str = "MXN",
        time_zone: str = "UTC",
        price: str = "0.040",
        rate: str = "20",
    ) -> "Scene":
        organization = Organization.objects.create(
            name="Scene", currency=currency, time_zone=time_zone
        )
        api_key = ApiKey.objects.create(
            organization=organization,
            name="key",
            livemode=True,
            lookup=uuid4().hex[:16],
            digest=b"0" * 32,
        )
        scene = cls(organization.id, api_key.id, currency, f"test/{uuid4().hex}")
        open_accounts(organization_id=organization.id, currency=currency)
        set_price(model_key=scene.model_key, amount=Decimal(price), now=scene.at)
        if currency != "USD":
            scene.set_rate(rate)
        return scene

    def set_rate(self, rate: str, *, source: str = "manual", as_of: datetime | None = None) -> int:
        return set_rate(
            base="USD",
            quote=self.currency,
            rate=Decimal(rate),
            source=source,
            as_of=as_of or now(),
            now=now(),
        )

    def top_up(self, amount_micros: int, key: str | None = None) -> EntryView:
        return top_up(
            organization_id=self.organization_id,
            amount_micros=amount_micros,
            idempotency_key=key or uuid4().hex,
            now=now(),
        )

    def grant(self, amount_micros: int, *, expires_at: datetime | None = None) -> Grant:
        return give_credit(
            organization_id=self.organization_id,
            terms=GrantTerms(
                amount_micros, self.currency, expires_at or now() + timedelta(days=30), "Welcome"
            ),
            now=now(),
        )

    def quote(
        self, *, size: str = "1024x1024", quality: str = "", pixels: int = 1, inputs: int = 0
    ) -> UnitQuote:
        return quote_unit(
            organization_id=self.organization_id,
            currency=self.currency,
            cell=Cell(self.model_key, size, quality, pixels, inputs),
            now=now(),
        )

    def authorize(
        self,
        count: int = 1,
        *,
        quote: UnitQuote | None = None,
        at: datetime | None = None,
        with_key: bool = True,
        reference: str = "",
    ) -> AuthorizedHold:
        moment = at or now()
        quote = quote or self.quote()
        with transaction.atomic():
            return authorize_hold(
                organization_id=self.organization_id,
                api_key_id=self.api_key_id if with_key else None,
                reference=reference or uuid4().hex,
                quote=quote,
                count=count,
                deadline_at=moment + timedelta(seconds=60),
                now=moment,
            )

    def capture(self, reference: str, images: int = 1) -> Captured:
        with transaction.atomic():
            return capture_hold(
                reference=reference,
                artifact_references=[f"{reference}/{index}" for index in range(images)],
                now=now(),
            )

    def release(self, reference: str) -> int:
        with transaction.atomic():
            return release_hold(reference=reference, now=now())

    def balance(self) -> tuple[int, int]:
        """Return posted and held micros of the wallet."""
        row = Balance.objects.get(
            account__organization_id=self.organization_id, account__code="wallet"
        )
        return row.posted_micros, row.held_micros

    def promo(self) -> tuple[int, int]:
        """Return posted and held micros of promotional credit."""
        row = Balance.objects.get(
            account__organization_id=self.organization_id, account__code="wallet_promo"
        )
        return row.posted_micros, row.held_micros

    def hold(self, reference: str) -> Hold:
        return Hold.objects.get(reference=reference)

    def findings(self, *, at: datetime | None = None) -> list[Finding]:
        return verify_ledger(organization_id=self.organization_id, now=at or now())


def check_deferred() -> None:
    """Run the checks that wait for a commit, which a rolled-back test never reaches."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
