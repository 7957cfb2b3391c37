"""What permissions and logged actions are called in pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orgs.permissions import Permission, Role, allows
from orgs.services.audit import Action

PERMISSIONS: Final[Mapping[Permission, Promise]] = {
    Permission.VIEW_GENERATIONS: _("See images, requests and their costs"),
    Permission.VIEW_PROMPTS: _("See prompts that others wrote"),
    Permission.CREATE_GENERATIONS: _("Use the playground, run a request again"),
    Permission.DELETE_IMAGES: _("Delete images, cancel what is queued"),
    Permission.VIEW_KEYS: _("See API keys"),
    Permission.MANAGE_OWN_KEYS: _("Create API keys, and manage one's own"),
    Permission.MANAGE_KEYS: _("Manage everyone's API keys"),
    Permission.MANAGE_WEBHOOKS: _("Manage webhooks"),
    Permission.VIEW_USAGE: _("See usage and spending"),
    Permission.VIEW_BALANCE: _("See the balance and its transactions"),
    Permission.TOP_UP: _("Top up"),
    Permission.MANAGE_BUDGETS: _("Set budgets"),
    Permission.MANAGE_BILLING_PROFILE: _("Change the billing profile"),
    Permission.VIEW_MEMBERS: _("See members and their roles"),
    Permission.MANAGE_MEMBERS: _("Invite and remove members, change roles"),
    Permission.MANAGE_SETTINGS: _("Change the settings"),
    Permission.VIEW_AUDIT: _("See and export the audit log"),
    Permission.TRANSFER_OWNERSHIP: _("Transfer ownership, make owners"),
    Permission.DELETE_ORGANIZATION: _("Delete the organization"),
}
ACTIONS: Final[Mapping[str, Promise]] = {
    Action.ORGANIZATION_CREATED: _("Organization created"),
    Action.ORGANIZATION_SETTINGS_CHANGED: _("Settings changed"),
    Action.ORGANIZATION_CURRENCY_CHANGED: _("Currency changed"),
    Action.ORGANIZATION_MARKUP_CHANGED: _("Markup changed"),
    Action.ORGANIZATION_SUSPENDED: _("Organization suspended"),
    Action.ORGANIZATION_RESUMED: _("Suspension ended"),
    Action.ORGANIZATION_DELETION_REQUESTED: _("Deletion asked for"),
    Action.ORGANIZATION_DELETION_CANCELED: _("Deletion canceled"),
    Action.ORGANIZATION_PURGED: _("Data deleted"),
    Action.MEMBER_ADDED: _("Member added"),
    Action.MEMBER_ROLE_CHANGED: _("Role changed"),
    Action.MEMBER_REMOVED: _("Member removed"),
    Action.MEMBER_LEFT: _("Member left"),
    Action.OWNERSHIP_TRANSFERRED: _("Ownership transferred"),
    Action.INVITATION_CREATED: _("Person invited"),
    Action.INVITATION_RESENT: _("Invitation sent again"),
    Action.INVITATION_REVOKED: _("Invitation taken back"),
    Action.INVITATION_ACCEPTED: _("Invitation accepted"),
    Action.API_KEY_CREATED: _("API key created"),
    Action.API_KEY_CHANGED: _("API key changed"),
    Action.API_KEY_ROTATED: _("API key rotated"),
    Action.API_KEY_REVOKED: _("API key revoked"),
    Action.API_KEY_HANDED_OVER: _("API key handed over"),
    Action.WEBHOOK_CREATED: _("Webhook created"),
    Action.WEBHOOK_CHANGED: _("Webhook changed"),
    Action.WEBHOOK_DELETED: _("Webhook deleted"),
    Action.WEBHOOK_SECRET_ROTATED: _("Webhook secret rotated"),
    Action.BUDGET_CHANGED: _("Budget changed"),
    Action.BALANCE_ALERT_CHANGED: _("Line for a low balance changed"),
    Action.FX_RATE_SET: _("Exchange rate set"),
    Action.FX_RATE_ENDED: _("Manual exchange rate ended"),
    Action.FX_RATE_PROPOSED: _("Exchange rate proposed"),
    Action.FX_RATE_APPROVED: _("Exchange rate approved"),
    Action.FX_RATE_REJECTED: _("Exchange rate refused"),
    Action.PAYMENT_STARTED: _("Payment by card started"),
    Action.PAYMENT_REQUESTED: _("Bank transfer recorded"),
    Action.PAYMENT_APPROVED: _("Payment approved"),
    Action.PAYMENT_REJECTED: _("Payment turned down"),
    Action.PAYMENT_RESOLVED: _("Unmatched payment resolved"),
    Action.TAX_RATE_SET: _("Tax rate set"),
    Action.TAX_TREATMENT_CHANGED: _("Tax treatment changed"),
    Action.REFUND_REQUESTED: _("Refund asked for"),
    Action.REFUND_APPROVED: _("Refund approved"),
    Action.REFUND_DECLINED: _("Refund turned down"),
    Action.ADJUSTMENT_REQUESTED: _("Adjustment asked for"),
    Action.ADJUSTMENT_APPROVED: _("Adjustment approved"),
    Action.ADJUSTMENT_DECLINED: _("Adjustment turned down"),
    Action.GRANT_REQUESTED: _("Promotional credit asked for"),
    Action.GRANT_APPROVED: _("Promotional credit given"),
    Action.GRANT_REJECTED: _("Promotional credit turned down"),
    Action.CARD_REMOVED: _("Card removed"),
    Action.AUTO_TOP_UP_CHANGED: _("Automatic top-up changed"),
    "export.ordered": _("Export asked for"),
    "image.deleted": _("Images deleted"),
    "image.expired": _("Images deleted by retention"),
    "prompt.expired": _("Prompts deleted by retention"),
    Action.PROVIDER_FILE_IMPORTED: _("Provider's file imported"),
    Action.PROVIDER_FILE_WITHDRAWN: _("Provider's file withdrawn"),
    Action.DIFFERENCE_PROPOSED: _("Difference proposed to be accepted"),
    Action.DIFFERENCE_ACCEPTED: _("Difference accepted"),
    Action.DIFFERENCE_CONTESTED: _("Difference contested"),
    Action.DIFFERENCE_REOPENED: _("Difference opened again"),
    Action.PAYOUT_BOOKED: _("Payout booked"),
    Action.PROVIDER_PAID: _("Payment to a provider recorded"),
    Action.PROVIDER_WAIVED: _("Reconciliation waived"),
    Action.PERIOD_REVALUED: _("Month revalued"),
    Action.PERIOD_CLOSED: _("Month closed"),
    Action.USER_CREATED: _("Account created"),
    Action.PRICE_SET: _("Price set"),
    Action.COST_SET: _("Cost set"),
    Action.PRICES_IMPORTED: _("Prices imported"),
    Action.MARKUP_CHANGED: _("Markup changed"),
    Action.PROVIDER_PAUSED: _("Provider paused"),
    Action.PROVIDER_RESUMED: _("Provider resumed"),
    Action.PROVIDER_PROBED: _("Call let through to a provider"),
    Action.FINDING_ACKNOWLEDGED: _("Finding acknowledged"),
    Action.CHECK_STARTED: _("Check started"),
    Action.DATABASE_RESTORED: _("Database restored from a backup"),
    Action.IMPERSONATION_STARTED: _("Operator began to act as a member"),
    Action.IMPERSONATION_STOPPED: _("Operator stopped acting as a member"),
}


@dataclass(frozen=True, slots=True)
class PermissionRow:
    """One permission and, for each role in the table's order, whether it has it."""

    label: Promise
    allowed: Sequence[bool]


def permission_table() -> list[PermissionRow]:
    """Return what each role may do, in the order of `Role`."""
    return [
        PermissionRow(PERMISSIONS[permission], [allows(role, permission) for role in Role])
        for permission in Permission
    ]


def action_name(action: str) -> str:
    """Return what a logged action is called; one of a newer version by its own word."""
    return str(ACTIONS.get(action, action))
