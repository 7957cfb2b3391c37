"""One organization of a test, with its key, and what tests do and read in its name."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import requests

from billing.models import Balance, Hold, Posting
from billing.services.topups import top_up
from core.clock import now
from core.ids import parse_request_id
from gateway.models import Artifact, Attempt, Generation
from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from gateway.services.verification import verify_money
from orgs.models import Organization
from orgs.services.audit import SYSTEM
from orgs.services.key_administration import revoke_api_key
from tests.stack import Stack

TIMEOUT_S = 90
GENERATIONS = "/v1/images/generations"
# The quickest real route: one synchronous call.
MODEL = "openai/dall-e-3"


def new_prompt(text: str = "a lighthouse") -> str:
    """Return a prompt that no other test has, so that its upstream calls can be counted."""
    return f"{text} {uuid4().hex}"


@dataclass
class Tenant:
    """An organization. ``requests`` go through no session: each has a connection of its own."""

    stack: Stack
    organization_id: UUID
    key: str
    api_key_id: UUID
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(
        cls, stack: Stack, *, currency: str = "USD", amount: str = "10", **terms: Any
    ) -> "Tenant":
        """Open an organization with money and a key; ``terms`` are those of `KeyTerms`."""
        with stack.database():
            organization = open_organization(name="Test", currency=currency)
            api_key, secret = open_api_key(
                organization=organization, terms=KeyTerms(name="Test", **terms)
            )
        tenant = cls(stack, organization.id, secret, api_key.id)
        if Decimal(amount):
            tenant.top_up(amount)
        return tenant

    def another_key(self, **terms: Any) -> "Tenant":
        """Return the same organization with a further key."""
        with self.stack.database():
            organization = Organization.objects.get(id=self.organization_id)
            api_key, secret = open_api_key(
                organization=organization, terms=KeyTerms(name="Another", **terms)
            )
        return Tenant(self.stack, self.organization_id, secret, api_key.id)

    def top_up(self, amount: str) -> None:
        with self.stack.database():
            top_up(
                organization_id=self.organization_id,
                amount_micros=int(Decimal(amount) * 1_000_000),
                idempotency_key=uuid4().hex,
                now=now(),
            )

    def set_organization(self, **fields: object) -> None:
        """Change the organization's settings; a key that was used follows within a second."""
        with self.stack.database():
            Organization.objects.filter(id=self.organization_id).update(**fields)

    def revoke_key(self) -> None:
        with self.stack.database():
            revoke_api_key(api_key_id=self.api_key_id, actor=SYSTEM, now=now())

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **how: Any
    ) -> requests.Response:
        auth = {"Authorization": f"Bearer {self.key}"}
        return requests.request(
            method,
            f"{self.stack.url}{path}",
            headers={**auth, **self.headers, **(headers or {})},
            timeout=TIMEOUT_S,
            **how,
        )

    def get(self, path: str) -> requests.Response:
        return self.request("GET", path)

    def generate(
        self, prompt: str, *, headers: Mapping[str, str] | None = None, **body: Any
    ) -> requests.Response:
        """Ask for one image and wait for the answer."""
        sent = {"model": MODEL, "prompt": prompt, **body}
        return self.request("POST", GENERATIONS, headers=headers, json=sent)

    def send_only(
        self, prompt: str, *, headers: Mapping[str, str] | None = None, **body: Any
    ) -> socket.socket:
        """Send a request on a socket of its own and read nothing."""
        address = urlsplit(self.stack.url)
        data = json.dumps({"model": MODEL, "prompt": prompt, **body}).encode()
        lines = {
            "Host": address.netloc,
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        client = socket.create_connection((str(address.hostname), address.port), timeout=TIMEOUT_S)
        client.sendall(f"POST {GENERATIONS} HTTP/1.1\r\n{head}\r\n".encode() + data)
        return client

    def balance(self) -> tuple[str, str]:
        """Return available and held, as the API says."""
        body = self.get("/v1/balance").json()
        return body["available"], body["held"]

    def wallet_micros(self) -> tuple[int, int]:
        """Return posted and held, as the row says."""
        with self.stack.database():
            row = Balance.objects.get(
                account__organization_id=self.organization_id, account__code="wallet"
            )
            return row.posted_micros, row.held_micros

    def generations(self) -> list[Generation]:
        """Return the generations, oldest first."""
        with self.stack.database():
            rows = Generation.objects.filter(organization_id=self.organization_id)
            return list(rows.order_by("created_at", "id"))

    def attempts(self) -> list[Attempt]:
        """Return the attempts of all generations, oldest first."""
        with self.stack.database():
            rows = Attempt.objects.filter(generation__organization_id=self.organization_id)
            return list(rows.order_by("started_at", "number"))

    def artifacts(self) -> list[Artifact]:
        with self.stack.database():
            rows = Artifact.objects.filter(generation__organization_id=self.organization_id)
            return list(rows.order_by("created_at", "index"))

    def holds(self) -> list[Hold]:
        with self.stack.database():
            rows = Hold.objects.filter(organization_id=self.organization_id)
            return list(rows.order_by("authorized_at"))

    def postings(self, kind: str) -> list[tuple[str, str, int, str]]:
        """Return account, direction, micros and currency of each line of this kind of entry."""
        with self.stack.database():
            ids = [str(row.id) for row in self._generation_rows()]
            rows = Posting.objects.filter(entry__kind=kind, entry__reference__in=ids)
            return list(
                rows.order_by("entry_id", "line").values_list(
                    "account__code", "direction", "amount_micros", "currency"
                )
            )

    def _generation_rows(self) -> list[Generation]:
        return list(Generation.objects.filter(organization_id=self.organization_id))

    def ledger_findings(self) -> list[str]:
        """Return what `verify_ledger` finds wrong with this organization."""
        with self.stack.database():
            found = verify_money(now=now(), organization_id=self.organization_id)
        return [f"{one.check}: {one.table} {one.row_id}: {one.message}" for one in found]


def uuid_of(text: str) -> UUID:
    """Return the UUID in a ``req_...`` id."""
    uuid = parse_request_id(text)
    assert uuid is not None
    return uuid
