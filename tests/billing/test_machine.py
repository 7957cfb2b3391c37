"""Random histories of one organization, checked after every step."""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from billing.errors import BudgetExceededError, HoldClosedError, InsufficientBalanceError
from billing.models import Grant, Posting
from billing.services.budgets import set_limit
from billing.services.credits.expiring import expire_grants
from billing.services.markups import set_markup
from billing.services.prices import set_price
from core.clock import now
from tests.billing.scene import Scene, check_deferred


class Ledger(RuleBasedStateMachine):
    """What was put in, given and expired, less what was charged; and what is held, of what.

    The model of promotional credit is a list of grants, with what each has left, by expiry; a hold
    remembers what it took of which.
    """

    @initialize(currency=st.sampled_from(["MXN", "USD", "JPY"]))
    def open(self, currency):
        self.point = transaction.atomic()
        self.point.__enter__()
        self.scene = Scene.create(currency=currency, rate="18.123456789")
        self.funds = 0
        self.limit: int | None = None
        self.charged = 0
        self.open_holds: dict[str, tuple[int, int]] = {}
        self.at = now()
        self.grants: dict[UUID, datetime] = {}
        self.unspent: dict[UUID, int] = {}
        self.parts: dict[str, dict[UUID, int]] = {}
        self.promo_charged = 0
        self.closed: list[str] = []

    def teardown(self):
        transaction.set_rollback(True)
        self.point.__exit__(None, None, None)

    @property
    def held(self) -> int:
        return sum(unit * count for unit, count in self.open_holds.values())

    @property
    def promo_held(self) -> int:
        return sum(sum(self.parts[reference].values()) for reference in self.open_holds)

    def take(self, amount: int) -> dict[UUID, int]:
        """Return what a hold of an amount takes of the grants, by the rule."""
        taken: dict[UUID, int] = {}
        for grant in sorted(self.grants, key=lambda one: (self.grants[one], one)):
            part = min(self.unspent[grant], amount - sum(taken.values()))
            if part and self.grants[grant] > self.at:
                taken[grant] = part
        return taken

    def give_back(self, reference: str, captured: int) -> None:
        for grant, part in self.parts[reference].items():
            paid = min(part, captured)
            captured -= paid
            self.promo_charged += paid
            self.unspent[grant] += part - paid

    @rule(micros=st.integers(1, 3_000_000), minutes=st.integers(1, 5))
    def give_credit(self, micros, minutes):
        grant = self.scene.grant(micros, expires_at=self.at + timedelta(minutes=minutes))
        self.grants[grant.id], self.unspent[grant.id] = grant.expires_at, micros

    @rule(minutes=st.integers(0, 3))
    def let_time_pass_and_credit_expire(self, minutes):
        self.at += timedelta(minutes=minutes)
        due = {
            grant
            for grant, micros in self.unspent.items()
            if micros and self.grants[grant] <= self.at
        }
        assert expire_grants(now=self.at) == len(due)
        self.unspent.update(dict.fromkeys(due, 0))

    @rule(micros=st.integers(1, 5_000_000))
    def top_up(self, micros):
        self.scene.top_up(micros)
        self.funds += micros

    @rule(count=st.integers(1, 8))
    def authorize(self, count):
        quote = self.scene.quote()
        amount = quote.unit_micros * count
        fits_budget = self.limit is None or self.held + self.charged + amount <= self.limit
        taken = self.take(amount)
        wallet_held = self.held - self.promo_held
        wallet = self.funds - (self.charged - self.promo_charged) - wallet_held
        fits_balance = amount - sum(taken.values()) <= wallet
        if fits_budget and fits_balance:
            hold = self.scene.authorize(count, quote=quote, at=self.at)
            self.open_holds[hold.reference] = (quote.unit_micros, count)
            self.parts[hold.reference] = taken
            for grant, part in taken.items():
                self.unspent[grant] -= part
            return
        expected = InsufficientBalanceError if fits_budget else BudgetExceededError
        with pytest.raises(expected), transaction.atomic():
            self.scene.authorize(count, quote=quote, at=self.at)

    @rule(data=st.data())
    def capture(self, data):
        if not self.open_holds:
            return
        reference = data.draw(st.sampled_from(sorted(self.open_holds)))
        unit, count = self.open_holds.pop(reference)
        delivered = data.draw(st.integers(1, count))
        assert self.scene.capture(reference, images=delivered).amount_micros == unit * delivered
        self.charged += unit * delivered
        self.give_back(reference, unit * delivered)
        self.closed.append(reference)

    @rule(data=st.data())
    def release(self, data):
        if not self.open_holds:
            return
        reference = data.draw(st.sampled_from(sorted(self.open_holds)))
        unit, count = self.open_holds.pop(reference)
        assert self.scene.release(reference) == unit * count
        self.give_back(reference, 0)
        self.closed.append(reference)

    @rule(data=st.data(), again=st.sampled_from(["capture", "release"]))
    def close_again(self, data, again):
        if not self.closed:
            return
        reference = data.draw(st.sampled_from(self.closed))
        with pytest.raises(HoldClosedError), transaction.atomic():
            getattr(self.scene, again)(reference)

    @rule(amount=st.decimals(Decimal("0.0001"), Decimal(2), places=10))
    def change_price(self, amount):
        set_price(model_key=self.scene.model_key, amount=amount, now=now())

    @rule(rate=st.decimals(Decimal("0.001"), Decimal(30), places=10))
    def change_rate(self, rate):
        if self.scene.currency != "USD":
            self.scene.set_rate(str(rate))

    @rule(rate=st.decimals(Decimal("-0.5"), Decimal(2), places=6))
    def change_markup(self, rate):
        set_markup(rate=rate, now=now(), organization_id=self.scene.organization_id)

    @rule(limit=st.none() | st.integers(0, 20_000_000))
    def change_budget(self, limit):
        set_limit(organization_id=self.scene.organization_id, api_key_id=None, limit_micros=limit)
        self.limit = limit

    @invariant()
    def the_books_agree(self):
        if not hasattr(self, "scene"):
            return
        check_deferred()
        posted, held = self.scene.balance()
        wallet_charged = self.charged - self.promo_charged
        assert (posted, held) == (self.funds - wallet_charged, self.held - self.promo_held)
        assert posted >= held >= 0
        promo, promo_held = self.scene.promo()
        unspent = sum(self.unspent.values())
        assert (promo, promo_held) == (unspent + self.promo_held, self.promo_held)
        rows = Grant.objects.filter(organization_id=self.scene.organization_id)
        assert {row.id: row.unspent_micros for row in rows} == self.unspent
        self.entries_balance_and_rebuild_the_balances(posted + promo)
        assert self.scene.findings() == []

    def entries_balance_and_rebuild_the_balances(self, posted):
        mine = Posting.objects.filter(
            entry__postings__account__organization_id=self.scene.organization_id
        ).distinct()
        sums: dict[object, int] = defaultdict(int)
        own = 0
        for posting in mine.select_related("account"):
            signed = posting.amount_micros * (1 if posting.direction == "credit" else -1)
            sums[posting.entry_id, posting.currency] += signed
            if posting.account.organization_id is not None:
                own += signed
        assert set(sums.values()) <= {0}
        assert own == posted


def test_random_histories_keep_the_books(db):
    settings_ = settings(
        max_examples=18,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Ledger, settings=settings_)
