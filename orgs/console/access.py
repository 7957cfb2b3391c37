"""The one way in which pages guard themselves.

A page of an organization is an `OrganizationView`, a page of the platform's staff a `StaffView`.
"""

from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from allauth.account.adapter import get_adapter
from django.contrib.auth.mixins import AccessMixin
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.utils import timezone
from django.views import View

from orgs.console.errors import id_of, role_required
from orgs.console.languages import fall_back_to_language
from orgs.permissions import Permission, allows, roles_with
from orgs.selectors import Membership, Organization, User, find_membership
from orgs.services.audit import Actor, Origin, user_actor
from orgs.services.impersonation import Impersonation
from orgs.templatetags.console import role_name

LAST_ORGANIZATION = "last_organization"
LIVEMODE = "livemode"
# The token of an invitation whose link somebody followed before they had an account.
INVITATION = "invitation"


def origin_of(request: HttpRequest) -> Origin:
    """Return where a request came from, for the audit log."""
    return Origin(
        ip=get_adapter().get_client_ip(request),
        user_agent=request.headers.get("User-Agent", ""),
        request_id=id_of(request),
    )


def impersonation_of(request: HttpRequest) -> Impersonation | None:
    """Return the impersonation a request belongs to; its `request.user` is the member."""
    found = getattr(request, "impersonation", None)
    return found if isinstance(found, Impersonation) else None


class SignedInView(AccessMixin, View):
    """A page for everyone who has signed in; others are led to the sign-in page and back."""

    user: User

    @property
    def actor(self) -> Actor:
        """Return who services act for, and where the request came from."""
        origin = origin_of(self.request)
        impersonation = impersonation_of(self.request)
        if impersonation is not None:
            return impersonation.actor(origin)
        return user_actor(self.user, origin=origin, as_operator=False)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        """Find out who asks, then serve."""
        if not isinstance(request.user, User):
            return self.handle_no_permission()
        self.user = request.user
        return super().dispatch(request, *args, **kwargs)


class OrganizationView(SignedInView):
    """A page of one organization, whose id is in the path as `organization_id`.

    Who is no member is told 404, as if it did not exist. A member whose role lacks `permission` is
    told 403, and which roles have it. Times are those of the organization's zone; its language is
    that of whoever never chose one.

    Attributes:
        permission: What the page needs; None is membership alone.
        organization: Also `request.organization`, for templates.
        membership: Also `request.membership`.
        livemode: Whether the person looks at live data rather than that of test keys.
    """

    permission: ClassVar[Permission | None] = None
    organization: Organization
    membership: Membership
    livemode: bool

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        """Load the membership, check the permission, then serve in the organization's zone."""
        if not isinstance(request.user, User):
            return self.handle_no_permission()
        organization_id: UUID = kwargs.pop("organization_id")
        self.user = request.user
        impersonation = impersonation_of(request)
        membership = (
            impersonation.membership
            if impersonation is not None
            else find_membership(user_id=request.user.id, organization_id=organization_id)
        )
        if membership is None or membership.organization_id != organization_id:
            raise Http404
        self.membership, self.organization = membership, membership.organization
        self.livemode = bool(request.session.get(LIVEMODE, True))
        vars(request).update(membership=membership, organization=self.organization)
        if impersonation is None:
            fall_back_to_language(request, self.organization.language)
        is_last = request.session.get(LAST_ORGANIZATION) == str(organization_id)
        if impersonation is None and not is_last:
            request.session[LAST_ORGANIZATION] = str(organization_id)
        with timezone.override(ZoneInfo(self.organization.time_zone)):
            if self.permission is not None and not self.may(self.permission):
                roles = [role_name(role) for role in roles_with(self.permission)]
                return role_required(request, roles=roles)
            response = super().dispatch(request, *args, **kwargs)
            if isinstance(response, SimpleTemplateResponse):
                response.render()
        return response

    def may(self, permission: Permission) -> bool:
        """Say whether this person has a permission, for what is within the page."""
        return allows(self.membership.role, permission)


class StaffView(SignedInView):
    """A page of the platform itself; for anyone but its staff it does not exist.

    Attributes:
        staff_roles: Which of `User.StaffRole` may see it.
    """

    staff_roles: ClassVar[frozenset[str]] = frozenset()

    @property
    def actor(self) -> Actor:
        """Return the operator as one who acts for the platform."""
        return user_actor(self.user, origin=origin_of(self.request), as_operator=True)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        """Check the staff role, then serve."""
        if isinstance(request.user, User) and request.user.staff_role not in self.staff_roles:
            raise Http404
        return super().dispatch(request, *args, **kwargs)
