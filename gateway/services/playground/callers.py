"""Somebody who is signed in, as the caller of a request."""

from uuid import UUID

from orgs.selectors import get_organization
from orgs.services.api_keys import Caller, Rates


def console_caller(*, organization_id: UUID, user_id: UUID, livemode: bool) -> Caller:
    """Return a member as a caller, with the organization's limits and none of a key. One query.

    That the person is a member and may generate is checked by whoever asks.

    Raises:
        OrganizationNotFoundError: There is no such organization.
    """
    organization = get_organization(organization_id=organization_id)
    return Caller(
        api_key_id=None,
        user_id=user_id,
        organization_id=organization.id,
        livemode=livemode,
        currency=organization.currency,
        time_zone=organization.time_zone,
        image_policy=organization.image_policy,
        default_model=organization.default_model,
        allow_substitution=organization.allow_substitution,
        is_demo=organization.is_demo,
        suspended=organization.is_stopped,
        scopes=frozenset(),
        models_allowed=frozenset(),
        organization_models_allowed=frozenset(organization.allowed_models),
        cidrs=(),
        organization_max_concurrent=organization.max_concurrent,
        key_max_concurrent=None,
        organization_rates=Rates(organization.requests_per_minute, organization.images_per_minute),
        key_rates=Rates(),
        digest=b"",
        replaced_at=None,
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
    )
