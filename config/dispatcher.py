"""Sends webhooks, for ever: `python -m config.dispatcher`. Any number of them may run.

A process of its own: a receiver that hangs or floods then costs neither web nor workers anything,
and what may reach customers' addresses can be fenced off by itself.
"""

import os
import signal

import gevent
from gevent import monkey
from gevent.event import Event


def main() -> None:
    """Patch the process, load the apps, and send until told to stop."""
    monkey.patch_all()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django  # noqa: PLC0415 - after the patches

    django.setup()
    from config.metrics.processes import show_dispatcher  # noqa: PLC0415 - after the patches
    from config.settings import check_secrets  # noqa: PLC0415 - as above
    from config.startup import require_patched  # noqa: PLC0415 - as above
    from core.postgres.migrations import require_migrated  # noqa: PLC0415 - as above
    from core.readiness import announce_ready  # noqa: PLC0415 - as above
    from core.telemetry.lifecycle import start_telemetry, stop_telemetry  # noqa: PLC0415 - as above
    from embedded.limits import raise_file_limit  # noqa: PLC0415 - as above
    from gateway.api.webhooks import data_of  # noqa: PLC0415 - as above
    from gateway.storage import forbid_open_transaction  # noqa: PLC0415 - as above
    from orgs.services.dispatcher import Dispatcher  # noqa: PLC0415 - as above
    from orgs.services.targets import webhook_client  # noqa: PLC0415 - as above

    raise_file_limit()
    start_telemetry("dispatcher")
    check_secrets()
    require_patched()
    require_migrated()
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    http = webhook_client(before_request=forbid_open_transaction)
    dispatcher = Dispatcher(http=http, data_of=data_of)
    show_dispatcher(dispatcher)
    announce_ready()
    dispatcher.run(stopping)
    stop_telemetry()


if __name__ == "__main__":
    main()
