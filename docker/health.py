"""Exit 0 if a process of this container answers 200: `python docker/health.py [PORT PATH]`.

Run by file name, with the standard library alone, so that a check costs some 30 ms.
"""

import http.client
import os
import sys

# A probe that asks a stuck hub is answered after 10 s.
_TIMEOUT_S = 12


def main(arguments: list[str]) -> int:
    """Ask the process; it is `/livez` at `METRICS_PORT` unless said otherwise."""
    port, path = arguments or (os.environ["METRICS_PORT"], "/livez")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"{path} at port {port}: {error}\n")
        return 1
    if status != http.client.OK:
        sys.stderr.write(f"{path} at port {port}: {status}\n")
    return int(status != http.client.OK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
