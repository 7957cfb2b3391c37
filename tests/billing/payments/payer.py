"""One organization that pays, and short names for what tests do."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django.test import Client

from billing.models import AutoTopUp, Balance, Payment, PaymentCustomer, Posting, SavedCard
from billing.services.payments.automatic import Terms, set_auto_top_up
from billing.services.payments.checkout import Places, Started, Wanted, start_checkout
from billing.services.verification import verify_ledger
from billing.types import Finding
from core.clock import now
from orgs.models import Organization
from tests.billing.payments.emulator import Emulator
from tests.billing.scene import Scene
from tests.orgs.people import Person, Team

PESO = 1_000_000
PLACES = Places("https://lienzo.test/paid/{payment}", "https://lienzo.test/canceled")


@dataclass
class Payer:
    emulator: Emulator
    scene: Scene
    owner: Person

    @classmethod
    def create(cls, emulator: Emulator, **how: Any) -> "Payer":
        scene = Scene.create(**how)
        team = Team(Organization.objects.get(id=scene.organization_id))
        return cls(emulator, scene, team.person("owner"))

    @property
    def team(self) -> Team:
        return Team(Organization.objects.get(id=self.scene.organization_id))

    def start(
        self, pesos: int = 500, *, saves_card: bool = False, seen: Decimal | int | None = None
    ) -> Started:
        """Start a payment; of one with tax, `seen` is the total in pesos."""
        return start_checkout(
            organization_id=self.scene.organization_id,
            wanted=Wanted(pesos * PESO, None if seen is None else int(seen * PESO), saves_card),
            places=PLACES,
            actor=self.owner.actor,
            now=now(),
        )

    def pay(
        self,
        pesos: int = 500,
        *,
        card: str = "",
        is_told: bool = True,
        seen: Decimal | int | None = None,
    ) -> Payment:
        """Pay on the page; told, we get its events."""
        started = self.start(pesos, saves_card=bool(card), seen=seen)
        self.emulator.press_pay(started.url, card or "ok")
        if is_told:
            self.tell_all(self.intent_of(started))
        return Payment.objects.get(id=started.payment_id)

    def intent_of(self, started: Started) -> str:
        return self.intent_of_payment(Payment.objects.get(id=started.payment_id))

    def intent_of_payment(self, payment: Payment) -> str:
        session_id = payment.session_id
        found = next(o for o in self.emulator.objects("checkout.session") if o["id"] == session_id)
        return str(found["payment_intent"])

    def tell(self, event: dict[str, str], **changes: str) -> int:
        """Send one event as Stripe would; return the status of the answer."""
        sent = {**event, **changes}
        answer = Client().post(
            "/stripe/webhook",
            sent["body"].encode(),
            content_type="application/json",
            headers={"stripe-signature": sent["signature"]},
        )
        return answer.status_code

    def tell_all(self, intent_id: str, kind: str = "") -> None:
        for event in self.emulator.events(intent_id, kind):
            assert self.tell(event) == HTTPStatus.OK

    def wallet(self) -> int:
        return self._posted("wallet")

    def owes(self) -> int:
        return self._posted("receivable")

    def lines(self, kind: str) -> list[tuple[str, str, int]]:
        """Return account, direction and pesos of entries of a kind, in order."""
        entries = Posting.objects.filter(
            account__organization_id=self.scene.organization_id, entry__kind=kind
        ).values("entry_id")
        rows = Posting.objects.filter(entry_id__in=entries).order_by("entry__booked_at", "line")
        return [
            (code, direction, micros // PESO)
            for code, direction, micros in rows.values_list(
                "account__code", "direction", "amount_micros"
            )
        ]

    def findings(self) -> list[Finding]:
        return verify_ledger(organization_id=self.scene.organization_id, now=now())

    def fill_by(self, card: str, *, threshold: int = 100, amount: int = 300, cap: int = 1000):
        """Save a card of that behavior and switch automatic top-ups on; return the terms."""
        PaymentCustomer.objects.get_or_create(
            organization_id=self.scene.organization_id,
            defaults={"customer_id": f"cus_{self.scene.organization_id.hex}"},
        )
        saved = SavedCard.objects.create(
            organization_id=self.scene.organization_id,
            method_id=f"pm_sandbox_{card}_{self.scene.organization_id.hex}",
            brand="visa",
            last4="4242",
            created_at=now(),
        )
        return set_auto_top_up(
            organization_id=self.scene.organization_id,
            terms=Terms(saved.id, threshold * PESO, amount * PESO, cap * PESO),
            actor=self.owner.actor,
            now=now(),
        )

    def fill_again(self) -> None:
        """Save the same terms again."""
        row = self.terms()
        assert row.card_id is not None
        set_auto_top_up(
            organization_id=self.scene.organization_id,
            terms=Terms(
                row.card_id, row.threshold_micros, row.amount_micros, row.monthly_cap_micros
            ),
            actor=self.owner.actor,
            now=now(),
        )

    def automatic(self) -> list[Payment]:
        rows = Payment.objects.filter(
            organization_id=self.scene.organization_id, kind=Payment.Kind.AUTOMATIC
        )
        return list(rows.order_by("created_at"))

    def terms(self) -> AutoTopUp:
        return AutoTopUp.objects.get(organization_id=self.scene.organization_id)

    def age(self, payment: Payment, minutes: int) -> None:
        Payment.objects.filter(id=payment.id).update(
            created_at=payment.created_at - timedelta(minutes=minutes)
        )

    def _posted(self, code: str) -> int:
        row = Balance.objects.get(
            account__organization_id=self.scene.organization_id, account__code=code
        )
        return row.posted_micros // PESO
