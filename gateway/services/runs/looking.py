"""Looking at a generation on behalf of somebody who waits for it."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, connection

from core.clock import now
from gateway.selectors.generations import get_generation
from gateway.services.runs.endings import expire_generation
from gateway.types import GenerationView

logger = logging.getLogger(__name__)


def look(
    *, organization_id: UUID, generation_id: UUID, deadline_at: datetime | None
) -> GenerationView | None:
    """End the generation if its time is up, and read it; None if the database is away.

    Leaves no database connection open.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization.
    """
    moment = now()
    try:
        if deadline_at is not None and deadline_at <= moment:
            expire_generation(generation_id=generation_id, now=moment)
        return get_generation(
            organization_id=organization_id, generation_id=generation_id, with_attempts=False
        )
    except DatabaseError as error:
        logger.warning("looking.failed generation=%s error=%s", generation_id, error)
        return None
    finally:
        connection.close()
