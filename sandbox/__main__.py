"""Run the provider emulators: `python -m sandbox --port 8009`."""

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402 - nothing may be imported before the patch
import random  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

from sandbox.azure_openai import AzureOpenAI  # noqa: E402
from sandbox.bfl import Bfl  # noqa: E402
from sandbox.fal import Fal  # noqa: E402
from sandbox.faults import BadConfigError, Faults  # noqa: E402
from sandbox.gemini import Gemini  # noqa: E402
from sandbox.ideogram import Ideogram  # noqa: E402
from sandbox.openai import OpenAI  # noqa: E402
from sandbox.rates import Banxico, Ecb  # noqa: E402
from sandbox.server import Application, Studio  # noqa: E402
from sandbox.stability import Stability  # noqa: E402
from sandbox.stripe import Stripe  # noqa: E402
from sandbox.xai import XAI  # noqa: E402

_PROVIDERS: tuple[
    type[OpenAI | AzureOpenAI | Gemini | XAI | Fal | Bfl | Stability | Ideogram | Ecb | Banxico],
    ...,
] = (
    OpenAI,
    AzureOpenAI,
    Gemini,
    XAI,
    Fal,
    Bfl,
    Stability,
    Ideogram,
    Ecb,
    Banxico,
)
_BACKLOG = 1024
_STOP_TIMEOUT_S = 1.0


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _arguments()
    studio = Studio()
    names = [*(provider.name for provider in _PROVIDERS), Stripe.name]
    faults = Faults(names, random.Random())
    try:
        faults.configure(
            {
                "retired": options.retired,
                "delay_s": options.delay,
                "fault_rates": dict(_rate(text) for text in options.fault_rate),
            }
        )
    except BadConfigError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    providers = [provider(faults, studio) for provider in _PROVIDERS]
    application = Application([*providers, Stripe()], faults)
    listener = _listener(options)
    server = WSGIServer(listener, application, log=None)
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.stop, _STOP_TIMEOUT_S)
    host, port = listener.getsockname()[:2]
    sys.stdout.write(f"sandbox: listening on http://{host}:{port}\n")
    sys.stdout.flush()
    server.serve_forever(stop_timeout=_STOP_TIMEOUT_S)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="0 takes a free one")
    where.add_argument("--fd", type=int, help="an inherited listening socket")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--retired", action="store_true", help="retired models answer as today")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument(
        "--fault-rate",
        action="append",
        default=[],
        metavar="DIRECTIVE:RATE",
        help="as in status=500:0.05; may be repeated",
    )
    return parser.parse_args()


def _rate(text: str) -> tuple[str, object]:
    directive, _, rate = text.rpartition(":")
    try:
        return directive, float(rate)
    except ValueError:
        return directive, rate


def _listener(options: argparse.Namespace) -> socket.socket:
    if options.fd is not None:
        listener = socket.socket(fileno=options.fd)
        listener.settimeout(0)
        return listener
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((options.host, options.port))
    listener.listen(_BACKLOG)
    listener.settimeout(0)
    return listener


if __name__ == "__main__":
    sys.exit(main())
