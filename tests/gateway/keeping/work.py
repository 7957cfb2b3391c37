"""Work that is under way at a backup, and the commands."""

import hashlib
import json
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

from django.core.management import call_command
from django.db import connection

from billing.models import AutoTopUp, SavedCard
from core.clock import now
from gateway.models import Generation
from gateway.storage import public_storage, request_prefix
from orgs.models import ApiKey
from tests.billing.scene import UNIT, Scene
from tests.gateway.services.rows import add_generation
from tests.pictures import noise

PAID = 10 * UNIT


def run(*words: str, code: int = 0) -> dict[str, Any]:
    """Run a command that ends with a code; return what it printed."""
    out, ended = StringIO(), 0
    try:
        call_command(*words, "--json", stdout=out, stderr=StringIO())
    except SystemExit as error:
        ended = int(str(error.code))
    assert ended == code, out.getvalue()
    printed: dict[str, Any] = json.loads(out.getvalue())
    return printed


def accept(scene: Scene, *, overdue: bool = True, **fields: Any) -> Generation:
    """Add a generation of one image with its hold, past its deadline unless told."""
    deadline_at = now() + timedelta(seconds=-90 if overdue else 90)
    generation = add_generation(
        ApiKey.objects.get(id=scene.api_key_id),
        currency="MXN",
        unit_micros=UNIT,
        quoted_micros=UNIT,
        deadline_at=deadline_at,
        **fields,
    )
    scene.authorize(reference=str(generation.id), at=deadline_at - timedelta(seconds=60))
    return generation


def store(generation: Generation) -> str:
    """Store the image that its worker made after the backup."""
    key = f"{request_prefix(generation.organization_id, generation.id)}0.png"
    data = noise(64, 64, "png")
    connection.close()
    public_storage().put_image(
        key,
        data,
        content_type="image/png",
        cache_control="no-store",
        sha256=hashlib.sha256(data).hexdigest(),
    )
    return key


def fill_by_card(scene: Scene) -> None:
    """Have the wallet filled whenever it is nearly empty."""
    card = SavedCard.objects.create(
        organization_id=scene.organization_id, method_id=uuid4().hex, created_at=now()
    )
    AutoTopUp.objects.create(
        organization_id=scene.organization_id,
        is_enabled=True,
        card=card,
        threshold_micros=10 * PAID,
        amount_micros=PAID,
        monthly_cap_micros=PAID,
        changed_at=now(),
    )
