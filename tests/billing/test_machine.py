"""Random histories of one organization, checked after every step."""

from collections import defaultdict
from decimal import Decimal

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
from billing.models import Posting
from billing.services.budgets import set_limit
from billing.services.markups import set_markup
from billing.services.prices import set_price
from core.clock import now
from tests.billing.scene import Scene, check_deferred


class Ledger(RuleBasedStateMachine):
    """The wallet's model: what was put in, less what was charged; and what is held."""

    @initialize(currency=st.sampled_from(["MXN", "USD", "JPY"]))
    def open(self, currency):
        self.point = transaction.atomic()
        self.point.__enter__()
        self.scene = Scene.create(currency=currency, rate="18.123456789")
        self.funds = 0
        self.limit: int | None = None
        self.charged = 0
        self.open_holds: dict[str, tuple[int, int]] = {}
        self.closed: list[str] = []

    def teardown(self):
        transaction.set_rollback(True)
        self.point.__exit__(None, None, None)

    @property
    def held(self) -> int:
        return sum(unit * count for unit, count in self.open_holds.values())

    @rule(micros=st.integers(1, 5_000_000))
    def top_up(self, micros):
        self.scene.top_up(micros)
        self.funds += micros

    @rule(count=st.integers(1, 8))
    def authorize(self, count):
        quote = self.scene.quote()
        amount = quote.unit_micros * count
        fits_budget = self.limit is None or self.held + self.charged + amount <= self.limit
        fits_balance = amount <= self.funds - self.charged - self.held
        if fits_budget and fits_balance:
            hold = self.scene.authorize(count, quote=quote)
            self.open_holds[hold.reference] = (quote.unit_micros, count)
            return
        expected = InsufficientBalanceError if fits_budget else BudgetExceededError
        with pytest.raises(expected), transaction.atomic():
            self.scene.authorize(count, quote=quote)

    @rule(data=st.data())
    def capture(self, data):
        if not self.open_holds:
            return
        reference = data.draw(st.sampled_from(sorted(self.open_holds)))
        unit, count = self.open_holds.pop(reference)
        delivered = data.draw(st.integers(1, count))
        assert self.scene.capture(reference, images=delivered).amount_micros == unit * delivered
        self.charged += unit * delivered
        self.closed.append(reference)

    @rule(data=st.data())
    def release(self, data):
        if not self.open_holds:
            return
        reference = data.draw(st.sampled_from(sorted(self.open_holds)))
        unit, count = self.open_holds.pop(reference)
        assert self.scene.release(reference) == unit * count
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
        assert (posted, held) == (self.funds - self.charged, self.held)
        assert posted >= held >= 0
        self.entries_balance_and_rebuild_the_balance(posted)
        assert self.scene.findings() == []

    def entries_balance_and_rebuild_the_balance(self, posted):
        mine = Posting.objects.filter(
            entry__postings__account__organization_id=self.scene.organization_id
        ).distinct()
        sums: dict[object, int] = defaultdict(int)
        wallet = 0
        for posting in mine.select_related("account"):
            signed = posting.amount_micros * (1 if posting.direction == "credit" else -1)
            sums[posting.entry_id, posting.currency] += signed
            if posting.account.organization_id is not None:
                wallet += signed
        assert set(sums.values()) <= {0}
        assert wallet == posted


def test_random_histories_keep_the_books(db):
    settings_ = settings(
        max_examples=25,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Ledger, settings=settings_)
