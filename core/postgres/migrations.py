"""Which of the migrations that this release has the database lacks."""

import pkgutil
from pathlib import Path

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection


def missing_migrations() -> list[str]:
    """Return the migrations of installed apps that are not applied, as `app.name`, sorted.

    Compares names alone: building Django's graph of migrations takes half a second of CPU. What the
    database has beyond this release is not ours to judge: a later one may be on its way.

    Raises:
        DatabaseError: The database cannot be asked.
    """
    shipped = {
        f"{config.label}.{module.name}"
        for config in apps.get_app_configs()
        for module in pkgutil.iter_modules([str(Path(config.path) / "migrations")])
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
        if not (cursor.fetchone() or [False])[0]:
            return sorted(shipped)
        cursor.execute("SELECT app || '.' || name FROM django_migrations")
        applied = {name for (name,) in cursor.fetchall()}
    return sorted(shipped - applied)


def require_migrated() -> None:
    """Check that the database has the tables of this release; one that is away is waited for later.

    Raises:
        ImproperlyConfigured: Migrations are missing, or a restore has not ended.
    """
    try:
        missing = missing_migrations()
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('lienzo_restore') IS NOT NULL")
            is_restoring = cursor.fetchone() == (True,)
    except DatabaseError:
        return
    finally:
        connection.close()
    if missing:
        raise ImproperlyConfigured(
            f"The database lacks {len(missing)} migrations of this release, {missing[0]} first. "
            "Run `manage.py migrate` and `manage.py bootstrap` before its processes."
        )
    if is_restoring:
        raise ImproperlyConfigured(
            "A restore of this database has not ended. Run `manage.py restore --finish`."
        )
