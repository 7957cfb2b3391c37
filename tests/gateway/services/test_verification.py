"""`verify_ledger` compares delivered images, charges and attempts with the ledger, both ways."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from billing.services.holds import authorize_hold, capture_hold
from billing.services.prices import set_price
from billing.services.quotes import Cell, quote_unit
from billing.services.topups import top_up
from core.clock import now
from gateway.models import Artifact, Attempt, Generation
from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from gateway.services.verification import verify_money

pytestmark = pytest.mark.django_db


class Scene:
    """An organization with one delivered and charged image."""

    def __init__(self) -> None:
        moment = now()
        self.organization = open_organization(name="Verified", currency="USD")
        self.api_key, _ = open_api_key(
            organization=self.organization, terms=KeyTerms(name="Verified")
        )
        set_price(model_key="verified", amount=Decimal("0.04"), now=moment)
        top_up(
            organization_id=self.organization.id,
            amount_micros=1_000_000,
            idempotency_key=str(uuid4()),
            now=moment,
        )
        self.generation = self.add_generation()
        self.artifact = self.add_artifact(self.generation)
        self.authorize(self.generation.id)
        capture_hold(
            reference=str(self.generation.id),
            artifact_references=[str(self.artifact.id)],
            now=now(),
        )

    def add_generation(self) -> Generation:
        moment = now()
        return Generation.objects.create(
            organization=self.organization,
            api_key=self.api_key,
            livemode=True,
            status=Generation.Status.SUCCEEDED,
            model="verified",
            requested_model="verified",
            parameters={"n": 1},
            fingerprint=b"0" * 32,
            currency="USD",
            unit_micros=42_000,
            quoted_micros=42_000,
            quoted_list_micros=42_000,
            charged_micros=42_000,
            queue="fal",
            plan=[],
            created_at=moment,
            deadline_at=moment + timedelta(seconds=60),
            finished_at=moment,
        )

    def add_artifact(self, generation: Generation, index: int = 0) -> Artifact:
        return Artifact.objects.create(
            generation=generation,
            index=index,
            is_public=True,
            key=f"{self.organization.id}/{generation.id}/{index}.png",
            content_type="image/png",
            sha256=b"0" * 32,
            size_bytes=1,
            width=1,
            height=1,
            created_at=now(),
        )

    def authorize(self, reference: object) -> None:
        moment = now()
        quote = quote_unit(
            organization_id=self.organization.id,
            currency="USD",
            cell=Cell("verified", size="", quality="", pixels=1),
            now=moment,
        )
        authorize_hold(
            organization_id=self.organization.id,
            api_key_id=self.api_key.id,
            reference=str(reference),
            quote=quote,
            count=1,
            deadline_at=moment + timedelta(seconds=60),
            now=moment,
        )

    def findings(self) -> set[tuple[str, str]]:
        found = verify_money(now=now(), organization_id=self.organization.id)
        return {(finding.table, finding.row_id) for finding in found}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_charged_image_is_in_order(scene):
    assert scene.findings() == set()


def test_an_artifact_without_a_capture_is_named(scene):
    stray = scene.add_artifact(scene.generation, index=1)

    assert ("gateway_artifact", str(stray.id)) in scene.findings()


def test_a_charge_for_a_vanished_artifact_is_named(scene):
    Artifact.objects.filter(id=scene.artifact.id).delete()

    tables = {table for table, _ in scene.findings()}
    assert tables == {"billing_posting", "gateway_generation"}


def test_a_generation_that_says_another_charge_is_named(scene):
    Generation.objects.filter(id=scene.generation.id).update(charged_micros=41_999)

    assert scene.findings() == {("gateway_generation", str(scene.generation.id))}


def test_a_hold_left_open_by_an_ended_generation_is_named(scene):
    ended = scene.add_generation()
    Generation.objects.filter(id=ended.id).update(charged_micros=0)
    scene.authorize(ended.id)

    assert {table for table, _ in scene.findings()} == {"billing_hold"}


def test_a_hold_of_nothing_known_is_named(scene):
    scene.authorize("a reference that no generation has")

    assert {table for table, _ in scene.findings()} == {"billing_hold"}


def test_an_attempt_whose_cost_is_not_booked_is_named(scene):
    attempt = Attempt.objects.create(
        generation=scene.generation,
        number=1,
        provider="fal",
        upstream_model="x",
        status=Attempt.Status.SUCCEEDED,
        cost_micros=40_000,
        claim_token=uuid4(),
        started_at=now(),
        finished_at=now(),
    )

    found = {finding.row_id for finding in verify_money(now=now())}
    assert str(attempt.id) in found
