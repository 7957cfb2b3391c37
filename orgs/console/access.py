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
from orgs.templatetags.console import role_name

LAST_ORGANIZATION = "last_organization"
LIVEMODE = "livemode"
# The token of an invitation whose link somebody followed before they had an account.
INVITATION = "invitation"


class SignedInView(AccessMixin, View):
    """A page for everyone who has signed in; others are led to the sign-in page and back."""

    user: User

    @property
    def actor(self) -> Actor:
        """Return who services act for, and where the request came from."""
        return user_actor(self.user, origin=self._origin(), as_operator=False)

    def _origin(self) -> Origin:
        return Origin(
            ip=get_adapter().get_client_ip(self.request),
            user_agent=self.request.headers.get("User-Agent", ""),
            request_id=id_of(self.request),
        )

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        """Find out who asks, then serve."""
        if not isinstance(request.user, User):
            return self.handle_no_permission()
        self.user = request.user
        return super().dispatch(request, *args, **kwargs)


class OrganizationView(SignedInView):
    """A page of one organization, whose id is in the path as `organization_id`.

    Who is no member is told 404, as if it did not exist. A member whose role lacks `permission` is
    told 403, and which roles have it. Times are those of the organization's zone; its language
    is that of whoever never chose one.

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
        membership = find_membership(user_id=request.user.id, organization_id=organization_id)
        if membership is None:
            raise Http404
        self.membership, self.organization = membership, membership.organization
        self.livemode = bool(request.session.get(LIVEMODE, True))
        vars(request).update(membership=membership, organization=self.organization)
        fall_back_to_language(request, self.organization.language)
        if request.session.get(LAST_ORGANIZATION) != str(organization_id):
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
        return user_actor(self.user, origin=self._origin(), as_operator=True)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        """Check the staff role, then serve."""
        if isinstance(request.user, User) and request.user.staff_role not in self.staff_roles:
            raise Http404
        return super().dispatch(request, *args, **kwargs)
