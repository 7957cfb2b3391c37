"""Users, organizations, memberships, API keys, webhooks and the audit log."""

from orgs.models.api_key import ApiKey
from orgs.models.audit import AuditEvent
from orgs.models.membership import Membership
from orgs.models.organization import Organization
from orgs.models.user import User
from orgs.models.webhooks import OutboxEvent, WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "AuditEvent",
    "Membership",
    "Organization",
    "OutboxEvent",
    "User",
    "WebhookDelivery",
    "WebhookEndpoint",
]
