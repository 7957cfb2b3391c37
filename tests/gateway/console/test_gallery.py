"""The gallery: what is shown to whom, what is done with many images, and the way of the money."""

import io
import re
import zipfile
from http import HTTPStatus
from uuid import uuid4

import pytest
from django.test import Client

from gateway.models import Artifact, Generation
from gateway.services.gallery.exports import make_exports
from gateway.services.gallery.thumbnails import make_thumbnails
from gateway.storage import ensure_buckets
from orgs.models import ApiKey, Organization
from orgs.permissions import Permission
from tests.gateway.console_services.scene import deliver, store
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

SECRET = "an unannounced teapot"


@pytest.fixture
def key(team: Team) -> ApiKey:
    return team.key_of(team.person("owner"))


def path(team: Team, rest: str = "gallery") -> str:
    return f"/o/{team.organization.id}/{rest}"


def image_of(generation: Generation, index: int = 0) -> Artifact:
    return Artifact.objects.get(generation=generation, index=index)


def client_of(team: Team, role: str = "owner") -> Client:
    return signed_in(team.person(role).user)


def test_grid_filters_pages_and_opens_an_image_beside_the_list(team, key, monkeypatch):
    monkeypatch.setattr("gateway.console.gallery.grid.PAGE", 2)
    rows = [deliver(key, prompt=f"a hare {number}") for number in range(3)]
    deliver(key, prompt="a boat", model="openai/dall-e-3", unit_micros=90_000, quoted_micros=90_000)
    client = client_of(team)

    found = visit(client, path(team, f"gallery?q=hare&max=0.05&key={key.id}&from=2020-01-01"))
    older = re.findall(r'rel="next" href="([^"]+)"', found)[0].replace("&amp;", "&")
    last = visit(client, older)
    beside = visit(client, path(team, f"gallery/{rows[1].id}/0?q=hare"))

    assert "a hare 2" in found
    assert "a boat" not in found + last
    assert ("a hare 0" in found, "a hare 0" in last) == (False, True)
    assert found.count('class="chip is-on"') == 4
    assert f'data-previous-url="{path(team)}/{rows[2].id}/0?q=hare"' in beside
    assert "No image is like that" in visit(client, path(team, "gallery?min=1"))
    assert visit(client, path(team, f"gallery/{rows[0].id}/0"))
    for broken in ("from=yesterday&key=x&min=NaN&max=-1&cursor=%00", "to=9999-12-31"):
        assert client.get(path(team, f"gallery?{broken}")).status_code == HTTPStatus.OK


def test_prompts_of_others_are_for_those_who_may_read_them(team, key):
    row = deliver(key, prompt=SECRET)
    opened = path(team, f"gallery/{row.id}/0")
    trail = path(team, f"requests/{row.id}/detail")
    pages = [path(team), opened, trail]

    for role in ("owner", "admin"):
        assert all(SECRET in visit(client_of(team, role), one) for one in pages)
    for role in ("developer", "viewer"):
        client = client_of(team, role)
        assert not any(SECRET in visit(client, one) for one in pages), role
        assert str(row.id) not in visit(client, path(team, "gallery?q=teapot%00"))
        answer = client.post(path(team, "gallery/exports"), {"image": image_of(row).id})
        assert answer["Location"] == path(team)
    Organization.objects.filter(id=team.organization.id).update(developers_see_prompts=True)
    assert SECRET in visit(client_of(team, "developer"), opened)
    assert SECRET not in visit(client_of(team, "viewer"), opened)

    author = team.person("developer")
    own = deliver(team.key_of(author), prompt="my own")
    assert "my own" in visit(signed_in(author.user), path(team, f"gallery/{own.id}/0"))


def test_images_and_thumbnails_are_served_to_members_alone(team, key):
    ensure_buckets()
    row = deliver(key)
    data = store(row)
    image = image_of(row)
    full = path(team, f"images/{row.id}/0")
    small = path(team, f"thumbnails/{image.id}/320")
    viewer, stranger = client_of(team, "viewer"), signed_in(Team.open().person("owner").user)

    waiting = visit(viewer, path(team, f"gallery/thumbnails?id={image.id}"))
    make_thumbnails()
    made = visit(viewer, path(team, f"gallery/thumbnails?id={image.id}&id={uuid4()}"))

    assert ('id="making"' in waiting, 'id="making"' in made) == (True, False)
    assert f"thumbnails/{image.id}/640" in made
    answer = viewer.get(f"{full}?download=1")
    assert b"".join(answer.streaming_content) == data  # type: ignore[attr-defined] # a stream
    assert answer["Content-Disposition"].startswith("attachment;")
    assert viewer.get(full, headers={"if-none-match": answer["ETag"]}).status_code == 304
    assert viewer.get(small)["Content-Type"] == "image/webp"
    for one in (full, small, path(team, f"gallery/{row.id}/0")):
        assert stranger.get(one).status_code == HTTPStatus.NOT_FOUND
        assert client_of(team, "billing").get(one).status_code == HTTPStatus.FORBIDDEN
    other = Team.open()
    member = signed_in(other.person("owner").user)
    for one in (full, small):
        foreign = one.replace(str(team.organization.id), str(other.organization.id))
        assert member.get(foreign).status_code == HTTPStatus.NOT_FOUND


