"""`python -m bench.capacity.measure`: what a generation leaves in Postgres, Valkey and S3.

It runs the benchmark's own stack and prints the figures that `bench.capacity.figures` keeps.
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import psycopg
import redis

from bench.scenarios import AFTERMATH_S, SCENARIOS, measure
from bench.stack import Stack, running_stack

# Rollups of the first ones are made meanwhile, as they are all the time.
WARM_UP: Final = 500
CONCURRENCY: Final = 48
SIZES: Final = """
SELECT relname, pg_total_relation_size(oid), pg_indexes_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
COUNTERS: Final = """
SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0'),
       (SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'),
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())
FROM pg_stat_database WHERE datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the services counted so far."""

    tables: Mapping[str, tuple[int, int]]
    commits: int
    wal_bytes: int
    syncs: int
    connections: int
    commands: int
    valkey_in: int
    valkey_out: int


def look(stack: Stack) -> Seen:
    """Read the counters; without a vacuum, since sizes in use have the room of dead rows too."""
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as session:
        tables = {name: (total, indexes) for name, total, indexes in session.execute(SIZES)}
        row = session.execute(COUNTERS).fetchone()
    assert row is not None
    client = redis.Redis.from_url(stack.environment["REDIS_URL"])
    stats = client.info("stats")
    client.close()
    assert isinstance(stats, dict)
    return Seen(
        tables=tables,
        commits=int(row[0]),
        wal_bytes=int(row[1]),
        syncs=int(row[2]),
        connections=int(row[3]),
        commands=int(stats["total_commands_processed"]),
        valkey_in=int(stats["total_net_input_bytes"]),
        valkey_out=int(stats["total_net_output_bytes"]),
    )


def main() -> int:
    """Run generations and print what each left."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity.measure", description=__doc__)
    parser.add_argument("--generations", type=int, default=5000)
    count: int = parser.parse_args().generations
    scenario = replace(SCENARIOS[0], concurrency=CONCURRENCY, warm_up=0)
    with running_stack() as stack:
        measure(stack, replace(scenario, requests=WARM_UP))
        before, began_s = look(stack), time.monotonic()
        found = measure(stack, replace(scenario, requests=count))
        time.sleep(AFTERMATH_S)
        after, seconds = look(stack), time.monotonic() - began_s
    print(f"{found.answered} of {count} generations in {seconds:.0f} s; {found.problems}")
    print(f"CPU ms each: {found.cpu_ms}")
    _print(before, after, count)
    return 0 if found.answered == count else 1


def _print(before: Seen, after: Seen, count: int) -> None:
    grown = {
        name: (total - before.tables[name][0], indexes - before.tables[name][1])
        for name, (total, indexes) in after.tables.items()
    }
    for name, (total, indexes) in sorted(grown.items(), key=lambda item: -item[1][0]):
        if total >= count:
            print(f"{name:>34}: {total / count:8.0f} bytes, {indexes / count:7.0f} of them indexes")
    whole = sum(total for total, _ in grown.values())
    print(f"{'all tables':>34}: {whole / count:8.0f} bytes")
    print(f"{'WAL':>34}: {(after.wal_bytes - before.wal_bytes) / count:8.0f} bytes")
    print(f"{'commits':>34}: {(after.commits - before.commits) / count:8.2f}")
    print(f"{'syncs of the WAL':>34}: {(after.syncs - before.syncs) / count:8.2f}")
    print(f"{'connections':>34}: {after.connections:8d}")
    print(f"{'commands of Valkey':>34}: {(after.commands - before.commands) / count:8.2f}")
    print(f"{'bytes into Valkey':>34}: {(after.valkey_in - before.valkey_in) / count:8.0f}")
    print(f"{'bytes out of Valkey':>34}: {(after.valkey_out - before.valkey_out) / count:8.0f}")


if __name__ == "__main__":
    raise SystemExit(main())
