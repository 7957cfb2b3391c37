"""`python -m bench.capacity`: the sizing of a load, or of several side by side, as a table."""

import argparse
from collections.abc import Callable, Sequence
from typing import Final

from bench.capacity import figures
from bench.capacity.sizing import Load, Sizing, gib, mib, size

EXAMPLES: Final = (10.0, 1000.0, 100_000.0)
LATENCY_S: Final = 12.0
IMAGE_KIB: Final = 1500.0
Row = tuple[str, Callable[[Sizing], str]]
ROWS: Final[tuple[Row, ...]] = (
    ("requests a second", lambda one: _number(one.load.per_second)),
    ("requests held at a time", lambda one: _number(one.load.held)),
    ("web: processes", lambda one: _number(one.web.count)),
    ("web: cores busy", lambda one: _number(one.web.busy_cores)),
    ("web: MiB each", lambda one: _number(one.web.mib)),
    ("worker: processes", lambda one: _number(one.worker.count)),
    ("worker: cores busy", lambda one: _number(one.worker.busy_cores)),
    ("worker: MiB each", lambda one: _number(one.worker.mib)),
    ("Postgres: cores", lambda one: _number(one.postgres_cores)),
    ("Postgres: commits a second", lambda one: _number(one.commits)),
    ("Postgres: WAL, MiB a second", lambda one: _number(mib(one.wal_bytes))),
    ("Postgres: rows, GiB a month", lambda one: _number(gib(one.rows_bytes_month))),
    ("Postgres: connections", lambda one: _number(one.connections)),
    ("Postgres: a pooler", lambda one: "yes" if one.connections > figures.POOLER_FROM else "no"),
    ("Valkey: commands a second", lambda one: _number(one.valkey_commands)),
    ("Valkey: MiB a second", lambda one: _number(mib(one.valkey_bytes))),
    ("S3: puts a second", lambda one: _number(one.s3_puts)),
    ("S3: MiB a second", lambda one: _number(mib(one.s3_bytes))),
    ("S3: GiB a month", lambda one: _number(gib(one.s3_bytes_month))),
    ("S3: cores, if it is SeaweedFS", lambda one: _number(one.s3_cores)),
    ("organizations it must be shared by, at least", lambda one: _number(one.organizations_least)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--images-per-minute", type=float, nargs="+", default=EXAMPLES)
    parser.add_argument("--latency", type=float, default=LATENCY_S, help="seconds to an image")
    parser.add_argument("--image-kib", type=float, default=IMAGE_KIB, help="a stored image")
    options = parser.parse_args(arguments)
    rates: Sequence[float] = options.images_per_minute
    print(table([Load(rate, options.latency, options.image_kib) for rate in rates]))
    return 0


def table(loads: Sequence[Load]) -> str:
    """Return the sizing of loads as a table of Markdown."""
    sizes = [size(load) for load in loads]
    lines = [["images a minute", *(_number(load.images_per_minute) for load in loads)]]
    lines += [[title, *(figure(one) for one in sizes)] for title, figure in ROWS]
    first, *rest = [f"| {' | '.join(cells)} |" for cells in lines]
    return "\n".join([first, f"|---|{'---:|' * len(loads)}", *rest])


def _number(value: float) -> str:
    """Write two digits that count: the figures are no more exact than that."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"


if __name__ == "__main__":
    raise SystemExit(main())