def test_a_zip_of_what_was_chosen_is_made_and_handed_to_its_owner(team, key):
    ensure_buckets()
    row = deliver(key, images=2)
    data = store(row)
    person = team.person("owner")
    client = signed_in(person.user)

    progress = client.post(path(team, "gallery/exports"), {"image": image_of(row, 1).id})[
        "Location"
    ]
    assert "0 of 1 images" in visit(client, progress)
    make_exports()

    assert "1 image with a manifest" in visit(client, progress)
    answer = client.get(f"{progress}/file")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))  # type: ignore[attr-defined]
    assert max(map(len, map(archive.read, archive.namelist()))) == len(data)
    assert len(archive.namelist()) == 3
    for one in (progress, f"{progress}/file"):
        assert client_of(team, "viewer").get(one).status_code == HTTPStatus.NOT_FOUND
    everything = client.post(path(team, "gallery/exports?q=lighthouse"), {"everything": "1"})
    assert "0 of 2 images" in visit(client, everything["Location"])
    assert team.log().count("export.ordered") == 2


def test_images_are_deleted_once_their_number_is_typed(team, key):
    ensure_buckets()
    first, second, kept = deliver(key), deliver(key), deliver(key)
    other = Team.open()
    foreign = deliver(other.key_of(other.person("owner")))
    chosen = {"image": [str(image_of(one).id) for one in (first, second, foreign)]}
    client = client_of(team, "developer")

    asked = client.post(path(team, "gallery/delete"), chosen)
    wrong = client.post(path(team, "gallery/delete"), {**chosen, "typed": "3"})
    assert "Delete 2 images?" in asked.content.decode()
    assert wrong.status_code == HTTPStatus.BAD_REQUEST
    assert not Artifact.objects.filter(deleted_at__isnull=False, id__in=chosen["image"]).exists()
    viewer = client_of(team, "viewer").post(path(team, "gallery/delete"), {**chosen, "typed": "2"})
    assert viewer.status_code == HTTPStatus.FORBIDDEN
    client.post(path(team, "gallery/delete"), {**chosen, "typed": "2"})

    assert client.get(path(team, f"gallery/{first.id}/0")).status_code == HTTPStatus.NOT_FOUND
    assert client.get(path(team, f"gallery/{kept.id}/0")).status_code == HTTPStatus.OK
    assert image_of(foreign).deleted_at is None
    assert team.last().action == "image.deleted"


def test_who_may_see_images_comes_in(team, key):
    row = deliver(key)
    for rest in ("gallery", f"gallery/{row.id}/0", f"requests/{row.id}/detail"):
        check_doors(team, path(team, rest), Permission.VIEW_GENERATIONS)
    empty = Team.open()
    assert "Make the first one" in visit(client_of(empty), path(empty))


def test_an_edit_leads_to_what_it_was_made_of_and_back(team, key):
    origin, other = deliver(key, prompt=SECRET), deliver(key)
    digest = b"\1" * 32
    Artifact.objects.filter(generation=origin).update(sha256=digest)
    inputs = [{"sha256": digest.hex()}, {"sha256": (b"\2" * 32).hex()}]
    parameters = {"n": 1, "prompt": "at night", "operation": "edit", "inputs": inputs}
    edit = deliver(key, parameters=parameters)
    foreign = Team.open()
    deliver(foreign.key_of(foreign.person("owner")), parameters=parameters)
    client = client_of(team)

    made_of = visit(client, path(team, f"gallery/{edit.id}/lineage"))
    came = visit(client, path(team, f"gallery/{origin.id}/lineage"))

    assert f"gallery/{origin.id}/0" in made_of
    assert "1 image that is not in the gallery" in made_of
    assert came.count("grid-item") == 1
    assert f"gallery/{edit.id}/0" in came
    assert "grid-item" not in visit(client, path(team, f"gallery/{other.id}/lineage"))
    viewer = visit(client_of(team, "viewer"), path(team, f"gallery/{edit.id}/lineage"))
    assert SECRET not in viewer
    chosen = {"image": [str(image_of(one).id) for one in (edit, origin)]}
    answer = client.post(path(team, "gallery/edit"), chosen)
    assert answer["Location"].endswith(
        f"playground?mode=edit&source={edit.id}%2F0&source={origin.id}%2F0"
    )


def test_exports_wait_in_the_inbox_of_who_ordered_them(team, key):
    ensure_buckets()
    row = deliver(key)
    store(row)
    person, other = team.person("owner"), client_of(team, "admin")
    client = signed_in(person.user)
    assert "No exports yet" in visit(client, path(team, "gallery/exports"))
    assert visit(client, path(team, "inbox")).strip() == ""

    client.post(path(team, "gallery/exports"), {"image": image_of(row).id})
    assert "1 export on its way" in visit(client, path(team, "inbox"))
    make_exports()
    assert "1 export is ready to look at" in visit(client, path(team, "inbox"))
    assert visit(other, path(team, "inbox")).strip() == ""
    listed = visit(client, path(team, "gallery/exports"))
    assert "1 of 1 images" in listed
    assert "/file" in listed
    assert visit(client, path(team, "inbox")).strip() == ""
    assert "No exports yet" in visit(other, path(team, "gallery/exports"))
