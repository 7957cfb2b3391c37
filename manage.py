#!/usr/bin/env python
"""Django's command line. Commands find the running embedded services by themselves."""

import os
import sys
from pathlib import Path

from embedded.state import load_environment


def main() -> None:
    """Run a management command with the environment of the running embedded services, if any."""
    var_dir = Path(os.environ.get("LIENZO_VAR") or Path(__file__).resolve().parent / "var")
    for name, value in load_environment(var_dir).items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # It names the setting; the way there through Django helps nobody.
        sys.exit(f"lienzo: {error}")


if __name__ == "__main__":
    main()
