"""The metrics and probes of the worker and the dispatcher, which live in gevent's hub.

They are served from threads beside it, to which the hub tells by not answering that it stands
still.
"""

from core.metrics.health import Health, hub_asker
from core.metrics.own import show_process
from gateway.worker import worker
from orgs.services.dispatcher import Dispatcher


def show_worker() -> None:
    """Serve what the worker of this process shows."""
    own = worker()
    show_process(Health(life=own.fault_of_life, service=own.fault_of_service), ask=hub_asker())


def show_dispatcher(dispatcher: Dispatcher) -> None:
    """Serve what a dispatcher shows."""
    health = Health(
        life=lambda: dispatcher.looks.fault("the last look"),
        service=lambda: dispatcher.answers.fault("the last look that was answered"),
    )
    show_process(health, ask=hub_asker())
