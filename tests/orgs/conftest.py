from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pytest

from core.clock import now
from core.http.client import HttpClient
from gateway.services.onboarding import open_organization
from orgs.models import WebhookDelivery, WebhookEndpoint
from orgs.services.audit import SYSTEM
from orgs.services.dispatcher import Message, claim_due, deliver
from orgs.services.outbox import EventType, write_event
from orgs.services.webhooks import create_endpoint
from tests.orgs.receiver import Receiver, serving

EVENTS = [kind.value for kind in EventType]


def data_of(message: Message) -> object:
    return message.data


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    with serving() as server:
        settings.WEBHOOK_ALLOWED_TARGETS = [("127.0.0.1", server.port)]
        yield server


@dataclass
class Hooked:
    """An organization with an endpoint at the receiver."""

    organization_id: UUID
    endpoint: WebhookEndpoint
    secret: str
    http: HttpClient

    def write(self, kind: EventType = EventType.TOPUP_SUCCEEDED, **data: object) -> bool:
        return write_event(
            organization_id=self.organization_id, kind=kind, data=data or {"n": 1}, now=now()
        )

    def send(self, *, at: datetime | None = None) -> int:
        """Make one try of everything that is due; return how many were accepted."""
        claimed = claim_due(limit=100, now=at or now())
        return sum(deliver(one, http=self.http, data_of=data_of) for one in claimed)

    @property
    def delivery(self) -> WebhookDelivery:
        return WebhookDelivery.objects.get(endpoint=self.endpoint)


@pytest.fixture
def open_hooked(committed, receiver: Receiver) -> Callable[..., Hooked]:
    http = HttpClient(allow_private=False, version="1", exempt=[("127.0.0.1", receiver.port)])

    def open_one(path: str = "", **how) -> Hooked:
        organization = how.pop("organization_id", None)
        organization = organization or open_organization(name="Hooks", currency="USD").id
        endpoint, secret = create_endpoint(
            organization_id=organization,
            actor=SYSTEM,
            **{"url": receiver.url + path, "events": EVENTS, **how},
        )
        return Hooked(organization, endpoint, secret, http)

    return open_one


@pytest.fixture
def hooked(open_hooked) -> Hooked:
    opened: Hooked = open_hooked()
    return opened
