"""An organization with a year behind it: entries at instants that a test chooses."""

from datetime import datetime
from uuid import uuid4

from django.db import transaction

from billing.services.holds import capture_hold
from billing.services.topups import top_up
from tests.billing.scene import Scene


def add_money(scene: Scene, amount_micros: int, *, at: datetime) -> None:
    top_up(
        organization_id=scene.organization_id,
        amount_micros=amount_micros,
        idempotency_key=uuid4().hex,
        now=at,
    )


def charge(scene: Scene, *, images: int = 1, at: datetime) -> None:
    reference = scene.authorize(images, at=at).reference
    with transaction.atomic():
        capture_hold(
            reference=reference,
            artifact_references=[uuid4().hex for _ in range(images)],
            now=at,
        )
