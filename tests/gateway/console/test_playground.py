"""The playground: its form follows the models, it is paid once, and it says what went wrong."""

import hashlib
import io
import re
from http import HTTPStatus
from uuid import uuid4

import pytest
from django.test import Client

from core.clock import now
from gateway.models import Artifact, Generation
from gateway.storage import ensure_buckets
from orgs.permissions import Permission
from tests.gateway.console_services.scene import deliver, store
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


def test_images_are_sent_along_priced_and_shown_as_code(team):
    ensure_buckets()
    person = team.person("developer")
    row = deliver(team.key_of(person), prompt="a hare")
    data = store(row)
    client = signed_in(person.user)
    source = f"{row.id}/0"

    page = visit(client, path(team, f"?mode=edit&model={GPT}&source={source}&prompt=at%20night"))
    assert f'value="{source}" checked' in page
    assert "client.images.edit(" in page
    assert "image=[open(&#x27;image-1.png&#x27;, &#x27;rb&#x27;)]" in page
    assert "1 image sent along" in page
    assert "fal/flux-1.1-pro" not in page
    form = {"mode": "edit", "model": GPT, "prompt": "at night", "source": source, "n": "1"}
    preview = client.post(path(team, "/preview"), {**form, "uploads": "2", "masked": "1"})
    assert "4 images sent along" in preview.content.decode()

    files = {"image": io.BytesIO(data), "submission_key": uuid4().hex}
    sent = client.post(path(team, "/edits"), {**form, **files}).content.decode()
    edit = Generation.objects.get(organization_id=team.organization.id, batch_id__isnull=False)
    assert f'id="card-{edit.id}"' in sent
    digest = hashlib.sha256(data).hexdigest()
    assert [one["sha256"] for one in edit.parameters["inputs"]] == [digest] * 2
    assert (edit.parameters["operation"], edit.created_by_id) == ("edit", person.user.id)
    vary = {**form, "mode": "vary", "submission_key": uuid4().hex, "source": source}
    client.post(path(team, "/edits"), vary)
    assert Generation.objects.filter(parameters__operation="variation").exists()

    Artifact.objects.filter(generation=row).update(deleted_at=now())
    again = {**form, "submission_key": uuid4().hex}
    gone = client.post(path(team, "/edits"), again).content.decode()
    assert "An image that you chose has been deleted." in gone
    assert "1 image has been deleted since." in gone
    foreign = signed_in(Team.open().person("owner").user)
    assert foreign.post(path(team, "/edits"), again).status_code == HTTPStatus.NOT_FOUND


def test_uploads_are_read_within_limits_and_with_the_forms_token_alone(team, settings):
    settings.UPLOAD_MAX_BYTES = 2000
    person = team.person("developer").user
    form = {"mode": "edit", "model": GPT, "prompt": "x", "submission_key": uuid4().hex}

    large = signed_in(person).post(path(team, "/edits"), {**form, "image": io.BytesIO(b"0" * 3000)})
    broken = signed_in(person).post(path(team, "/edits"), {**form, "image": io.BytesIO(b"0" * 300)})
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person)
    forged = strict.post(path(team, "/edits"), {**form, "image": io.BytesIO(b"0" * 300)})

    assert "too large to be sent together" in large.content.decode()
    assert "is not a PNG, JPEG or WebP image" in broken.content.decode()
    assert forged.status_code == HTTPStatus.FORBIDDEN
    assert not Generation.objects.filter(organization_id=team.organization.id).exists()


def test_last_runs_fill_in_the_form_as_it_was(team):
    person = team.person("developer")
    client = signed_in(person.user)
    assert "What you run here" in visit(client, path(team))
    made = {"created_by": person.user, "batch_id": uuid4(), "charged_micros": 42_000}
    parameters = {"n": 1, "prompt": "a hare", "size": "1024x1024", "quality": "hd"}
    key = team.key_of(team.person("owner"))
    first = deliver(key, **made, parameters=parameters, requested_model=DALL_E)
    deliver(key, **made, parameters=parameters, requested_model=FLUX)
    alone = deliver(key, **{**made, "batch_id": None}, parameters=parameters)
    deliver(key, prompt="of the API")

    page = visit(client, path(team))
    assert page.count('class="history-run"') == 2
    assert "0.084000 USD" in page
    assert "of the API" not in page
    restored = visit(client, path(team, f"?run={made['batch_id']}"))
    assert ">a hare</textarea>" in restored
    assert restored.count(" checked>") >= 2
    assert "a hare" not in visit(
        signed_in(team.person("admin").user), path(team, f"?run={alone.id}")
    )
    Artifact.objects.filter(generation=alone).update(deleted_at=now())
    assert "Images deleted" in visit(client, path(team, "/history"))
    assert first.requested_model in page
