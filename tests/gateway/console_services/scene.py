"""Rows of a gallery, without images in storage unless they are asked for."""

import hashlib
import io
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from PIL import Image

from core.clock import now
from gateway.models import Artifact, Generation
from gateway.storage import image_key, public_storage
from orgs.models import ApiKey
from tests.gateway.services.rows import add_generation


def deliver(
    api_key: ApiKey,
    *,
    prompt: str = "a lighthouse",
    images: int = 1,
    at: datetime | None = None,
    **fields: Any,
) -> Generation:
    """Add an ended generation with images of which nothing is stored."""
    created_at = at or now()
    generation = add_generation(
        api_key,
        **{
            "status": "succeeded",
            "parameters": {"n": images, "prompt": prompt},
            "created_at": created_at,
            "started_at": created_at + timedelta(seconds=1),
            "finished_at": created_at + timedelta(seconds=4),
            **fields,
        },
    )
    for index in range(images):
        Artifact.objects.create(
            generation=generation,
            index=index,
            is_public=True,
            key=image_key(api_key.organization_id, generation.id, index, "png"),
            content_type="image/png",
            sha256=b"0" * 32,
            size_bytes=1,
            width=1024,
            height=768,
            created_at=created_at,
        )
    return generation


def store(generation: Generation) -> bytes:
    """Put pictures where the images of a generation are to be; return the bytes of each."""
    target = io.BytesIO()
    Image.effect_noise((640, 480), 60).convert("RGB").save(target, "PNG")
    data = target.getvalue()
    artifacts = list(Artifact.objects.filter(generation=generation))
    Artifact.objects.filter(generation=generation).update(size_bytes=len(data))
    connection.close()
    for artifact in artifacts:
        public_storage().put_image(
            artifact.key,
            data,
            content_type="image/png",
            cache_control="no-store",
            sha256=hashlib.sha256(data).hexdigest(),
        )
    return data
