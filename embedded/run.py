"""``make run``: everything on one machine, from nothing to serving."""

from collections.abc import Mapping
from pathlib import Path

from embedded.children import Folders, end_leftovers
from embedded.environment import Address, refuse_own_address
from embedded.errors import StopRequestedError
from embedded.host import Host
from embedded.limits import raise_file_limit
from embedded.locks import sole_user
from embedded.machine import Machine, Place
from embedded.ports import listen
from embedded.processes import STAGE_WORK
from embedded.signals import StopSignals
from embedded.supervisor import say


def run(var: Path, environ: Mapping[str, str]) -> int:
    """Start everything, supervise it until a stop signal, stop it. Returns the exit code.

    Raises:
        EmbeddedError: It cannot start; everything started so far has been stopped.
    """
    address = Address.from_environ(environ)
    raise_file_limit()
    with sole_user(var), StopSignals() as signals:
        refuse_own_address(environ, address)
        folders = Folders.under(var)
        if ended := end_leftovers(folders):
            say(f"Ended what an earlier run had left behind: {', '.join(ended)}")
        with listen(address.host, address.port) as web_socket:
            machine = Machine(Place(var), environ, [Host("", address, web_socket)], signals)
            try:
                machine.start()
                product = machine.supervisor.names(STAGE_WORK)
                machine.supervise({"restart": lambda names: machine.restart(names or product)})
            except StopRequestedError:
                pass
            finally:
                web_socket.close()
                say("Stopping ...")
                machine.supervisor.stop()
        say("Stopped.")
    return 0
