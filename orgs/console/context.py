"""What the frame around every page shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from django.conf import settings
from django.http import HttpRequest

from core.clock import now
from orgs.console.access import LAST_ORGANIZATION, LIVEMODE, impersonation_of
from orgs.console.navigation import Section, organization_sections, staff_sections
from orgs.selectors import Membership, Organization, User, list_memberships
from orgs.services.impersonation import Impersonation

THEME_COOKIE = "lienzo_theme"
THEMES = ("light", "dark", "system")


@dataclass
class Frame:
    """Read by templates as `frame`; each part is worked out when it is first shown."""

    request: HttpRequest

    @property
    def theme(self) -> str:
        """Return the person's choice; of a stranger's value, the system's."""
        chosen = self.request.COOKIES.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else "system"

    @cached_property
    def user(self) -> User | None:
        """Return who has signed in."""
        user = getattr(self.request, "user", None)
        return user if isinstance(user, User) else None

    @property
    def impersonation(self) -> Impersonation | None:
        """Return in whose place an operator looks at the page, if one does."""
        return impersonation_of(self.request)

    @property
    def minutes_left(self) -> int:
        """Return in how many minutes the impersonation ends, rounded up."""
        if self.impersonation is None:
            return 0
        return -((now() - self.impersonation.ends_at) // timedelta(minutes=1))

    @cached_property
    def memberships(self) -> list[Membership]:
        """Return what the switcher offers."""
        if self.impersonation is not None:
            return [self.impersonation.membership]
        return list_memberships(user_id=self.user.id) if self.user else []

    @cached_property
    def membership(self) -> Membership | None:
        """Return the page's membership, or on a page of no organization the last one looked at."""
        found: Membership | None = getattr(self.request, "membership", None)
        if self.impersonation is not None:
            return self.impersonation.membership
        if found is not None or self.user is None:
            return found
        last = self.request.session.get(LAST_ORGANIZATION)
        return next((one for one in self.memberships if str(one.organization_id) == last), None)

    @property
    def organization(self) -> Organization | None:
        """Return the organization of `membership`."""
        return self.membership.organization if self.membership else None

    @property
    def livemode(self) -> bool:
        """Say whether live data is shown rather than that of test keys."""
        return bool(self.request.session.get(LIVEMODE, True))

    @cached_property
    def sections(self) -> list[Section]:
        """Return the navigation."""
        found: list[Section] = []
        path = self.request.path
        if self.membership is not None:
            found += organization_sections(
                organization_id=self.membership.organization_id,
                role=self.membership.role,
                path=path,
            )
        if self.user is not None and self.user.staff_role:
            found += staff_sections(staff_role=self.user.staff_role, path=path)
        return found

    @property
    def is_staff_page(self) -> bool:
        """Say whether the page is one of the platform rather than of a customer."""
        return self.request.path.startswith(("/operations/", "/finance/"))

    @property
    def is_embedded(self) -> bool:
        """Say whether mail lands in the outbox."""
        return bool(settings.EMBEDDED)

    @property
    def has_single_sign_on(self) -> bool:
        """Say whether an identity provider is configured."""
        return bool(settings.OIDC_ISSUER_URL)


def frame(request: HttpRequest) -> Mapping[str, object]:
    """Return what every template knows."""
    return {"frame": Frame(request)}
