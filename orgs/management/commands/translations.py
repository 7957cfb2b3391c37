"""Collect the words of pages into `locale/`, and compile them. For whoever changes a page."""

import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

SOURCES = ("orgs", "billing", "gateway", "config", "templates")


class Command(BaseCommand):
    help = "Write every translatable string into locale/, and compile it. Needs GNU gettext."

    def handle(self, *args: Any, **options: Any) -> None:
        ignored = [
            path.name
            for path in Path(settings.BASE_DIR).iterdir()
            if path.is_dir() and path.name not in SOURCES
        ]
        call_command(
            "makemessages",
            locale=["es"],
            ignore_patterns=[f"{name}/*" for name in ignored],
            add_location="file",
            no_wrap=True,
            no_obsolete=True,
            verbosity=0,
        )
        folder = Path(settings.BASE_DIR) / "locale" / "es" / "LC_MESSAGES"
        # A fixed date: the files change only when a word does.
        catalog = folder / "django.po"
        lines = catalog.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith('"POT-Creation-Date')]
        catalog.write_text("".join(kept), encoding="utf-8")
        command = ("msgfmt", "--check-format", "-o", str(folder / "django.mo"), str(catalog))
        subprocess.run(command, check=True)  # noqa: S603 - fixed words
        self.stdout.write(f"{catalog.relative_to(settings.BASE_DIR)} and django.mo are written.")
