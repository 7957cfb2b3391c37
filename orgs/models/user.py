"""People who sign in, by e-mail address."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from core.ids import new_uuid
from orgs.models.organization import Organization


class UserManager(BaseUserManager["User"]):
    """Creates users by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: str | bool) -> "User":
        """Create a user; without a password the account cannot sign in with one."""
        user = self.model(email=self.normalize_email(email).strip(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person. `staff_role` is a role on the platform itself, not on an organization.

    `language` is the one they chose; empty, that of an organization or of their browser is used.
    """

    class StaffRole(models.TextChoices):
        NONE = "", "None"
        OPERATOR = "operator", "Operator"
        FINANCE = "finance", "Finance"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    staff_role = models.CharField(
        max_length=20, choices=StaffRole, blank=True, default=StaffRole.NONE
    )
    language = models.CharField(
        max_length=5, choices=Organization.Language, blank=True, default="", db_default=""
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="orgs_user_email_ci_unique"),
            models.CheckConstraint(
                condition=models.Q(staff_role__in=["", "operator", "finance"]),
                name="orgs_user_staff_role_valid",
            ),
            models.CheckConstraint(
                condition=models.Q(language__in=["", "en", "es"]),
                name="orgs_user_language_valid",
            ),
        ]

    def __str__(self) -> str:
        return self.email
