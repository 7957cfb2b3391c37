"""Users, organizations, memberships, API keys, webhooks, mail and the audit log."""

from orgs.models.api_key import ApiKey
from orgs.models.audit import AuditEvent
from orgs.models.invitation import Invitation
from orgs.models.mail import Mail
from orgs.models.membership import Membership
from orgs.models.organization import Organization, lock_organization
from orgs.models.user import User
from orgs.models.webhooks import OutboxEvent, WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "AuditEvent",
    "Invitation",
    "Mail",
    "Membership",
    "Organization",
    "OutboxEvent",
    "User",
    "WebhookDelivery",
    "WebhookEndpoint",
    "lock_organization",
]
