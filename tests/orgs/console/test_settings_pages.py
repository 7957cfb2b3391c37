"""The pages of settings, and of an organization's end."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from orgs.models import ApiKey, Organization
from orgs.permissions import Permission
from tests.gateway.console_services.scene import deliver
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]

GENERAL: dict[str, Any] = {
    "name": "Acme Norte",
    "time_zone": "America/Mexico_City",
    "language": "es",
}
IMAGES: dict[str, Any] = {
    "image_policy": "signed",
    "image_retention_days": "30",
    "prompt_retention_days": "",
    "developers_see_prompts": "on",
}
MODELS: dict[str, Any] = {
    "default_model": "gpt-image-1",
    "allowed_models": ["openai/gpt-image-1", "fal/flux-1.1-pro"],
}
BILLING: dict[str, Any] = {
    "legal_name": "Acme S.A. de C.V.",
    "billing_address": "Calle 1\nOaxaca",
    "billing_country": "mx",
    "tax_id": "ACM010101AAA",
    "billing_email": "facturas@example.com",
}


def settings_of(team: Team, path: str = "") -> str:
    return f"/o/{team.organization.id}/settings{path}"


@pytest.mark.parametrize(
    ("path", "fields", "wrong", "kept"),
    [
        ("", GENERAL, {"time_zone": "Mars/Base"}, {**GENERAL}),
        (
            "/images",
            IMAGES,
            {"image_retention_days": "0"},
            {
                "image_policy": "signed",
                "image_retention_days": 30,
                "prompt_retention_days": None,
                "developers_see_prompts": True,
            },
        ),
        (
            "/models",
            MODELS,
            {"allowed_models": ["no/model"]},
            {**MODELS, "allow_substitution": False},
        ),
        (
            "/billing-profile",
            BILLING,
            {"billing_country": "Mexico"},
            {**BILLING, "billing_country": "MX"},
        ),
    ],
)
def test_settings_are_saved_or_shown_with_the_error(path, fields, wrong, kept):
    team = Team.open()
    client = signed_in(team.person("admin").user)
    before = Organization.objects.values(*kept).get(id=team.organization.id)

    refused = client.post(settings_of(team, path), {**fields, **wrong}).content.decode()

    assert f'id="id_{next(iter(wrong))}_error"' in refused
    assert Organization.objects.values(*kept).get(id=team.organization.id) == before
    assert client.post(settings_of(team, path), fields).status_code == 302
    assert Organization.objects.values(*kept).get(id=team.organization.id) == kept
    visit(client, settings_of(team, path))


def test_no_substitution_needs_a_default_model():
    team = Team.open()
    client = signed_in(team.person("owner").user)

    page = client.post(settings_of(team, "/models"), {"default_model": ""}).content.decode()

    assert 'id="id_default_model_error"' in page
    assert "Choose a default model" in page


def test_allowed_models_of_other_ids_stay_chosen():
    team = Team.open()
    Organization.objects.update(allowed_models=["gpt-image-1"])

    page = visit(signed_in(team.person("owner").user), settings_of(team, "/models"))

    assert 'value="openai/gpt-image-1" checked' in page


def test_ownership_is_transferred_and_the_organization_deleted_by_owners_alone():
    team = Team.open()
    owner, heir = team.person("owner"), team.person("developer")
    key = team.key_of(owner)
    path = settings_of(team, "/ownership/transfer")
    assert signed_in(heir.user).post(path, {"member": str(heir.user.id)}).status_code == 403
    client = signed_in(owner.user)
    assert heir.user.email in visit(client, settings_of(team, "/ownership"))
    assert "id_member_error" in client.post(path, {"member": ""}).content.decode()

    client.post(path, {"member": str(heir.user.id)})

    assert (team.role(heir), team.role(owner)) == ("owner", "admin")
    end = settings_of(team, "/deletion")
    assert client.post(end, {"name": "Acme"}).status_code == 403
    reigning = signed_in(heir.user)
    refused = reigning.post(end, {"name": "Acme Sur"}).content.decode()
    assert "id_name_error" in refused
    assert reigning.post(end, {"name": "Acme"}).status_code == 302
    assert ApiKey.objects.get(id=key.id).revoked_at is not None
    assert "Cancel the deletion" in visit(reigning, settings_of(team, "/ownership"))
    assert "to be deleted" in reigning.post(settings_of(team), GENERAL).content.decode()
    assert reigning.post(f"{end}/cancel").status_code == 302
    assert Organization.objects.get(id=team.organization.id).deletion_due_at is None


def test_settings_are_for_those_who_manage_them():
    team = Team.open()
    for path, permission in (
        ("", Permission.MANAGE_SETTINGS),
        ("/images", Permission.MANAGE_SETTINGS),
        ("/models", Permission.MANAGE_SETTINGS),
        ("/limits", Permission.MANAGE_SETTINGS),
        ("/billing-profile", Permission.MANAGE_BILLING_PROFILE),
        ("/ownership", None),
    ):
        check_doors(team, settings_of(team, path), permission)
    assert "No limit" in visit(signed_in(team.person("owner").user), settings_of(team, "/limits"))


def test_a_retention_that_deletes_images_is_saved_once_the_name_is_typed():
    team = Team.open()
    owner = team.person("owner")
    client, key = signed_in(owner.user), team.key_of(owner)
    deliver(key, images=2, at=now() - timedelta(days=40))
    path = settings_of(team, "/images")

    def kept(days: str, **more: str) -> int | None:
        client.post(path, {**IMAGES, "image_retention_days": days, **more})
        return Organization.objects.get(id=team.organization.id).image_retention_days

    assert kept("50") == 50
    asked = client.post(path, {**IMAGES, "prompt_retention_days": "7"}).content.decode()
    assert "2 images that are older than 30 days" in asked
    assert "The prompt of 1 request that is older than 7 days" in asked
    assert kept("30") == 50
    assert kept("30", confirmation="Other") == 50
    assert kept("45") == 45
    assert kept("30", confirmation="Acme") == 30
    assert kept("20", confirmation="Other") == 30
