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
