"""The Celery application: messages only wake workers, so a lost or doubled one changes nothing."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("lienzo")
app.config_from_object("config.celery_settings")
app.autodiscover_tasks(["gateway"])
app.conf.beat_schedule = {
    "prune idempotency keys": {
        "task": "gateway.prune_idempotency_keys",
        "schedule": crontab(minute="17"),
    },
    "delete expired test generations": {
        "task": "gateway.delete_expired_test_generations",
        "schedule": crontab(minute="37", hour="3"),
    },
}
