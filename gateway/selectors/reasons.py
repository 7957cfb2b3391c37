"""Why a generation or an attempt failed, in plain words for people."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: Final[Mapping[str, Promise]] = MappingProxyType(
    {
        "generation_timeout": _(
            "The provider did not finish in time. You were not charged; try again."
        ),
        "provider_unavailable": _(
            "No provider of this model could draw the image. You were not charged; try again."
        ),
        "content_policy_violation": _(
            "The provider's safety system refused the prompt. Change the prompt and try again."
        ),
        "moderation_blocked": _(
            "The provider's safety system refused the prompt or the image. Change the prompt."
        ),
        "generation_canceled": _("It was canceled before it ran. You were not charged."),
        "internal_error": _("Lienzo had a fault of its own. You were not charged; try again."),
        "invalid_value": _("The provider does not accept a value of the request."),
        "unsupported_value": _("The model does not offer a value of the request."),
        "insufficient_balance": _("The balance did not cover it. Top up and send it again."),
        "budget_exceeded": _("A monthly budget did not cover it."),
        "model_retired": _("The provider has retired the model."),
        "model_not_found": _("There is no such model."),
        "rate_limit_exceeded": _("The provider had too many requests at once."),
        "quote_expired": _("The quote had been used, or was too old."),
        "worker_lost": _("The process that worked on it stopped; another one took over."),
    }
)
_KINDS: Final[Mapping[str, Promise]] = MappingProxyType(
    {
        "ProviderTimedOut": _("The provider did not answer in time."),
        "NotStoredError": _("The image could not be stored in time."),
        "RateLimited": _("The provider had too many requests at once."),
        "ProviderUnavailable": _("The provider could not be reached, or was out of order."),
        "BadResponse": _("The provider's answer was no usable image."),
        "ContentRefused": _("The provider's safety system refused it."),
        "ProviderRejected": _("The provider refused the request."),
        "OutOfFiles": _("The process that worked on it could open no more connections."),
        "InputUnavailable": _("An image that was sent along could not be read."),
        "OutOfFunds": _("Our account at the provider had no money left."),
        "BadCredentials": _("The provider did not accept our credentials."),
        "ModelForbidden": _("The provider does not let our account use the model."),
        "ModelRetired": _("The provider has retired the model."),
    }
)
_OTHER: Final = _("It failed for a reason that has no name here.")


def reason_of(code: str, kind: str = "") -> Promise | None:
    """Return the words for an error code, else for a kind of failure; None without either."""
    if not code and not kind:
        return None
    return REASONS.get(code) or _KINDS.get(kind) or _OTHER
