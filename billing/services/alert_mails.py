"""Mail to those who manage an organization's budgets and top its wallet up."""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings

from orgs.models import Membership, Organization
from orgs.permissions import Permission, roles_with
from orgs.services.mails import write_mail


def write_alerts(
    *,
    organization: Organization,
    kind: str,
    page: str,
    context: Mapping[str, object],
    now: datetime,
) -> None:
    """Write a mail to each member who may manage budgets, in the language they chose.

    Joins the caller's transaction.

    Args:
        organization: Whose members; who chose no language gets its own.
        kind: Names the text.
        page: The page of the organization that the text leads to.
        context: What else the text says.
        now: When.
    """
    members = Membership.objects.filter(
        organization=organization,
        role__in=roles_with(Permission.MANAGE_BUDGETS),
        user__is_active=True,
    ).order_by("user__email")
    for email, language in members.values_list("user__email", "user__language"):
        write_mail(
            kind=kind,
            recipient=email,
            language=language or organization.language,
            context={
                **context,
                "organization": organization.name,
                "link": f"{settings.PUBLIC_BASE_URL}/o/{organization.id}/{page}",
            },
            now=now,
            organization_id=organization.id,
        )
