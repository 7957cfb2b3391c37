"""Command line: ``python -m embedded.cluster run | kill | start | freeze | thaw | ... | stop``."""

import argparse
import os
import sys

from embedded.cluster.network import HOSTS
from embedded.cluster.run import remove_cluster, run_cluster, stop_cluster
from embedded.errors import EmbeddedError
from embedded.orders import give
from embedded.started import order_restart
from embedded.state import cluster_folder, state_folder
from embedded.supervisor import say

_ORDERS = {
    "kill": "kill all processes of a host at once and pull its cable",
    "start": "start a killed host again",
    "freeze": "stop all processes of a host by SIGSTOP",
    "thaw": "let a frozen host go on",
    "cut": "pull a host's cable",
    "join": "plug it in again",
}


def main(arguments: list[str]) -> int:
    """Run one subcommand; return its exit code."""
    options = _parser().parse_args(arguments)
    var = cluster_folder(state_folder(os.environ))
    try:
        match options.action:
            case "run":
                return run_cluster(var, os.environ, plain=options.plain)
            case "stop":
                say("Stopped." if stop_cluster(var) else "Nothing is running.")
            case "clean":
                remove_cluster(var)
                say(f"Removed {var} with all data.")
            case "restart":
                order_restart(var, options.names, os.environ)
            case action:
                give(var, [action, *options.names])
    except EmbeddedError as error:
        sys.stderr.write(f"lienzo: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m embedded.cluster", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="start services and two hosts and supervise them")
    run.add_argument("--plain", action="store_true", help="without network namespaces")
    restart = actions.add_parser("restart", help="restart hosts or processes, failing no request")
    restart.add_argument("names", nargs="*", metavar="NAME", help="b, a-web ...; else everything")
    for action, text in _ORDERS.items():
        order = actions.add_parser(action, help=text)
        order.add_argument("names", nargs="+", choices=HOSTS, metavar="HOST")
    actions.add_parser("stop", help="stop what `run` started, or what is left of it")
    actions.add_parser("clean", help="remove all data of the cluster")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
