"""Taking a provider out by hand, and letting one call try a provider that was left alone.

A paused provider is to callers what one with an open breaker is, until it is resumed: they take the
next route, and what runs goes on. Processes notice within a second.
"""

from datetime import datetime
from typing import Final

from django.db import transaction

from gateway.errors import NotFoundError
from gateway.models import Breaker, Pause
from gateway.providers.registry import PROVIDERS
from orgs.errors import InvalidInputError
from orgs.services.audit import Action, Actor, Target, record, require_platform

_REASON_LENGTH: Final = 200


def pause_provider(*, provider: str, reason: str, actor: Actor, now: datetime) -> None:
    """Keep calls from a provider until it is resumed.

    One transaction. Of one that is paused already only the reason is replaced.

    Raises:
        PermissionDeniedError: The actor does not run the platform.
        NotFoundError: There is no such provider.
        InvalidInputError: No reason is given, or one that is too long.
    """
    require_platform(actor)
    _require_provider(provider)
    words = reason.strip()
    if not words or len(words) > _REASON_LENGTH or "\x00" in words:
        raise InvalidInputError(
            f"A reason of at most {_REASON_LENGTH} characters is needed.", param="reason"
        )
    with transaction.atomic():
        pause, is_new = Pause.objects.select_for_update().get_or_create(
            provider=provider,
            defaults={"reason": words, "paused_by": actor.label[:254], "paused_at": now},
        )
        before = {} if is_new else {"reason": pause.reason}
        if not is_new:
            pause.reason = words
            pause.save(update_fields=["reason"])
        record(
            action=Action.PROVIDER_PAUSED,
            actor=actor,
            organization_id=None,
            target=Target("provider", provider, provider),
            before=before,
            after={"reason": words},
        )


def resume_provider(*, provider: str, actor: Actor) -> None:
    """Let calls to a paused provider through again; its breaker is as it was.

    One transaction.

    Raises:
        PermissionDeniedError: The actor does not run the platform.
        NotFoundError: The provider is not paused.
    """
    require_platform(actor)
    with transaction.atomic():
        pause = Pause.objects.select_for_update().filter(provider=provider).first()
        if pause is None:
            raise NotFoundError(f"{provider} is not paused.")
        reason = pause.reason
        pause.delete()
        record(
            action=Action.PROVIDER_RESUMED,
            actor=actor,
            organization_id=None,
            target=Target("provider", provider, provider),
            before={"reason": reason},
            after={"reason": ""},
        )


def end_breaker_pause(*, provider: str, actor: Actor, now: datetime) -> None:
    """Let the next call to a provider with an open breaker through, as its probe.

    One transaction. The breaker closes if that call succeeds, and begins its next pause if not.

    Raises:
        PermissionDeniedError: The actor does not run the platform.
        NotFoundError: Its breaker is not open.
    """
    require_platform(actor)
    with transaction.atomic():
        breaker = (
            Breaker.objects.select_for_update().filter(provider=provider, is_open=True).first()
        )
        if breaker is None:
            raise NotFoundError(f"The breaker of {provider} is not open.")
        before = {"retry_at": breaker.retry_at}
        breaker.retry_at = min(breaker.retry_at, now)
        breaker.save(update_fields=["retry_at"])
        record(
            action=Action.PROVIDER_PROBED,
            actor=actor,
            organization_id=None,
            target=Target("provider", provider, provider),
            before=before,
            after={"retry_at": breaker.retry_at},
        )


def _require_provider(provider: str) -> None:
    if provider not in PROVIDERS:
        raise NotFoundError(f"There is no provider '{provider}'.")
