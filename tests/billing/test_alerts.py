import pytest

from billing.errors import InvalidAmountError
from billing.services.alerts import announce_low_balances, set_balance_alert
from core.clock import now
from orgs.models import OutboxEvent, WebhookEndpoint
from orgs.services.audit import SYSTEM


@pytest.fixture
def told(scene):
    """What was written for a webhook that wants it."""
    WebhookEndpoint.objects.create(
        organization_id=scene.organization_id,
        url="https://example.com/",
        events=["balance.low"],
        secret=b"",
    )

    def read() -> list[dict[str, str]]:
        announce_low_balances(now=now())
        rows = OutboxEvent.objects.filter(organization_id=scene.organization_id)
        found = rows.filter(type="balance.low").order_by("created_at")
        return list(found.values_list("data", flat=True))

    return read


def test_each_fall_below_the_line_is_told_of_once(scene, told):
    scene.top_up(10_000_000)
    set_balance_alert(organization_id=scene.organization_id, below_micros=5_000_000, actor=SYSTEM)
    assert told() == []

    hold = scene.authorize(quote=scene.quote(), count=1)
    line = 10_000_000 - hold.amount_micros + 1
    set_balance_alert(organization_id=scene.organization_id, below_micros=line, actor=SYSTEM)
    assert [one["available"] for one in told()] == [scene_amount(10_000_000 - hold.amount_micros)]
    assert len(told()) == 1

    scene.top_up(1_000_000)
    assert len(told()) == 1
    scene.authorize(quote=scene.quote(), count=1_000_000 // hold.amount_micros + 1)
    assert len(told()) == 2


def scene_amount(micros: int) -> str:
    whole, rest = divmod(micros, 1_000_000)
    digits = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{digits}"


def test_without_a_line_nothing_is_told(scene, told):
    scene.top_up(1)
    set_balance_alert(organization_id=scene.organization_id, below_micros=5, actor=SYSTEM)
    set_balance_alert(organization_id=scene.organization_id, below_micros=None, actor=SYSTEM)

    assert told() == []


@pytest.mark.parametrize("below", [0, -1])
def test_a_line_is_above_zero(scene, below):
    with pytest.raises(InvalidAmountError):
        set_balance_alert(organization_id=scene.organization_id, below_micros=below, actor=SYSTEM)
