"""Pages of the journal: the same postings in the same order, in whatever way they are read."""

from datetime import UTC

import pytest

from billing.models import Posting
from billing.selectors.reports import journal
from billing.selectors.reports.journal import JournalLine, list_journal
from billing.services.reports.account_days import count_postings
from tests.billing.reports.test_books import live
from tests.billing.scene import UNIT, Scene

# An account's postings read whole; in windows of two entries and more; in one window.
WAYS = ((10**6, 1), (0, 2), (0, 1000))


@pytest.mark.parametrize(("few", "window"), WAYS)
def test_pages_are_all_postings_in_order_of_effect(scene: Scene, monkeypatch, few, window):
    live(7, scene)
    count_postings()
    scene.top_up(UNIT)
    monkeypatch.setattr(journal, "FEW", few)
    monkeypatch.setattr(journal, "FIRST_WINDOW", window)
    rows = [
        (posting.entry.effective_at, posting.entry_id, posting.line, posting.account)
        for posting in Posting.objects.select_related("entry", "account")
    ]
    rows.sort(key=lambda row: row[:3])
    days = [row[0].astimezone(UTC).date() for row in rows]
    assert len(set(days)) > 1

    for code, currency in ((None, None), ("wallet", "MXN"), ("revenue", "USD"), ("cash", "MXN")):
        for begins in (days[0], days[len(days) // 2]):
            due = [
                row[:3]
                for row, day in zip(rows, days, strict=True)
                if day >= begins
                and code in {None, row[3].code}
                and currency in {None, row[3].currency}
            ]
            found: list[JournalLine] = []
            while page := list_journal(
                begins=begins,
                ends=days[-1],
                limit=3,
                after=found[-1].place if found else None,
                code=code,
                currency=currency,
            ):
                found += page
            assert [(one.effective_at, one.entry_id, one.line) for one in found] == due
            assert due
