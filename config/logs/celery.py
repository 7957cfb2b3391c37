"""Celery's programs log as all processes do, and print nothing beside it."""

import sys
from functools import cached_property
from logging.config import dictConfig
from typing import TYPE_CHECKING, Any

from celery import Celery, signals
from celery.utils.imports import symbol_by_name

from config.logs.settings import process_kind

if TYPE_CHECKING:
    from celery.apps.worker import Worker


class QuietCelery(Celery):
    """An app whose programs keep Celery's own logging and greetings to themselves."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # With a receiver of this signal Celery sets up no logging by itself.
        signals.setup_logging.connect(_set_up)
        signals.celeryd_init.connect(_quiet)

    @cached_property
    def Beat(self) -> Any:  # noqa: ANN401, N802 - Celery's own name, and a class made as it goes
        """Return the class of beat's program."""
        return self.subclass_with_self(symbol_by_name("config.logs.beat:QuietBeat"))


def _set_up(**_: object) -> None:
    from django.conf import settings  # noqa: PLC0415 - not while this module is imported

    from core.telemetry.lifecycle import start_telemetry  # noqa: PLC0415 - after gevent's patches

    dictConfig(settings.LOGGING)
    start_telemetry(process_kind(sys.orig_argv))


def _quiet(instance: "Worker", **_: object) -> None:
    from celery.apps import worker  # noqa: PLC0415 - of workers only
    from django.conf import settings  # noqa: PLC0415 - not while this module is imported

    # Before it sets up logging it warns of being run as root, to be a line like all others.
    dictConfig(settings.LOGGING)
    instance.quiet = True  # type: ignore[attr-defined] # not in the stubs
    # "Warm shutdown", which it writes past logging.
    worker.safe_say = _say_nothing  # type: ignore[attr-defined] # not in the stubs


def _say_nothing(*_: object) -> None:
    pass
