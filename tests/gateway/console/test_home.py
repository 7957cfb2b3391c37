"""Home: figures of the month that equal what was charged, and the way to the first image."""

import re
from datetime import timedelta

import pytest

from billing.services.budgets import set_limit
from core.clock import now
from gateway.models import Thumbnail
from gateway.selectors.charges import ChargeFilters, list_charges
from gateway.selectors.figures import Scope
from gateway.services.onboarding import KeyTerms, open_api_key
from orgs.models import Organization
from orgs.services.audit import SYSTEM
from orgs.services.organizations import add_member
from tests.gateway.console_services.scene import deliver
from tests.gateway.services.rows import add_generation, open_key
from tests.gateway.services.test_rollups import charge
from tests.orgs.people import Team, person
from tests.visits import check_doors, signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]


@pytest.fixture
def key():
    """A key with three charged images of today, one of which has a thumbnail, and two failures."""
    key = open_key()
    for number in range(3):
        charge(key, now() - timedelta(seconds=number), model=f"m{number}")
    deliver(key, prompt="a secret lighthouse 0", model="m0")
    artifact = deliver(key, prompt="a secret lighthouse 1", model="m0").artifacts.get()
    Thumbnail.objects.create(
        artifact=artifact, edge=320, status="done", key="k", requested_at=now(), made_at=now()
    )
    for _ in range(2):
        add_generation(
            key, status="failed", error={"code": "generation_timeout"}, finished_at=now()
        )
    return key


def client_of(key, role="owner"):
    return signed_in(Team(Organization.objects.get(id=key.organization_id)).person(role).user)


def test_home_sums_what_was_charged_and_says_what_failed(key):
    path = f"/o/{key.organization_id}"
    set_limit(organization_id=key.organization_id, api_key_id=None, limit_micros=140_000)

    page = visit(client_of(key), path)

    today = now().date()
    scope = Scope(key.organization_id, "UTC", today.replace(day=1), today)
    rows = list_charges(filters=ChargeFilters(scope), limit=50).charges
    assert sum(row.amount_micros for row in rows) == 126_000
    assert "0.126 <span" in page
    assert "90\u00a0% of this month&#x27;s budget" in page.replace("'", "&#x27;")
    # USD 2.874 left, and 0.126 a day.
    assert "at this pace 22 days" in page
    assert "The provider did not finish in time." in page
    assert "2 failed" in page
    assert page.count('class="strip-wait"') == 1
    assert re.search(r'/thumbnails/[^"]+/320" alt="a secret lighthouse 1"', page)
    assert visit(client_of(key), path).count("a secret lighthouse") == 2


def test_roles_see_only_what_is_theirs(key):
    path = f"/o/{key.organization_id}"

    viewer, billing = visit(client_of(key, "viewer"), path), visit(client_of(key, "billing"), path)

    assert "secret lighthouse" not in viewer + billing
    assert "Image by m0" in viewer
    assert "at this pace" not in viewer
    assert "at this pace" in billing
    assert "strip" not in billing
    team = Team(Organization.objects.get(id=key.organization_id))
    check_doors(team, path, None)


def test_the_first_image_turns_the_steps_into_figures():
    team = Team.open()
    client = signed_in(team.person("owner").user)
    path = f"/o/{team.organization.id}"

    assert visit(client, path).count("icon-done") == 0
    key, _ = open_api_key(
        organization=team.organization, terms=KeyTerms(name="Test", livemode=False)
    )
    steps = visit(client, f"{path}/start")
    assert steps.count("(done)") == 1
    assert "YOUR_API_KEY" in visit(client, path)

    deliver(key, livemode=False)

    assert client.get(f"{path}/start").headers["HX-Refresh"] == "true"
    assert "behind the switch" in visit(client, path)
    client.post("/accounts/mode", {"livemode": "0"})
    page = visit(client, path)
    assert "Last images" in page
    assert "Spent this month" not in page


def test_a_new_members_own_prompts_are_shown_to_them(key):
    organization = Organization.objects.get(id=key.organization_id)
    developer = person()
    add_member(organization=organization, user=developer.user, role="developer", actor=SYSTEM)
    own, _ = open_api_key(
        organization=organization, terms=KeyTerms(name="Own"), actor=developer.actor
    )
    deliver(own, prompt="my own boat")

    page = visit(signed_in(developer.user), f"/o/{organization.id}")

    assert "my own boat" in page
    assert "secret lighthouse" not in page
