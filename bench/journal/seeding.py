"""Fill a database with a ledger of many organizations."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from django.test import Client

from bench.journal.rows import DAYS, add_rows
from billing.money import unit_price_micros
from billing.services.fx import set_rate
from billing.services.quotes import Cell, quote_unit
from billing.services.rates.spreads import set_spread
from billing.services.reports.account_days import rebuild_account_days
from billing.services.statements.issuing import advance_drafts, issue_due_statements
from billing.services.topups import top_up
from core.clock import now
from gateway.catalog.check import worst_cost
from gateway.catalog.registry import catalog
from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from gateway.services.reports.margin_days import rebuild_margin_days
from gateway.services.rollups import rebuild_rollups
from orgs.models import Membership, Organization, User
from orgs.services.audit import SYSTEM
from orgs.services.organizations import add_member, create_user

ORGANIZATIONS: Final = 200
KEYS: Final = 5
# The first organization, which has half of all, pays in the first.
CURRENCIES: Final = ("MXN", "USD", "EUR")
RATES: Final = {"MXN": "20", "EUR": "0.9"}
MODELS: Final = ("fal/flux-1.1-pro", "gpt-image-2", "dall-e-3", "ideogram-v2", "flux-dev")
# More than all its images cost.
CREDIT_MICROS: Final = 10**13
# An image has 7 postings in a foreign currency and 4 in USD; some give nothing.
POSTINGS_AN_IMAGE: Final = 6.2


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: finance and the owner of the large organization, by the cookies of sessions.

    Attributes:
        statement: The number of the large organization's last whole month's.
        month: The day it begins.
        entry_id: A capture of it.
    """

    organization_id: UUID
    finance: str
    owner: str
    statement: int
    month: date
    entry_id: UUID


def seed_ledger(*, postings: int, seed: int) -> Reader:
    """Open the organizations, add the rows, and make rollups and statements."""
    moment = now()
    begun = moment - timedelta(days=DAYS + 1)
    for quote, rate in RATES.items():
        set_rate(
            base="USD", quote=quote, rate=Decimal(rate), source="manual", as_of=begun, now=begun
        )
    set_spread(rate=Decimal("0.01"), now=begun)
    ids, keys = [], []
    for number in range(ORGANIZATIONS):
        currency = CURRENCIES[number % len(CURRENCIES)]
        organization = open_organization(name=f"Ledger {number}", currency=currency)
        made = [
            open_api_key(organization=organization, terms=KeyTerms(name=f"Key {one}"))[0].id
            for one in range(1 if number else KEYS)
        ]
        top_up(
            organization_id=organization.id,
            amount_micros=CREDIT_MICROS,
            idempotency_key=str(organization.id),
            now=begun,
        )
        ids.append(organization.id)
        keys.append(" ".join(map(str, made)))
    prices = [
        row for number, name in enumerate(MODELS, start=1) for row in _prices(number, name, ids)
    ]
    with connection.cursor() as cursor:
        images = int(postings / POSTINGS_AN_IMAGE)
        add_rows(cursor, owners=(ids, keys), prices=prices, images=images, seed=seed)
    rebuild_rollups()
    rebuild_account_days()
    rebuild_margin_days()
    issue_due_statements(now=moment)
    advance_drafts(now=moment)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return _reader(ids[0])


def _prices(number: int, name: str, owners: list[UUID]) -> list[list[Any]]:
    """Return a model's row of `bench_price` in each currency."""
    model = catalog().find(name)
    assert model is not None
    size, quality, route = model.default_size, model.default_quality, model.routes[0]
    cost = worst_cost(model, route, size, quality)
    assert cost is not None
    parameters = {"prompt": "a lighthouse", "n": 1, "size": str(size), "quality": quality}
    rows = []
    for owner, currency in zip(owners, CURRENCIES, strict=False):
        quote = quote_unit(
            organization_id=owner,
            currency=currency,
            cell=Cell(model.key, str(size), quality or "", size.pixels),
            now=now(),
        )
        exchanged = unit_price_micros(quote.list_amount, markup=quote.markup, rate=quote.rate)
        rows.append(
            [
                *(number, currency, name, json.dumps(parameters), route.provider),
                *(route.upstream_model, size.pixels, quote.unit_micros, exchanged),
                *(quote.list_unit_micros, quote.list_amount, quote.markup, quote.markup_id),
                *(quote.rate, quote.fx_rate_id, quote.spread, quote.spread_id),
                *(quote.price_version_id, int(cost * 900_000)),
            ]
        )
    return rows


def _reader(organization_id: UUID) -> Reader:
    organization = Organization.objects.get(id=organization_id)
    owner = _person("owner")
    add_member(organization=organization, user=owner, role=Membership.Role.OWNER, actor=SYSTEM)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number, month FROM billing_statement WHERE organization_id = %s"
            " ORDER BY number DESC LIMIT 1",
            [organization_id],
        )
        statement, month = cursor.fetchone()
        cursor.execute(
            "SELECT entry_id FROM billing_posting AS posting"
            " JOIN billing_account AS account ON account.id = account_id"
            " WHERE organization_id = %s AND code = 'wallet' ORDER BY chain_seq DESC LIMIT 1",
            [organization_id],
        )
        (entry_id,) = cursor.fetchone()
    finance = _person("finance", staff_role="finance")
    return Reader(organization_id, _session(finance), _session(owner), statement, month, entry_id)


def _person(name: str, *, staff_role: str = "") -> User:
    return create_user(
        email=f"{name}@bench.localhost",
        password=uuid4().hex,
        actor=SYSTEM,
        name=name,
        staff_role=staff_role,
    )


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value
