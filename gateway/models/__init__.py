"""Generations, their attempts and artifacts, quotes, processes that work on them, and breakers."""

from gateway.models.artifact import Artifact
from gateway.models.attempt import Attempt
from gateway.models.breaker import Breaker
from gateway.models.generation import Generation
from gateway.models.idempotency import IdempotencyKey
from gateway.models.process import Process
from gateway.models.quote import Quote

__all__ = ["Artifact", "Attempt", "Breaker", "Generation", "IdempotencyKey", "Process", "Quote"]
