"""`python -m bench`: run the scenarios, print a table, write `bench/results/latest.json`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.scenarios import PARTS, SCENARIOS, Measured, Scenario, measure, quick
from bench.stack import BenchError, running_stack

RESULTS = Path(__file__).resolve().parent / "results" / "latest.json"
PRODUCT = tuple(name for name in PARTS if name != "upstream")
COLUMNS = ("web", "worker", "postgres", "valkey", "seaweedfs")


def main() -> int:
    """Run the benchmark; return 1 if a request failed or a limit was exceeded."""
    options = _arguments()
    chosen = [scenario for scenario in SCENARIOS if options.scenario in {None, scenario.name}]
    try:
        results = _run([quick(one) for one in chosen] if options.quick else chosen)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    RESULTS.parent.mkdir(exist_ok=True)
    content = {
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "quick": options.quick,
        "results": [asdict(result) for result in results],
    }
    RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"\nWritten to {RESULTS}")
    return 1 if any(result.problems for result in results) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="far fewer calls: for a look")
    parser.add_argument("--scenario", choices=[scenario.name for scenario in SCENARIOS])
    return parser.parse_args()


def _run(scenarios: Sequence[Scenario]) -> list[Measured]:
    results: list[Measured] = []
    print("Starting the engines, the web, worker and sweeper processes, and an upstream ...")
    with running_stack() as stack:
        print(_heading(), flush=True)
        for scenario in scenarios:
            result = measure(stack, scenario)
            results.append(result)
            print(_line(result), flush=True)
    print(f"\n{'peak memory, MiB':>18}" + "".join(f"{name:>10}" for name in COLUMNS))
    for result in results:
        peaks = "".join(f"{result.peak_mib[name]:>10.0f}" for name in COLUMNS)
        print(f"{result.scenario:>18}{peaks}")
    return results


def _heading() -> str:
    first = f"{'scenario':>12}{'conc':>6}{'done':>6}{'req/s':>7}"
    latency = "".join(f"{name:>8}" for name in ("p50 ms", "p95 ms", "p99 ms"))
    cpu = (*COLUMNS, "web+worker", "all", "upstream", "load")
    title = f"{'':>{len(first) + len(latency)}}   CPU ms a request"
    return f"{title}\n{first}{latency}" + "".join(f"{name:>11}" for name in cpu)


def _line(result: Measured) -> str:
    cpu = result.cpu_ms
    both = cpu["web"] + cpu["worker"]
    everything = sum(cpu[name] for name in PRODUCT)
    figures = (*(cpu[name] for name in COLUMNS), both, everything, cpu["upstream"], cpu["load"])
    latency = "".join(f"{result.latency_ms.get(name, 0):>8.1f}" for name in ("p50", "p95", "p99"))
    text = (
        f"{result.scenario:>12}{result.concurrency:>6}{result.answered:>6}"
        f"{result.per_second:>7.1f}{latency}" + "".join(f"{value:>11.2f}" for value in figures)
    )
    notes = [*result.problems]
    if result.concurrency > 32:
        notes.insert(0, f"at most {result.in_flight} calls at the upstream at once")
    return "\n".join((text, *(f"{'':>14}{note}" for note in notes)))


if __name__ == "__main__":
    sys.exit(main())
