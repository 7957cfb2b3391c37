"""Checking a provider's images and storing them, within the bound on images in memory."""

import hashlib
from functools import partial
from typing import cast

from django.conf import settings
from django.db import connection

from core.telemetry.spans import SpanKind, span
from gateway.catalog.types import Route
from gateway.images import (
    CONTENT_TYPES,
    EXTENSIONS,
    ImageFormat,
    ImageInfo,
    ImageRejected,
    fit_image,
    fit_image_offloaded,
    inspect_image,
)
from gateway.metrics import STAGE_DURATION
from gateway.models import Attempt
from gateway.providers.base import ProviderImage, ProviderResult
from gateway.providers.errors import BadResponse, ContentRefused, ProviderTimedOut
from gateway.services.processes import Kind, current_process
from gateway.services.runs.claims import holds_claim
from gateway.services.runs.jobs import Job, Run, insist
from gateway.services.runs.progress import Made
from gateway.storage import image_key, private_storage, public_storage
from gateway.types import StoredImage

PUBLIC_CACHE = "public, max-age=86400"
PRIVATE_CACHE = "private"


def store_images(job: Job, result: ProviderResult) -> Made:
    """Check, fit and store the images; surplus ones are dropped.

    Raises:
        BadResponse: None is usable.
        ContentRefused: None is there because the provider withheld them.
        ProviderTimedOut: The deadline passed, or the claim was lost, before they were stored.
    """
    stored: list[StoredImage] = []
    reasons: list[str] = []
    adjusted = ""
    for image in result.images[: len(job.indexes)]:
        try:
            kept, change = _store_image(job, image, index=job.indexes[len(stored)])
        except ImageRejected as rejected:
            reasons.append(str(rejected))
            continue
        stored.append(kept)
        adjusted = adjusted or change
    if not stored:
        if result.refused and not reasons:
            raise ContentRefused(
                "All images were withheld.", code="content_policy_violation", processed=True
            )
        raise BadResponse(
            f"No usable image: {'; '.join(reasons) or 'none came'}.",
            upstream_status=200,
            processed=True,
        )
    rest = job.indexes[len(stored) :]
    return Made(
        images=tuple(stored),
        moderated=rest[: result.refused],
        adjusted=adjusted,
        usage=result.usage,
        dropped=job.fitted.dropped,
        served_by=served_by(job.attempt, job.route),
    )


def _store_image(job: Job, image: ProviderImage, *, index: int) -> tuple[StoredImage, str]:
    run = job.run
    with STAGE_DURATION.labels("check", run.queue).time(), span("check"):
        data, info, change = _checked(job, image)
    image.data = b""
    _require_time(run)
    digest = hashlib.sha256(data).hexdigest()
    storage = public_storage() if run.is_public else private_storage()
    key = image_key(run.organization_id, run.claim.generation_id, index, EXTENSIONS[info.format])
    put = partial(
        storage.put_image,
        key,
        data,
        content_type=CONTENT_TYPES[info.format],
        cache_control=PUBLIC_CACHE if run.is_public else PRIVATE_CACHE,
        sha256=digest,
    )
    place = {"rpc.method": "S3/PutObject", "aws.s3.bucket": storage.bucket_name, "aws.s3.key": key}
    timed = STAGE_DURATION.labels("store", run.queue).time()
    with timed, span("S3/PutObject", place, kind=SpanKind.CLIENT):
        kept = insist(run, put)
    return (
        StoredImage(
            index=index,
            is_public=run.is_public,
            key=key,
            content_type=CONTENT_TYPES[info.format],
            sha256=bytes.fromhex(kept.sha256),
            size_bytes=kept.size,
            width=info.width,
            height=info.height,
            revised_prompt=image.revised_prompt or "",
            seed=image.seed,
        ),
        change,
    )


def _checked(job: Job, image: ProviderImage) -> tuple[bytes, ImageInfo, str]:
    """Return an image as it is to be stored, and what was done to it."""
    fitted = job.fitted
    info = inspect_image(
        image.data, max_bytes=settings.IMAGE_MAX_BYTES, max_pixels=settings.IMAGE_MAX_PIXELS
    )
    arrived = f"{info.width}x{info.height}"
    wanted_format = cast("ImageFormat", fitted.target_format or info.format)
    untouched = (
        (info.width, info.height) == (fitted.target_width, fitted.target_height)
        and wanted_format == info.format
        and not fitted.reencode
    )
    # The untouched path costs no CPU worth a thread; all others do.
    work = fit_image if untouched else fit_image_offloaded
    data, info, changed = work(
        image.data,
        info,
        width=fitted.target_width,
        height=fitted.target_height,
        format=wanted_format,
        compression=fitted.compression if fitted.reencode else None,
    )
    return data, info, f"{arrived} -> {info.width}x{info.height}" if changed else ""


def served_by(attempt: Attempt, route: Route) -> str:
    """Return what `X-Served-By` says of a call; nothing where the model itself served."""
    if attempt.is_sandboxed:
        return "sandbox"
    return route.served_by if route.substitute else ""


def _require_time(run: Run) -> None:
    """Refuse to store for a generation that has ended or was given to another worker.

    The row is asked only where the lease leaves a doubt: a tenth of a worker's statements were this
    one.
    """
    overdue = run.remaining_s <= 0
    if not overdue and current_process(Kind.WORKER).surely_holds(run.claim):
        return
    if overdue or not insist(run, partial(holds_claim, run.claim)):
        connection.close()
        raise ProviderTimedOut(
            "The images came after the deadline, or after the claim was lost.", processed=True
        )
    connection.close()
