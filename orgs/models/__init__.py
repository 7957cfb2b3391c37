"""Users, organizations, memberships, API keys and webhooks."""

from orgs.models.api_key import ApiKey
from orgs.models.membership import Membership
from orgs.models.organization import Organization
from orgs.models.user import User
from orgs.models.webhooks import OutboxEvent, WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "Membership",
    "Organization",
    "OutboxEvent",
    "User",
    "WebhookDelivery",
    "WebhookEndpoint",
]
