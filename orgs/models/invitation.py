"""Invitations of people into organizations, by e-mail."""

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from core.ids import new_uuid
from orgs.models.membership import Membership
from orgs.models.organization import Organization
from orgs.models.user import User


class Invitation(models.Model):
    """An offer of a role to whoever reads the mail of an address.

    `digest` is the SHA-256 of the token in the mail's link: 256 random bits, so no key is needed.
    Open is one that was neither accepted nor revoked; an address has at most one of those.
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="invitations", db_index=False
    )
    email = models.EmailField()
    role = models.CharField(max_length=20, choices=Membership.Role)
    language = models.CharField(max_length=5, choices=Organization.Language)
    digest = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "organization",
                Lower("email"),
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="orgs_invitation_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "admin", "developer", "billing", "viewer"]),
                name="orgs_invitation_role_valid",
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at__isnull=True) | models.Q(revoked_at__isnull=True),
                name="orgs_invitation_ends_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"
