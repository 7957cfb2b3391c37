"""From a rate of images to processes, cores, memory, rows and bytes."""

from dataclasses import dataclass
from math import ceil
from typing import Final

from bench.capacity import figures

_SECONDS_A_MINUTE: Final = 60
_SECONDS_A_DAY: Final = 86_400
_MIB: Final = 1024 * 1024
_GIB: Final = 1024 * _MIB


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the system: requests of one image each.

    Attributes:
        latency_s: From a request to its image, most of it the provider's.
        image_kib: A stored image.
    """

    images_per_minute: float
    latency_s: float
    image_kib: float

    @property
    def per_second(self) -> float:
        return self.images_per_minute / _SECONDS_A_MINUTE

    @property
    def held(self) -> int:
        """Return how many requests wait at a time (Little's law)."""
        return ceil(self.per_second * self.latency_s)


@dataclass(frozen=True, slots=True)
class Processes:
    """Processes of one kind, each a core at most; memory is of one of them."""

    count: int
    busy_cores: float
    mib: int


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a load needs. Rates are per second; `month` is of `figures.MONTH_DAYS` days."""

    load: Load
    web: Processes
    worker: Processes
    postgres_cores: int
    commits: float
    wal_bytes: float
    rows_bytes_month: float
    connections: int
    valkey_commands: float
    valkey_bytes: float
    s3_puts: float
    s3_bytes: float
    s3_bytes_month: float
    s3_cores: float
    organizations_least: int


def size(load: Load) -> Sizing:
    """Return what a load needs, by the figures that were measured."""
    rate = load.per_second
    month_s = figures.MONTH_DAYS * _SECONDS_A_DAY
    image_bytes = load.image_kib * figures.KIB
    web, worker = _web(load), _worker(load)
    s3_ms = _at(load.image_kib, figures.S3_MS, figures.S3_LARGE_MS)
    return Sizing(
        load=load,
        web=web,
        worker=worker,
        postgres_cores=max(1, ceil(rate * figures.POSTGRES_MS / 1000 / figures.BUSY)),
        commits=rate * figures.COMMITS,
        wal_bytes=rate * figures.WAL_BYTES,
        rows_bytes_month=rate * figures.ROW_BYTES * month_s,
        connections=(web.count + worker.count) * figures.CONNECTIONS + 3 * figures.CONNECTIONS,
        valkey_commands=rate * figures.VALKEY_COMMANDS,
        valkey_bytes=rate * figures.VALKEY_BYTES,
        s3_puts=rate,
        s3_bytes=rate * image_bytes,
        s3_bytes_month=rate * image_bytes * month_s,
        s3_cores=rate * s3_ms / 1000 / figures.BUSY,
        organizations_least=ceil(rate / figures.ORGANIZATION_PER_SECOND),
    )


def _web(load: Load) -> Processes:
    # Images of answers with `b64_json` pass through; those of a URL do not, but are fetched later.
    cpu_ms = _at(load.image_kib, figures.WEB_MS, figures.WEB_LARGE_MS)
    count = _count(load, cpu_ms, figures.WEB_HELD)
    held = load.held / count
    mib = figures.WEB_IDLE_MIB + held * figures.WEB_HELD_KIB / figures.KIB
    return Processes(count, load.per_second * cpu_ms / 1000, ceil(mib))


def _worker(load: Load) -> Processes:
    cpu_ms = _at(load.image_kib, figures.WORKER_MS, figures.WORKER_LARGE_MS)
    count = _count(load, cpu_ms, figures.WORKER_HELD)
    held_mib = load.held / count * figures.WORKER_HELD_KIB / figures.KIB
    moving_mib = figures.TRANSFERS * figures.COPIES * load.image_kib / figures.KIB
    return Processes(
        count,
        load.per_second * cpu_ms / 1000,
        ceil(figures.WORKER_IDLE_MIB + held_mib + moving_mib),
    )


def _at(kib: float, small: float, large: float) -> float:
    """Interpolate between the two sizes that were measured, and go on beyond them."""
    slope = (large - small) / (figures.LARGE_KIB - figures.SMALL_KIB)
    return max(small, small + (kib - figures.SMALL_KIB) * slope)


def _count(load: Load, cpu_ms: float, held_most: int) -> int:
    by_cpu = ceil(load.per_second * cpu_ms / 1000 / figures.BUSY)
    needed = max(1, by_cpu, ceil(load.held / held_most))
    return needed + (load.images_per_minute >= figures.SPARE_FROM)


def gib(number: float) -> float:
    """Return bytes in GiB."""
    return number / _GIB


def mib(number: float) -> float:
    """Return bytes in MiB."""
    return number / _MIB
