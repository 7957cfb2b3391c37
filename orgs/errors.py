"""Failures of authentication and of permission."""

from core.errors import AppError, Category


class MissingApiKeyError(AppError):
    """No key was sent."""

    code = "missing_api_key"
    category = Category.AUTHENTICATION


class InvalidApiKeyError(AppError):
    """The key is malformed or unknown."""

    code = "invalid_api_key"
    category = Category.AUTHENTICATION


class ExpiredApiKeyError(AppError):
    """The key's expiry has passed."""

    code = "expired_api_key"
    category = Category.AUTHENTICATION


class RevokedApiKeyError(AppError):
    """The key was revoked."""

    code = "revoked_api_key"
    category = Category.AUTHENTICATION


class OrganizationSuspendedError(AppError):
    """The organization may not generate at present."""

    code = "organization_suspended"
    category = Category.PERMISSION


class InsufficientScopeError(AppError):
    """The key lacks the scope the call needs."""

    code = "insufficient_scope"
    category = Category.PERMISSION


class IpNotAllowedError(AppError):
    """The call came from an address outside the key's networks."""

    code = "ip_not_allowed"
    category = Category.PERMISSION


class InvalidInputError(AppError):
    """A command or form was given a value that cannot be."""

    code = "invalid_value"
    category = Category.INVALID_REQUEST


class OrganizationNotFoundError(AppError):
    """There is no such organization."""

    code = "organization_not_found"
    category = Category.NOT_FOUND


class ApiKeyNotFoundError(AppError):
    """There is no such API key."""

    code = "api_key_not_found"
    category = Category.NOT_FOUND


class WebhookNotFoundError(AppError):
    """There is no such webhook or delivery, or it belongs to another organization."""

    code = "not_found"
    category = Category.NOT_FOUND


class PermissionDeniedError(AppError):
    """The person's role does not allow it."""

    code = "permission_denied"
    category = Category.PERMISSION


class ImpersonationReadOnlyError(AppError):
    """An operator looks on in a person's place and may change nothing."""

    code = "impersonation_read_only"
    category = Category.PERMISSION


class MemberNotFoundError(AppError):
    """That person is not a member of the organization."""

    code = "member_not_found"
    category = Category.NOT_FOUND


class LastOwnerError(AppError):
    """The organization would be left without an owner."""

    code = "last_owner"
    category = Category.CONFLICT


class MemberHasKeysError(AppError):
    """It must be said what becomes of the API keys that a member made."""

    code = "member_has_keys"
    category = Category.CONFLICT


class AlreadyMemberError(AppError):
    """That person is a member already."""

    code = "already_member"
    category = Category.CONFLICT


class InvitationNotFoundError(AppError):
    """There is no such invitation."""

    code = "invitation_not_found"
    category = Category.NOT_FOUND


class InvitationExpiredError(AppError):
    """The invitation is too old."""

    code = "invitation_expired"
    category = Category.CONFLICT


class InvitationRevokedError(AppError):
    """The invitation was taken back."""

    code = "invitation_revoked"
    category = Category.CONFLICT


class InvitationUsedError(AppError):
    """The invitation was accepted before."""

    code = "invitation_used"
    category = Category.CONFLICT


class InvitationForAnotherError(AppError):
    """The invitation was sent to an address that the person has not verified."""

    code = "invitation_for_another"
    category = Category.PERMISSION


class OrganizationClosedError(AppError):
    """The organization is to be deleted, or was."""

    code = "organization_closed"
    category = Category.CONFLICT


class CurrencyFixedError(AppError):
    """The organization's currency can no longer change."""

    code = "currency_fixed"
    category = Category.CONFLICT
