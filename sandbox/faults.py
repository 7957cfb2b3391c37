"""What goes wrong on purpose: run-time settings, the plan of one call, stalls and drips."""

import hashlib
import math
import random
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

import gevent

from sandbox.directives import Directive, parse, parse_one

_HANG_S: Final = 3600.0
_DRIP_INTERVAL_S: Final = 0.5
_PROMPTS_REMEMBERED: Final = 50_000


class BadConfigError(ValueError):
    """A setting sent to `/_config` is unknown or has a wrong value."""


class DroppedConnectionError(RuntimeError):
    """Ends a call that hung for an hour; the connection closes without a useful answer."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one provider behaves; times are seconds.

    `fault_rates` maps a directive without brackets (`status=500`, `corrupt=truncate`) to a
    probability; `requests_per_minute` 0 means that the limit is only shown, never enforced, and
    `in_flight` 0 that any number of calls may run side by side.
    """

    retired: bool = False
    fault_rates: Mapping[str, float] = field(default_factory=dict)
    delay_s: float = 0.0
    delay_jitter_s: float = 0.0
    queue_s: float = 0.05
    run_s: float = 0.2
    requests_per_minute: int = 0
    in_flight: int = 0
    noise: float = 0.02

    def updated(self, changes: Mapping[str, object]) -> "Settings":
        """Return a copy with the changes.

        Raises:
            BadConfigError: unknown name, wrong type, or a value out of range.
        """
        return replace(self, **{name: _setting(name, value) for name, value in changes.items()})  # type: ignore[arg-type]  # each value was checked by its name


@dataclass(frozen=True, slots=True)
class Plan:
    """The directives in force for one call; `call` counts the calls with the same prompt."""

    directives: tuple[Directive, ...]
    call: int
    extra_delay_s: float = 0.0

    def find(self, name: str, *, at: str = "", hit: int | None = None) -> str | None:
        """Return the value of a directive in force, else None.

        Steps that repeat within one call (status polls) give their own count as `hit`.
        """
        count = self.call if hit is None else hit
        for item in self.directives:
            in_force = item.times is None or count <= item.times
            if item.name == name and item.at == at and in_force:
                return item.value
        return None

    def hangs_at(self, step: str) -> bool:
        """Tell whether the call must never get past a step."""
        return self.find("hang") == step

    @property
    def delay_s(self) -> float:
        """Seconds to wait before the answer, or until a job is done."""
        return float(self.find("delay") or 0) + self.extra_delay_s


class Faults:
    """Settings per provider and the calls seen per prompt."""

    def __init__(self, providers: list[str], rng: random.Random) -> None:
        self._settings = {provider: Settings() for provider in providers}
        self._calls: OrderedDict[bytes, int] = OrderedDict()
        self._rng = rng

    def settings(self, provider: str) -> Settings:
        """Return the settings of one provider as they are now."""
        return self._settings[provider]

    def configure(self, changes: Mapping[str, object]) -> None:
        """Change settings: names of a setting change every provider, a provider's only its own.

        Raises:
            BadConfigError: nothing is changed then.
        """
        common = {key: value for key, value in changes.items() if key not in self._settings}
        changed = {}
        for provider, settings in self._settings.items():
            own = changes.get(provider, {})
            if not isinstance(own, dict):
                raise BadConfigError(f"{provider} must be an object")
            changed[provider] = settings.updated({**common, **own})
        self._settings = changed

    def reset(self) -> None:
        """Go back to the defaults and forget the calls counted."""
        self._settings = {provider: Settings() for provider in self._settings}
        self._calls.clear()

    def plan(self, provider: str, prompt: str) -> Plan:
        """Count a call and decide what happens to it."""
        settings = self._settings[provider]
        drawn = [
            directive
            for text, rate in settings.fault_rates.items()
            if self._rng.random() < rate
            for directive in parse_one(text)
        ]
        jitter = self._rng.uniform(0, settings.delay_jitter_s)
        return Plan((*parse(prompt), *drawn), self._count(prompt), settings.delay_s + jitter)

    def _count(self, prompt: str) -> int:
        key = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()
        count = self._calls.pop(key, 0) + 1
        self._calls[key] = count
        if len(self._calls) > _PROMPTS_REMEMBERED:
            self._calls.popitem(last=False)
        return count


def hang() -> NoReturn:
    """Keep the connection open without an answer.

    Raises:
        DroppedConnectionError: after an hour, when no client waits any more.
    """
    gevent.sleep(_HANG_S)
    raise DroppedConnectionError


def drip(body: bytes) -> Iterator[bytes]:
    """Yield a body one byte at a time, far slower than any deadline."""
    for index in range(len(body)):
        yield body[index : index + 1]
        gevent.sleep(_DRIP_INTERVAL_S)


def _setting(name: str, value: object) -> object:
    match name:
        case "retired":
            if isinstance(value, bool):
                return value
        case "fault_rates":
            return _rates(value)
        case "requests_per_minute" | "in_flight":
            if isinstance(value, int) and value >= 0:
                return value
        case "delay_s" | "delay_jitter_s" | "queue_s" | "run_s" | "noise":
            top = 1.0 if name == "noise" else 3600.0
            if isinstance(value, int | float) and 0 <= value <= top:
                return float(value)
        case _:
            raise BadConfigError(f"unknown setting {name!r}")
    raise BadConfigError(f"bad value for {name}: {value!r}")


def _rates(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise BadConfigError("fault_rates must be an object")
    rates: dict[str, float] = {}
    for text, rate in value.items():
        directive = f"status={text}" if str(text).isdecimal() else str(text)
        valid = isinstance(rate, int | float) and math.isfinite(rate) and 0 <= rate <= 1
        if not valid or not parse_one(directive):
            raise BadConfigError(f"bad fault rate {text!r}: {rate!r}")
        rates[directive] = float(rate)
    return rates
