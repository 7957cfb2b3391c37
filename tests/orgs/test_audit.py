"""The audit log: whole, free of secrets, and beyond change."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from core.clock import now
from gateway.services.onboarding import KeyTerms, open_api_key
from orgs.errors import ImpersonationReadOnlyError, InvalidInputError
from orgs.models import ApiKey, AuditEvent
from orgs.selectors.audit import AuditFilter, export_events, list_actors, list_events
from orgs.services.audit import (
    SYSTEM,
    Action,
    Target,
    api_key_actor,
    impersonating_actor,
    record,
)
from orgs.services.key_administration import (
    KeyPolicy,
    change_api_key,
    revoke_api_key,
    rotate_api_key,
)
from orgs.services.webhooks import Changes, change_endpoint, create_endpoint, rotate_secret
from tests.orgs.people import ORIGIN, Team, person

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orgs_auditevent SET actor_label = 'nobody'",
        "DELETE FROM orgs_auditevent",
        "TRUNCATE orgs_auditevent",
    ],
)
def test_log_cannot_be_changed(statement):
    team = Team.open()

    def run():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(statement)

    with pytest.raises(IntegrityError, match="immutable"):
        run()

    assert team.log() == ["organization.created"]


def test_event_says_who_did_what_from_where_and_what_differs():
    team = Team.open()
    owner = team.person("owner")
    key = team.key_of(owner)

    change_api_key(
        organization_id=team.organization.id,
        api_key_id=key.id,
        policy=KeyPolicy(name="Shop", models_allowed=["dall-e-3"]),
        actor=owner.actor,
        now=now(),
    )

    event = team.last()
    assert (event.action, event.object_type, event.object_id) == (
        "api_key.changed",
        "api_key",
        str(key.id),
    )
    assert (event.actor_kind, event.actor_id, event.actor_label) == (
        "user",
        owner.user.id,
        owner.user.email,
    )
    assert (event.ip, event.user_agent, event.request_id) == (
        ORIGIN.ip,
        ORIGIN.user_agent,
        ORIGIN.request_id,
    )
    assert event.changes == {
        "name": {"before": "Key", "after": "Shop"},
        "models_allowed": {"before": [], "after": ["dall-e-3"]},
    }


def test_actors_are_listed_once_by_their_latest_name():
    team, stranger = Team.open(), Team.open()
    ann, bob, outsider = team.person("owner"), team.person("admin"), stranger.person("owner")
    for someone in (ann, bob, ann):
        team.key_of(someone)
    stranger.key_of(outsider)
    renamed = replace(ann.actor, label="zoe@example.com")
    organization = team.organization
    record(
        action=Action.EXPORT_ORDERED,
        actor=renamed,
        organization_id=organization.id,
        target=Target("export", organization.id),
    )

    assert list_actors(organization_id=organization.id) == [
        (bob.user.id, bob.user.email),
        (ann.user.id, "zoe@example.com"),
    ]


def test_change_of_nothing_is_not_logged():
    team = Team.open()
    owner = team.person("owner")
    key = team.key_of(owner)
    before = team.log()

    change_api_key(
        organization_id=team.organization.id,
        api_key_id=key.id,
        policy=KeyPolicy(name="Key"),
        actor=owner.actor,
        now=now(),
    )

    assert team.log() == before


def test_no_secret_enters_the_log():
    team = Team.open()
    organization_id = team.organization.id
    key, first = open_api_key(organization=team.organization, terms=KeyTerms(name="Key"))
    _, second = rotate_api_key(
        api_key_id=key.id, overlap=timedelta(hours=1), actor=SYSTEM, now=now()
    )
    endpoint, third = create_endpoint(
        organization_id=organization_id,
        url="https://1.1.1.1/",
        events=["balance.low"],
        actor=api_key_actor(key.id, origin=ORIGIN),
    )
    _, fourth = rotate_secret(
        organization_id=organization_id, endpoint_id=endpoint.id, actor=SYSTEM, now=now()
    )

    rows = AuditEvent.objects.filter(organization=team.organization)
    everything = json.dumps(list(rows.values("action", "object_label", "changes")))
    assert [word for word in (first, second, third, fourth) if word in everything] == []
    assert first[11:23] not in everything
    assert rows.get(action="webhook.created").actor_label == "Key"
    with pytest.raises(ValueError, match="secret"):
        record(
            action=Action.API_KEY_CHANGED,
            actor=SYSTEM,
            organization_id=organization_id,
            target=Target("api_key", key.id),
            after={"secret": first},
        )


def test_event_is_undone_with_its_transaction():
    team = Team.open()
    key = team.key_of(team.person("owner"))
    before = team.log()

    with transaction.atomic():
        revoke_api_key(api_key_id=key.id, actor=SYSTEM, now=now())
        assert team.log()[-1] == "api_key.revoked"
        transaction.set_rollback(True)

    assert team.log() == before
    assert ApiKey.objects.get(id=key.id).revoked_at is None


def test_operator_who_looks_on_changes_nothing_and_one_who_acts_is_named():
    team = Team.open()
    owner, operator = team.person("owner"), person(staff_role="operator")
    key = team.key_of(owner)

    def actor(*, is_read_only):
        return impersonating_actor(
            owner.user, operator=operator.user, origin=ORIGIN, is_read_only=is_read_only
        )

    with pytest.raises(ImpersonationReadOnlyError):
        revoke_api_key(api_key_id=key.id, actor=actor(is_read_only=True), now=now())
    assert ApiKey.objects.get(id=key.id).revoked_at is None

    revoke_api_key(api_key_id=key.id, actor=actor(is_read_only=False), now=now())
    event = team.last()
    assert (event.actor_id, event.impersonator_id) == (owner.user.id, operator.user.id)
    assert event.impersonator_label == operator.user.email


def test_list_pages_by_cursor_and_filters(django_assert_max_num_queries):
    team, other = Team.open(), Team.open()
    owner = team.person("owner")
    keys = [team.key_of(owner) for _ in range(3)]
    other.key_of(other.person("owner"))
    organization_id = team.organization.id

    seen, after = [], None
    while True:
        with django_assert_max_num_queries(2):
            page, has_more = list_events(organization_id=organization_id, limit=2, after=after)
        seen += page
        after = page[-1].id
        if not has_more:
            break

    assert [event.action for event in reversed(seen)] == team.log()
    assert len({event.id for event in seen}) == 5

    def found(**filters):
        return list_events(
            organization_id=organization_id, filters=AuditFilter(**filters), limit=100
        )[0]

    assert len(found(actor_id=owner.user.id)) == 3
    assert len(found(action="api_key.created")) == len(found(action="api_key")) == 3
    assert [event.object_id for event in found(object_type="api_key", object_id=str(keys[0].id))]
    assert found(until=team.organization.created_at - timedelta(days=1)) == []
    with pytest.raises(InvalidInputError):
        list_events(organization_id=other.organization.id, limit=2, after=seen[0].id)


def test_export_has_every_event_of_the_filter():
    team = Team.open()
    for _ in range(3):
        team.key_of(team.person("owner"))

    batches = list(export_events(organization_id=team.organization.id, batch=2))

    rows = [row for batch in batches for row in batch]
    assert max(len(batch) for batch in batches) == 2
    assert [row["action"] for row in reversed(rows)] == team.log()
    assert set(rows[0]) >= {"created_at", "actor", "action", "object_label", "changes", "ip"}


def test_webhook_changed_through_the_api_is_done_by_its_key():
    team = Team.open()
    key = team.key_of(team.person("owner"))
    endpoint, _ = create_endpoint(
        organization_id=team.organization.id,
        url="https://1.1.1.1/",
        events=["balance.low"],
        actor=SYSTEM,
    )

    change_endpoint(
        organization_id=team.organization.id,
        endpoint_id=endpoint.id,
        changes=Changes(is_enabled=False),
        actor=api_key_actor(key.id, origin=ORIGIN),
    )

    event = team.last()
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("api_key", key.id, "Key")
    assert event.changes == {"is_enabled": {"before": True, "after": False}}
