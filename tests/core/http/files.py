"""A process that may open no more files."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

# The standard streams are open always, and whoever polls may ask for as many as are allowed.
_FEWEST = 3


@contextmanager
def no_files_left() -> Iterator[None]:
    """Let everything inside that opens a file or a connection fail with EMFILE.

    Whatever other threads close meanwhile: each number below the limit is taken for good.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FEWEST, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
