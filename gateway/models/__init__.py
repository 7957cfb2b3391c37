"""Generations with attempts and artifacts, what is made of them, and the processes at work."""

from gateway.models.artifact import Artifact
from gateway.models.attempt import Attempt
from gateway.models.backup import Backup
from gateway.models.breaker import Breaker
from gateway.models.check import Check
from gateway.models.export import Export
from gateway.models.finding import Finding
from gateway.models.generation import Generation
from gateway.models.idempotency import IdempotencyKey
from gateway.models.pause import Pause
from gateway.models.process import Process
from gateway.models.quote import Quote
from gateway.models.retention import Retention
from gateway.models.rollup import (
    Fact,
    MarginDay,
    MarginFact,
    MarginSum,
    Rollup,
    RollupZone,
    UserDay,
)
from gateway.models.thumbnail import Thumbnail

__all__ = [
    "Artifact",
    "Attempt",
    "Backup",
    "Breaker",
    "Check",
    "Export",
    "Fact",
    "Finding",
    "Generation",
    "IdempotencyKey",
    "MarginDay",
    "MarginFact",
    "MarginSum",
    "Pause",
    "Process",
    "Quote",
    "Retention",
    "Rollup",
    "RollupZone",
    "Thumbnail",
    "UserDay",
]
