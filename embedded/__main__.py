"""Command line: ``python -m embedded run | restart | stop | exec | clean | hold``."""

import argparse
import os
import sys
from pathlib import Path

from embedded.children import Folders, end_leftovers
from embedded.environment import without_settings
from embedded.errors import EmbeddedError
from embedded.locks import sole_user, stop_running
from embedded.run import run
from embedded.session import (
    kept_services,
    remove_state,
    run_command,
    serve_holder,
    temporary_services,
)
from embedded.started import order_restart, running_folder
from embedded.state import state_folder
from embedded.supervisor import say


def main(arguments: list[str]) -> int:
    """Run one subcommand; return its exit code."""
    options = _parser().parse_args(arguments)
    var = state_folder(os.environ)
    try:
        return _dispatch(options, var)
    except EmbeddedError as error:
        sys.stderr.write(f"lienzo: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _dispatch(options: argparse.Namespace, var: Path) -> int:
    match options.action:
        case "run":
            return run(var, os.environ)
        case "restart":
            order_restart(running_folder(var), options.names, os.environ)
            return 0
        case "stop":
            say("Stopped." if stop_running(running_folder(var)) else "Nothing is running.")
            return 0
        case "clean":
            return _clean(var)
        case "hold":
            return serve_holder()
        case _:
            return _execute(options, var)


def _execute(options: argparse.Namespace, var: Path) -> int:
    command: list[str] = options.command
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise EmbeddedError("exec needs a command: python -m embedded exec -- CMD ...")
    if options.temporary:
        with temporary_services() as values:
            return run_command(command, values, without_settings(os.environ))
    with kept_services(var, os.environ) as values:
        return run_command(command, values, os.environ)


def _clean(var: Path) -> int:
    with sole_user(var):
        end_leftovers(Folders.under(var))
    remove_state(var)
    say(f"Removed {var} with all data.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m embedded", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("run", help="start everything and supervise it")
    restart = actions.add_parser("restart", help="restart processes, failing no request")
    restart.add_argument("names", nargs="*", help="web, worker ...; else all of the product's")
    actions.add_parser("stop", help="stop what runs")
    actions.add_parser("clean", help="remove all data of the state folder")
    actions.add_parser("hold", help="engines for whoever holds standard input (tests)")
    execute = actions.add_parser("exec", help="run a command beside the engines")
    execute.add_argument("--temporary", action="store_true", help="in a folder removed afterwards")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
