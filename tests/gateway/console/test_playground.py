"""The playground: its form follows the models, it is paid once, and it says what went wrong."""

import re
from http import HTTPStatus
from uuid import uuid4

import pytest

from gateway.models import Generation
from orgs.permissions import Permission
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

FLUX, DALL_E, GPT = "fal/flux-1.1-pro", "openai/dall-e-3", "openai/gpt-image-1"


def path(team: Team, rest: str = "") -> str:
    return f"/o/{team.organization.id}/playground{rest}"


def names(page: str) -> set[str]:
    """Return the fields of the form."""
    form = page.partition('<form class="card playground-form"')[2].partition("</form>")[0]
    return set(re.findall(r'name="(\w+)"', form))


def test_form_offers_what_all_chosen_models_know(team):
    client = signed_in(team.person("developer").user)

    flux = visit(client, path(team, f"?model={FLUX}"))
    dall_e = visit(client, path(team, f"?model={DALL_E}&quality=hd&prompt=a%20hare"))
    both = visit(client, path(team, f"?model={FLUX}&model={DALL_E}"))

    assert "style" not in names(flux)
    assert {"style", "quality", "size"} <= names(dall_e)
    assert "style" not in names(both)
    assert "0.084000 USD" in dall_e
    assert "quality=&#x27;hd&#x27;" in dall_e
    assert ">a hare</textarea>" in dall_e


def test_one_form_is_paid_once_and_each_result_is_followed(team):
    client = signed_in(team.person("developer").user)
    form = {
        "submission_key": uuid4().hex,
        "prompt": "a hare",
        "model": [FLUX, DALL_E],
        "size": "1024x1024",
        "n": "1",
    }

    first = client.post(path(team), form).content.decode()
    client.post(path(team), form)

    rows = Generation.objects.filter(organization_id=team.organization.id)
    assert sorted(rows.values_list("model", flat=True)) == [FLUX, DALL_E]
    for row in rows:
        assert f'id="card-{row.id}"' in first
        assert "Waiting" in visit(client, path(team, f"/{row.id}"))
        unchanged = client.get(path(team, f"/{row.id}?seen=queued-0"))
        assert unchanged.status_code == HTTPStatus.NO_CONTENT


def test_changing_the_form_asks_for_nothing(team):
    client = signed_in(team.person("developer").user)

    page = client.post(path(team, "/preview"), {"prompt": "x", "model": FLUX, "n": "2"})

    assert "0.084000 USD" in page.content.decode()
    assert not Generation.objects.filter(organization_id=team.organization.id).exists()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"model": FLUX, "prompt": " "}, "Write a prompt first."),
        ({"model": FLUX, "prompt": "x", "seed": "many"}, "A value does not suit this model."),
        ({"model": GPT, "prompt": "x", "quality": "high", "n": "6"}, "The balance does not cover"),
    ],
)
def test_what_is_refused_says_why_and_that_nothing_was_charged(team, form, words):
    client = signed_in(team.person("owner").user)

    page = client.post(path(team), {"submission_key": uuid4().hex, **form}).content.decode()

    assert words in page
    assert "You were not charged." in page
    assert not Generation.objects.filter(organization_id=team.organization.id).exists()


def test_only_who_may_generate_comes_in(team):
    check_doors(team, path(team), Permission.CREATE_GENERATIONS)
    viewer = signed_in(team.person("viewer").user)
    assert viewer.post(path(team), {"prompt": "x"}).status_code == HTTPStatus.FORBIDDEN
    stranger = signed_in(Team.open().person("owner").user)
    for rest in ("/preview", f"/{uuid4()}", f"/{uuid4()}/partials/0"):
        status = stranger.post(path(team, rest)).status_code
        assert status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
    member = signed_in(team.person("developer").user)
    for rest in (f"/{uuid4()}", f"/{uuid4()}/partials/0"):
        assert member.get(path(team, rest)).status_code == HTTPStatus.NOT_FOUND
