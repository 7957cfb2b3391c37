"""A process of greenlets that serves on the port of its first argument, until it is killed.

Who asks `/readyz` holds its hub up, until something comes in.
"""

from gevent import monkey, sleep

monkey.patch_all()

import os  # noqa: E402 - after the patches
import sys  # noqa: E402

from core.metrics.health import Health, hub_asker  # noqa: E402
from core.metrics.serving import serve_metrics  # noqa: E402


def never_ready() -> str:
    os.read(sys.stdin.fileno(), 1)
    return "busy"


serve_metrics(
    host="127.0.0.1",
    port=int(sys.argv[1]),
    render=lambda: b"some 1\n",
    health=Health(life=lambda: "", service=never_ready),
    ask=hub_asker(timeout_s=0.6),
)
sleep(60)
