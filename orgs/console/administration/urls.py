from django.urls import URLPattern, URLResolver, path

from orgs.console.administration import (
    audit,
    invitations,
    members,
    ownership,
    settings,
    webhooks,
)

ORGANIZATION = "o/<uuid:organization_id>"
WEBHOOK = f"{ORGANIZATION}/webhooks/<uuid:endpoint_id>"

urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{ORGANIZATION}/members", members.MembersView.as_view(), name="members"),
    path(f"{ORGANIZATION}/members/invite", invitations.InviteView.as_view(), name="invite_member"),
    path(
        f"{ORGANIZATION}/members/<uuid:user_id>",
        members.MemberPageView.as_view(),
        name="member",
    ),
    path(
        f"{ORGANIZATION}/members/<uuid:user_id>/remove",
        members.RemoveMemberView.as_view(),
        name="remove_member",
    ),
    path(
        f"{ORGANIZATION}/invitations/<uuid:invitation_id>/resend",
        invitations.ResendInvitationView.as_view(),
        name="resend_invitation",
    ),
    path(
        f"{ORGANIZATION}/invitations/<uuid:invitation_id>/revoke",
        invitations.RevokeInvitationView.as_view(),
        name="revoke_invitation",
    ),
    path(f"{ORGANIZATION}/leave", members.LeaveView.as_view(), name="leave_organization"),
    path("invitations/<str:token>", invitations.InvitationView.as_view(), name="invitation"),
    path(
        "invitations/<str:token>/accept",
        invitations.AcceptInvitationView.as_view(),
        name="accept_invitation",
    ),
    path(f"{ORGANIZATION}/webhooks", webhooks.WebhooksView.as_view(), name="webhooks"),
    path(f"{ORGANIZATION}/webhooks/new", webhooks.NewWebhookView.as_view(), name="new_webhook"),
    path(WEBHOOK, webhooks.WebhookView.as_view(), name="webhook"),
    path(f"{WEBHOOK}/edit", webhooks.EditWebhookView.as_view(), name="edit_webhook"),
    path(f"{WEBHOOK}/test", webhooks.TestWebhookView.as_view(), name="test_webhook"),
    path(f"{WEBHOOK}/switch", webhooks.SwitchWebhookView.as_view(), name="switch_webhook"),
    path(f"{WEBHOOK}/rotate", webhooks.RotateWebhookView.as_view(), name="rotate_webhook"),
    path(f"{WEBHOOK}/delete", webhooks.DeleteWebhookView.as_view(), name="delete_webhook"),
    path(
        f"{WEBHOOK}/deliveries/<uuid:delivery_id>",
        webhooks.WebhookView.as_view(),
        name="webhook_delivery",
    ),
    path(
        f"{WEBHOOK}/deliveries/<uuid:delivery_id>/redeliver",
        webhooks.RedeliverView.as_view(),
        name="redeliver_webhook",
    ),
    path(f"{ORGANIZATION}/audit-log", audit.AuditLogView.as_view(), name="audit_log"),
    path(f"{ORGANIZATION}/audit-log/export", audit.AuditExportView.as_view(), name="audit_export"),
    path(
        f"{ORGANIZATION}/audit-log/<uuid:event_id>",
        audit.AuditLogView.as_view(),
        name="audit_event",
    ),
    path(
        f"{ORGANIZATION}/settings",
        settings.GeneralSettingsView.as_view(),
        name="organization_settings",
    ),
    path(f"{ORGANIZATION}/settings/limits", settings.LimitsView.as_view(), name="limits"),
    path(
        f"{ORGANIZATION}/settings/billing-profile",
        settings.BillingProfileView.as_view(),
        name="billing_profile",
    ),
    path(
        f"{ORGANIZATION}/settings/ownership",
        ownership.OwnershipView.as_view(),
        name="organization_ownership",
    ),
    path(
        f"{ORGANIZATION}/settings/ownership/transfer",
        ownership.TransferOwnershipView.as_view(),
        name="transfer_ownership",
    ),
    path(
        f"{ORGANIZATION}/settings/deletion",
        ownership.DeleteOrganizationView.as_view(),
        name="delete_organization",
    ),
    path(
        f"{ORGANIZATION}/settings/deletion/cancel",
        ownership.CancelDeletionView.as_view(),
        name="cancel_deletion",
    ),
]
