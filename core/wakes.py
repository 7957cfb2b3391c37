"""How a worker takes wake messages: forgotten by the broker as soon as they are handed out.

Acknowledging one costs two exchanges with the broker, and guards nothing: a row is the job, and a
wake that is lost with its worker is made up for by the others' own look.
"""

from celery import Celery
from celery.worker.request import Request

QUEUE_PREFIX = "generate."


class WakeRequest(Request):
    """A task's message that needs no acknowledgment."""

    def acknowledge(self) -> None:
        """Do nothing: the broker does not have the message any more."""
        self.acknowledged = True


def take_without_acknowledging(app: Celery, task_name: str) -> None:
    """Consume the queues of a task's messages in the broker's `no_ack` mode."""
    app.tasks[task_name].Request = f"{__name__}:{WakeRequest.__name__}"
    for name in generation_queues(app):
        app.amqp.queues[QUEUE_PREFIX + name].no_ack = True


def generation_queues(app: Celery) -> tuple[str, ...]:
    """Return the queues of generations that this worker consumes (`-Q`), without their prefix."""
    names = app.amqp.queues.consume_from
    return tuple(name.removeprefix(QUEUE_PREFIX) for name in names if name.startswith(QUEUE_PREFIX))
