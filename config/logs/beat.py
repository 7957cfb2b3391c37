"""Celery's beat, quiet."""

from typing import Any

from celery.apps.beat import Beat


class QuietBeat(Beat):
    """Celery's beat without what it prints for people."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Celery's options, as they come
        super().__init__(**{**options, "quiet": True})
