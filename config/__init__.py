"""The composition root: settings, URLs and the entry points of each process."""

from config.celery import app as celery_app
from config.logs.settings import log_everything

__all__ = ["celery_app"]

# Here, as no process of the product imports anything of its own before this.
log_everything()
