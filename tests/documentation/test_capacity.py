"""The capacity model: its page says what its tool says, of the figures that were measured."""

from bench.capacity import figures
from bench.capacity.__main__ import main
from bench.capacity.sizing import Load, size
from tests.architecture.tree import DOCS, table_rows

PAGE = (DOCS / "capacity.md").read_text(encoding="utf-8")


def measured(scenario: str) -> dict[str, float]:
    names = ("web", "worker", "postgres", "valkey", "seaweedfs")
    row = next(
        row for row in table_rows(DOCS / "performance.md") if row[0].startswith(f"`{scenario}`:")
    )
    # The cell before may be empty.
    return {name: float(cell.strip("| ")) for name, cell in zip(names, row[-7:-2], strict=True)}


def test_page_shows_what_the_tool_prints(capsys):
    main([])
    examples = capsys.readouterr().out
    main(["--images-per-minute", "1000", "--latency", "12", "--image-kib", "1500"])
    one = capsys.readouterr().out

    assert examples in PAGE
    assert [line.split(" | ")[2] for line in examples.splitlines()[2:]] == [
        line.split(" | ")[1].removesuffix(" |") for line in one.splitlines()[2:]
    ]


def test_figures_are_those_of_the_benchmark():
    small, large = measured("held"), measured("held-base64")

    assert small == {
        "web": figures.WEB_MS,
        "worker": figures.WORKER_MS,
        "postgres": figures.POSTGRES_MS,
        "valkey": figures.VALKEY_MS,
        "seaweedfs": figures.S3_MS,
    }
    assert (large["web"], large["worker"], large["seaweedfs"]) == (
        figures.WEB_LARGE_MS,
        figures.WORKER_LARGE_MS,
        figures.S3_LARGE_MS,
    )
    for told in (
        f"| {figures.WEB_MS}, {figures.WORKER_MS}, {figures.POSTGRES_MS} ms |",
        f"| {figures.VALKEY_MS}, {figures.S3_MS} ms |",
        f"| {figures.WEB_LARGE_MS}, {figures.WORKER_LARGE_MS}, {figures.S3_LARGE_MS} ms |",
        f"| {figures.WEB_HELD:,}; {figures.WORKER_HELD:,} |",
        f"| {figures.WEB_IDLE_MIB}, {figures.WORKER_IDLE_MIB} MiB |",
        f"| {figures.WEB_HELD_KIB}, {figures.WORKER_HELD_KIB} KiB |",
        f"| {figures.ROW_BYTES / 1000:.1f} KB |",
        f"| {figures.WAL_BYTES / 1000:.0f} KB |",
        f"| {figures.COMMITS} |",
        f"| {figures.VALKEY_COMMANDS}; {figures.VALKEY_BYTES / 1000:.1f} KB |",
        f"| {figures.ORGANIZATION_PER_SECOND} a second |",
    ):
        assert told in PAGE, told


def test_sizes_follow_rate_latency_and_image():
    base = size(Load(images_per_minute=60_000, latency_s=10, image_kib=figures.SMALL_KIB))

    # 1,000 a second: 10,000 held, 6.7 cores of web at 60 %, ten processes of 1,000 held each.
    assert (base.load.held, base.web.busy_cores, base.web.count) == (10_000, 6.7, 12 + 1)
    assert (base.worker.busy_cores, base.worker.count) == (8.5, 15 + 1)
    assert base.postgres_cores == 14
    assert base.connections == (13 + 16 + 3) * figures.CONNECTIONS
    assert base.rows_bytes_month == 1000 * figures.ROW_BYTES * 30 * 86_400
    slow = size(Load(images_per_minute=60_000, latency_s=40, image_kib=figures.SMALL_KIB))
    assert (slow.load.held, slow.web.count, slow.worker.count) == (40_000, 40 + 1, 20 + 1)
    assert slow.postgres_cores == base.postgres_cores
    large = size(Load(images_per_minute=60_000, latency_s=10, image_kib=figures.LARGE_KIB))
    assert large.worker.busy_cores == 11.3
    assert large.s3_bytes == 1000 * figures.LARGE_KIB * 1024
    assert size(Load(images_per_minute=10, latency_s=12, image_kib=1500)).web.count == 1
