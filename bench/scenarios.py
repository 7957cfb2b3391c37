"""What is measured: the scenarios, and one run of each."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from statistics import quantiles
from typing import Final

from bench.stack import BenchError, Stack
from embedded.processes import ROOT

MIB: Final = 1024 * 1024
# As base64 it is one MiB.
IMAGE_OF_MIB: Final = MIB // 4 * 3
SMALL_IMAGE: Final = 100_000
# What follows the answers: attempts are closed, deliveries recorded.
AFTERMATH_S: Final = 1.5
PARTS: Final = (
    "web",
    "worker",
    "postgres",
    "valkey",
    "seaweedfs",
    "sweeper",
    "dispatcher",
    "beat",
    "upstream",
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load.

    Attributes:
        directives: What the upstream is asked for in the prompt.
        least_bytes: A shorter answer is an error.
        warm_up: Calls made and forgotten before.
        worker_mib_max: Peak memory of the worker above which the run has failed.
    """

    name: str
    title: str
    model: str
    directives: str
    response_format: str
    concurrency: int
    requests: int
    least_bytes: int = 100
    warm_up: int = 64
    timeout_s: float = 60.0
    worker_mib_max: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of a scenario gave.

    Attributes:
        latency_ms: Percentiles of the whole answer, whose upstream took next to no time.
        cpu_ms: Per request, by part.
        peak_mib: By part.
        in_flight: Most calls the upstream had at once.
    """

    scenario: str
    title: str
    concurrency: int
    answered: int
    errors: dict[str, int]
    seconds: float
    per_second: float
    latency_ms: dict[str, float]
    cpu_ms: dict[str, float]
    peak_mib: dict[str, float]
    in_flight: int
    problems: list[str]


@dataclass(frozen=True, slots=True)
class _Found:
    """What the load generator measured, and what it took itself."""

    latencies_ms: list[float]
    errors: dict[str, int]
    seconds: float
    cpu_ms: float


_URL = Scenario(
    name="url",
    title="100 KB, upstream answers with a URL, so do we",
    model="dall-e-3",
    directives=f"[[bytes={SMALL_IMAGE}]] [[by=url]]",
    response_format="url",
    concurrency=1,
    requests=400,
)
_SMALL = replace(
    _URL,
    name="small",
    title="100 KB, upstream answers with base64, we with a URL",
    directives=f"[[bytes={SMALL_IMAGE}]]",
)
_BASE64 = Scenario(
    name="base64",
    title="1 MiB of base64 in and out",
    model="gpt-image-1",
    directives=f"[[bytes={IMAGE_OF_MIB}]]",
    response_format="b64_json",
    concurrency=1,
    requests=300,
    least_bytes=MIB,
)


def _many(scenario: Scenario, requests: int) -> Scenario:
    return replace(scenario, name=f"{scenario.name}-32", concurrency=32, requests=requests)


_HELD = Scenario(
    name="held",
    title="2,000 requests on a 10 s upstream, 100 KB",
    model="gpt-image-1",
    directives=f"[[delay=10]] [[bytes={SMALL_IMAGE}]]",
    response_format="url",
    concurrency=2000,
    requests=2000,
    timeout_s=200.0,
)
_HELD_BASE64 = replace(
    _HELD,
    name="held-base64",
    title="2,000 requests on a 10 s upstream, 1 MiB of base64",
    directives=f"[[delay=10]] [[bytes={IMAGE_OF_MIB}]]",
    response_format="b64_json",
    least_bytes=MIB,
)
_BURST = replace(
    _HELD,
    name="burst",
    title="1,000 results of 1 MiB of base64 at the same instant",
    directives=f"[[gather=1000]] [[bytes={IMAGE_OF_MIB}]]",
    concurrency=1000,
    requests=1000,
    worker_mib_max=600,
)

SCENARIOS: Final = (
    _URL,
    _many(_URL, 1500),
    _SMALL,
    _many(_SMALL, 1500),
    _BASE64,
    _many(_BASE64, 800),
    _BURST,
    _HELD,
    _HELD_BASE64,
)


def quick(scenario: Scenario) -> Scenario:
    """Return a scenario short enough for a look: a fifth of the calls, held ones a tenth."""
    if scenario.concurrency > 32:
        fewer = scenario.requests // 10
        directives = scenario.directives.replace("gather=1000", f"gather={fewer}")
        return replace(scenario, requests=fewer, concurrency=fewer, directives=directives)
    return replace(scenario, requests=scenario.requests // 5)


def measure(stack: Stack, scenario: Scenario) -> Measured:
    """Warm up, run a scenario, and return what it took."""
    if scenario.concurrency <= 32:
        _load(stack, replace(scenario, requests=scenario.warm_up))
    time.sleep(AFTERMATH_S)
    stack.upstream_stats()
    stack.forget_peaks()
    before = stack.usage()
    found = _load(stack, scenario)
    time.sleep(AFTERMATH_S)
    after = stack.usage()
    answered = len(found.latencies_ms)
    cpu = {name: (after[name].cpu_ms - before[name].cpu_ms) / scenario.requests for name in after}
    cpu["load"] = found.cpu_ms / scenario.requests
    stats = stack.upstream_stats()
    measured = Measured(
        scenario=scenario.name,
        title=scenario.title,
        concurrency=scenario.concurrency,
        answered=answered,
        errors=found.errors,
        seconds=round(found.seconds, 2),
        per_second=round(answered / found.seconds, 1),
        latency_ms=_percentiles(found.latencies_ms),
        cpu_ms={name: round(value, 2) for name, value in cpu.items()},
        peak_mib={name: round(after[name].peak_mib, 1) for name in after},
        in_flight=stats["most_in_flight"],
        problems=[],
    )
    measured.problems.extend(_problems(scenario, measured, calls=stats["calls"]))
    return measured


def _load(stack: Stack, scenario: Scenario) -> _Found:
    job = {
        "port": stack.port,
        "api_key": stack.api_key,
        "body": {
            "model": scenario.model,
            "prompt": scenario.directives,
            "size": "1024x1024",
            "quality": "standard" if scenario.model == "dall-e-3" else "high",
            "n": 1,
            "response_format": scenario.response_format,
        },
        "concurrency": scenario.concurrency,
        "requests": scenario.requests,
        "timeout_s": scenario.timeout_s,
        "least_bytes": scenario.least_bytes,
    }
    done = subprocess.run(
        (sys.executable, "-m", "bench.load", json.dumps(job)),
        env=dict(stack.environment),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BenchError(f"the load generator failed: {done.stderr[-2000:]}")
    return _Found(**json.loads(done.stdout))


def _problems(scenario: Scenario, measured: Measured, *, calls: int) -> list[str]:
    problems = [f"{count} x {error}" for error, count in measured.errors.items()]
    if calls != scenario.requests:
        problems.append(f"the upstream was called {calls} times for {scenario.requests} requests")
    limit = scenario.worker_mib_max
    if limit is not None and measured.peak_mib["worker"] > limit:
        problems.append(f"the worker took {measured.peak_mib['worker']} MiB, more than {limit}")
    return problems


def _percentiles(latencies: list[float]) -> dict[str, float]:
    if len(latencies) < 2:
        return {}
    cuts = quantiles(latencies, n=100, method="inclusive")
    return {f"p{cut}": round(cuts[cut - 1], 1) for cut in (50, 95, 99)}
