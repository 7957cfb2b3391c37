"""Limits of the operating system: of processes that serve, and of children, which inherit them."""

import contextlib
import resource

_WANTED_FILES = 65_536


def raise_file_limit() -> None:
    """Allow as many open files as the hard limit does, up to 65,536.

    Many systems and engines of containers start programs with 1,024, but each waiting request holds
    a connection open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
    # macOS refuses more than a limit of its own; then the old one stays.
    with contextlib.suppress(ValueError, OSError):
        if soft != resource.RLIM_INFINITY and soft < limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
