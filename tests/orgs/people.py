"""An organization with people in it, for tests of its services."""

from dataclasses import dataclass
from uuid import uuid4

from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from orgs.models import ApiKey, AuditEvent, Membership, Organization, User
from orgs.services.audit import SYSTEM, Actor, Origin, user_actor
from orgs.services.organizations import add_member

ORIGIN = Origin(ip="203.0.113.7", user_agent="Firefox", request_id="req_1")


@dataclass(frozen=True)
class Person:
    user: User
    actor: Actor


@dataclass(frozen=True)
class Team:
    """An organization and how its people act."""

    organization: Organization

    @classmethod
    def open(cls) -> "Team":
        return cls(open_organization(name="Acme", currency="USD"))

    def person(self, role: str = "") -> Person:
        user = person()
        if role:
            add_member(organization=self.organization, user=user.user, role=role, actor=SYSTEM)
        return user

    def key_of(self, someone: Person) -> ApiKey:
        terms = KeyTerms(name="Key")
        return open_api_key(organization=self.organization, terms=terms, actor=someone.actor)[0]

    def role(self, someone: Person) -> str | None:
        rows = Membership.objects.filter(organization=self.organization, user=someone.user)
        return rows.values_list("role", flat=True).first()

    def log(self) -> list[str]:
        """Return the actions logged, oldest first."""
        rows = AuditEvent.objects.filter(organization=self.organization)
        return list(rows.order_by("created_at").values_list("action", flat=True))

    def last(self) -> AuditEvent:
        return AuditEvent.objects.filter(organization=self.organization).latest("created_at")


def person(**fields) -> Person:
    user = User.objects.create_user(f"{uuid4().hex}@example.com", None, **fields)
    return Person(user, user_actor(user, origin=ORIGIN))
