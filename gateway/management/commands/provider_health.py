"""Show how well the providers serve."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from core.clock import now
from gateway.health import ProviderHealth, Statistics, provider_health
from gateway.services.routing import real_endpoints


class Command(BaseCommand):
    help = "Show providers with a key or with calls in the last 24 hours: breaker, load, success."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--check", action="store_true", help="exit 1 if the breaker of one is open"
        )

    def handle(self, *_args: object, **options: Any) -> None:
        found = provider_health(configured=real_endpoints().keys(), now=now())
        if options["json"]:
            rows = [asdict(one) for one in found]
            self.stdout.write(json.dumps({"providers": rows}, default=_as_json))
        elif not found:
            self.stdout.write("No provider has a key, and none was called.")
        else:
            for one in found:
                self._show(one)
        if options["check"] and any(one.breaker for one in found):
            raise SystemExit(1)

    def _show(self, one: ProviderHealth) -> None:
        limit = "no limit" if one.limit is None else f"limit {one.limit}"
        pause = ""
        if one.pause is not None:
            since = f"{one.pause.paused_at:%Y-%m-%d %H:%M:%S} UTC"
            pause = f"PAUSED since {since} by {one.pause.paused_by} ({one.pause.reason}); "
        self.stdout.write(
            f"{one.provider}: {pause}{_breaker(one)}; {one.running} running with"
            f" {one.calls_in_flight} calls ({limit}), {one.queued} queued;"
            f" {_statistics(one.statistics)}"
        )
        for route in one.routes:
            self.stdout.write(
                f"  {route.model} by {route.upstream_model}: {_statistics(route.statistics)}"
            )


def _breaker(one: ProviderHealth) -> str:
    if one.breaker is None:
        return "breaker closed"
    return (
        f"BREAKER OPEN since {one.breaker.opened_at:%Y-%m-%d %H:%M:%S} UTC"
        f" ({one.breaker.reason}), next probe from {one.breaker.retry_at:%H:%M:%S} on"
    )


def _statistics(found: Statistics) -> str:
    if not found.calls:
        return "no calls"
    parts = [f"{found.calls} calls"]
    if found.success_rate is not None:
        parts.append(f"{found.success_rate:.1%} successful")
    if found.p50_s is not None:
        parts.append(f"p50 {found.p50_s} s, p95 {found.p95_s} s")
    if found.last_failure_at is not None:
        at = f"{found.last_failure_at:%Y-%m-%d %H:%M:%S} UTC"
        parts.append(f"last failure {at} ({found.last_failure})")
    return ", ".join(parts)


def _as_json(value: Any) -> str:
    """Write an instant."""
    return str(value.isoformat())
