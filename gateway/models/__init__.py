"""Generations, their attempts and artifacts, and the processes that work on them."""

from gateway.models.artifact import Artifact
from gateway.models.attempt import Attempt
from gateway.models.generation import Generation
from gateway.models.idempotency import IdempotencyKey
from gateway.models.process import Process

__all__ = ["Artifact", "Attempt", "Generation", "IdempotencyKey", "Process"]
