"""Naming an organization in a form."""

from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError

from orgs.console.widgets import OrganizationField
from tests.orgs.people import Team

pytestmark = pytest.mark.django_db


def name(team: Team, text: str) -> str:
    team.organization.name = text
    team.organization.save(update_fields=["name"])
    return text


def test_an_organization_is_found_by_id_and_by_name_in_any_case():
    team = Team.open()
    text, organization_id = name(team, f"Óptica {uuid4().hex}"), team.organization.id
    field = OrganizationField()

    for given in (str(organization_id), text, f"  {text.upper()} ", organization_id):
        assert field.clean(given) == organization_id
    assert OrganizationField(required=False).clean("") is None


def test_no_organization_or_several_of_a_name_are_named():
    team, other = Team.open(), Team.open()
    text = name(other, name(team, f"Acme {uuid4().hex}"))
    field = OrganizationField()

    with pytest.raises(ValidationError, match="No organization has this name or id"):
        field.clean(uuid4().hex[:20])
    with pytest.raises(ValidationError) as several:
        field.clean(text)
    for one in (team, other):
        assert str(one.organization.id) in str(several.value)
    with pytest.raises(ValidationError, match="required"):
        field.clean(" ")
