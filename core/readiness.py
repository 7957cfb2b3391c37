"""Telling whoever restarts a process that it serves."""

from pathlib import Path

from django.conf import settings


def announce_ready() -> None:
    """Add a line to the file that the supervisor named, if it waits for this process."""
    if settings.READY_FILE:
        with Path(settings.READY_FILE).open("a", encoding="ascii") as file:
            file.write("ready\n")
