"""Settings of an organization, changed field by field and logged.

Limits are the platform's to set: they bound what an organization may ask of everyone's providers.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final, TypedDict
from uuid import UUID
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from core.countries import COUNTRIES
from orgs.errors import InvalidInputError, OrganizationClosedError, OrganizationNotFoundError
from orgs.models import Organization, lock_organization
from orgs.permissions import Permission
from orgs.services.api_keys import MOST_PER_MINUTE
from orgs.services.audit import (
    Action,
    Actor,
    Target,
    record,
    require_permission,
    require_platform,
    snapshot,
)
from orgs.services.organizations import checked_name

LONGEST_RETENTION_DAYS: Final = 3650
MOST_CONCURRENT: Final = 100_000
BILLING_FIELDS: Final = frozenset(
    {"legal_name", "billing_address", "billing_country", "tax_id", "billing_email"}
)
LIMIT_FIELDS: Final = frozenset({"max_concurrent", "requests_per_minute", "images_per_minute"})


class SettingsChanges(TypedDict, total=False):
    """What to change; a field that is absent stays. None removes a limit or a retention."""

    name: str
    time_zone: str
    language: str
    image_policy: str
    default_model: str
    allowed_models: list[str]
    allow_substitution: bool
    max_concurrent: int | None
    requests_per_minute: int | None
    images_per_minute: int | None
    image_retention_days: int | None
    prompt_retention_days: int | None
    developers_see_prompts: bool
    legal_name: str
    billing_address: str
    billing_country: str
    tax_id: str
    billing_email: str


def change_settings(
    *,
    organization_id: UUID,
    changes: SettingsChanges,
    is_known_model: Callable[[str], bool],
    actor: Actor,
) -> Organization:
    """Change settings, all of them or none. They hold for requests within a second.

    A new image policy is that of images to come: those that are stored stay where they are.

    Args:
        organization_id: Whose.
        changes: What.
        is_known_model: Says whether the catalog has a model; it stands above this app.
        actor: Needs `manage_settings`, for the billing profile alone `manage_billing_profile`;
            limits are the platform's.

    Raises:
        InvalidInputError: A value cannot be; `param` names its field.
        PermissionDeniedError: The actor may not change one of them.
        OrganizationNotFoundError: There is none.
        OrganizationClosedError: It is to be deleted.
    """
    values = {name: _checked(name, value) for name, value in changes.items()}
    _require_models(values, is_known_model)
    with transaction.atomic():
        organization = lock_organization(organization_id)
        if organization is None:
            raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
        if organization.deletion_requested_at is not None:
            raise OrganizationClosedError("This organization is to be deleted.")
        _require_may_change(organization_id, actor, values)
        before = snapshot(organization, sorted(values))
        for name, value in values.items():
            setattr(organization, name, value)
        _check_together(organization)
        after = snapshot(organization, sorted(values))
        if before != after:
            organization.save(update_fields=sorted(values))
            record(
                action=Action.ORGANIZATION_SETTINGS_CHANGED,
                actor=actor,
                organization_id=organization_id,
                target=Target("organization", organization_id, organization.name),
                before=before,
                after=after,
            )
    return organization


def _require_may_change(organization_id: UUID, actor: Actor, names: Collection[str]) -> None:
    if LIMIT_FIELDS.intersection(names):
        require_platform(actor)
    is_billing = BILLING_FIELDS.issuperset(names)
    require_permission(
        organization_id=organization_id,
        actor=actor,
        permission=(
            Permission.MANAGE_BILLING_PROFILE if is_billing else Permission.MANAGE_SETTINGS
        ),
    )


def _check_together(organization: Organization) -> None:
    if not organization.allow_substitution and not organization.default_model:
        raise InvalidInputError(
            "Choose a default model: without substitution the usual one may be retired.",
            param="default_model",
        )


def _require_models(values: Mapping[str, object], is_known_model: Callable[[str], bool]) -> None:
    allowed = values.get("allowed_models")
    for name, model_ids in (
        ("allowed_models", allowed if isinstance(allowed, list) else []),
        ("default_model", [values["default_model"]] if values.get("default_model") else []),
    ):
        for model_id in model_ids:
            if not is_known_model(str(model_id)):
                raise InvalidInputError(f"Unknown model {str(model_id)[:100]!r}.", param=name)


def _checked(name: str, value: object) -> object:
    check = _CHECKS.get(name)
    if check is None:
        raise InvalidInputError(f"There is no setting {name!r}.", param=name)
    return check(name, value)


def _name(_name: str, value: object) -> str:
    return checked_name(str(value))


def _time_zone(name: str, value: object) -> object:
    if value not in available_timezones():
        raise InvalidInputError(f"Unknown time zone {value!r}.", param=name)
    return value


def _choice(*choices: str) -> Callable[[str, object], object]:
    def check(name: str, value: object) -> object:
        if value not in choices:
            raise InvalidInputError(f"{name} is one of {', '.join(choices)}.", param=name)
        return value

    return check


def _flag(name: str, value: object) -> object:
    if not isinstance(value, bool):
        raise InvalidInputError(f"{name} is on or off.", param=name)
    return value


def _count(most: int) -> Callable[[str, object], object]:
    def check(name: str, value: object) -> object:
        is_count = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most
        if value is not None and not is_count:
            raise InvalidInputError(f"{name} is from 1 to {most}, or none.", param=name)
        return value

    return check


def _text(most: int) -> Callable[[str, object], object]:
    def check(name: str, value: object) -> object:
        text = str(value).strip()
        if len(text) > most or "\x00" in text:
            raise InvalidInputError(f"{name} has at most {most} characters.", param=name)
        return text

    return check


def _models(_name: str, value: object) -> object:
    words = value if isinstance(value, list | tuple) else []
    return list(dict.fromkeys(str(word) for word in words))


def _country(name: str, value: object) -> object:
    text = str(value).strip().upper()
    if text and text not in COUNTRIES:
        raise InvalidInputError("Give the country as two letters (ISO 3166).", param=name)
    return text


def _email(name: str, value: object) -> object:
    text = str(value).strip()
    try:
        if text:
            validate_email(text)
    except ValidationError as error:
        raise InvalidInputError("Give an e-mail address.", param=name) from error
    return text


_CHECKS: Final[Mapping[str, Callable[[str, object], object]]] = {
    "name": _name,
    "time_zone": _time_zone,
    "language": _choice(*Organization.Language.values),
    "image_policy": _choice(*Organization.ImagePolicy.values),
    "default_model": _text(100),
    "allowed_models": _models,
    "allow_substitution": _flag,
    "max_concurrent": _count(MOST_CONCURRENT),
    "requests_per_minute": _count(MOST_PER_MINUTE),
    "images_per_minute": _count(MOST_PER_MINUTE),
    "image_retention_days": _count(LONGEST_RETENTION_DAYS),
    "prompt_retention_days": _count(LONGEST_RETENTION_DAYS),
    "developers_see_prompts": _flag,
    "legal_name": _text(200),
    "billing_address": _text(1000),
    "billing_country": _country,
    "tax_id": _text(40),
    "billing_email": _email,
}
