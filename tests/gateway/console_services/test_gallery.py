"""The gallery's pages, filters and search."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.clock import now
from gateway.selectors.gallery import (
    GalleryFilters,
    GalleryPage,
    find_images,
    iterate_images,
    list_images,
)
from gateway.selectors.pages import Place
from gateway.services.onboarding import KeyTerms, open_api_key
from orgs.models import ApiKey, User
from tests.gateway.console_services.scene import deliver
from tests.gateway.services.rows import add_generation, open_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    return open_key()


def page(key: ApiKey, limit: int = 50, after: Place | None = None, **filters) -> GalleryPage:
    return list_images(
        organization_id=key.organization_id,
        filters=GalleryFilters(**filters),
        limit=limit,
        after=after,
    )


def prompts(key: ApiKey, **filters) -> list[str]:
    return [image.prompt for image in page(key, **filters).images]


def test_pages_have_every_image_once_newest_first(key):
    moment = now()
    for age in range(4):
        deliver(key, prompt=f"p{age}", images=3, at=moment - timedelta(seconds=age))
    deliver(open_key(), prompt="of others")
    add_generation(key, status="failed", finished_at=moment, parameters={"n": 1, "prompt": "f"})

    seen, place = [], None
    while True:
        found = page(key, limit=5, after=place)
        seen += [(image.prompt, image.index) for image in found.images]
        place = found.next_place
        if place is None:
            break
        place = Place.parse(place.as_text())

    assert seen == [(f"p{age}", index) for age in range(4) for index in range(3)]
    everything = iterate_images(
        organization_id=key.organization_id, filters=GalleryFilters(), limit=7
    )
    assert len(list(everything)) == 7


def test_a_row_has_what_a_grid_needs(key):
    generation = deliver(key, prompt="a\nlighthouse " + "x" * 300)
    [image] = page(key).images

    assert (image.width, image.height, image.price_micros) == (1024, 768, 42_000)
    assert image.alt.startswith("a lighthouse x")
    assert len(image.alt) == 150
    assert (image.generation_id, image.thumbnails) == (generation.id, ())
    assert find_images(organization_id=key.organization_id, artifact_ids=[image.artifact_id]) == [
        image
    ]
    assert (
        find_images(organization_id=open_key().organization_id, artifact_ids=[image.artifact_id])
        == []
    )


def test_filters_choose_by_what_they_name(key):
    moment = now()
    other, _ = open_api_key(organization=key.organization, terms=KeyTerms(name="Other"))
    person = User.objects.create_user(f"{key.id}@example.com")
    ApiKey.objects.filter(id=other.id).update(created_by=person)
    deliver(key, prompt="plain")
    deliver(other, prompt="by key")
    deliver(key, prompt="by hand", api_key_id=None, created_by=person)
    deliver(key, prompt="free", livemode=False)
    deliver(key, prompt="dear", unit_micros=90_000, quoted_micros=90_000, model="openai/dall-e-3")
    deliver(key, prompt="old", at=moment - timedelta(days=9))
    deliver(key, prompt="gone", deleted_at=moment)

    assert prompts(key, api_key_id=other.id) == ["by key"]
    assert prompts(key, member_id=person.id) == ["by hand", "by key"]
    assert prompts(key, livemode=False) == ["free"]
    assert prompts(key, max_micros=0) == ["free"]
    assert prompts(key, min_micros=50_000) == prompts(key, model="openai/dall-e-3") == ["dear"]
    assert prompts(key, created_before=moment - timedelta(days=1)) == ["old"]
    assert "old" not in prompts(key, created_after=moment - timedelta(days=1))
    assert "gone" not in prompts(key)


@pytest.mark.parametrize("walked", [1, 1000])
def test_text_is_looked_for_in_prompts_of_the_organization_alone(key, monkeypatch, walked):
    monkeypatch.setattr("gateway.selectors.gallery.WALKED", walked)
    deliver(key, prompt="A red Cat, on a lighthouse")
    deliver(key, prompt="a lighthouse for a red boat")
    deliver(open_key(), prompt="a red cat of others")

    assert prompts(key, text="CAT") == ["A red Cat, on a lighthouse"]
    assert len(prompts(key, text="red lighthouse")) == 2
    assert prompts(key, text='"red boat"') == ["a lighthouse for a red boat"]
    assert prompts(key, text="red -cat") == ["a lighthouse for a red boat"]
    assert prompts(key, text="others") == []
    assert prompts(key, text="'\"!& :*") == []


def test_the_index_of_words_is_asked_for_rare_ones_alone(key, monkeypatch):
    monkeypatch.setattr("gateway.selectors.gallery.WALKED", 3)
    moment = now()
    for age in range(5):
        at = moment - timedelta(seconds=age)
        deliver(key, prompt="a red lighthouse" if age == 4 else f"a lighthouse {age}", at=at)

    def looked_up(text: str, **paging) -> tuple[list[str], list[str]]:
        with CaptureQueriesContext(connection) as queries:
            found = page(key, text=text, **paging)
        lookups = [one["sql"] for one in queries if "WITH found" in one["sql"]]
        return [image.prompt for image in found.images], lookups

    newest = page(key, text="lighthouse", limit=2)
    assert looked_up("lighthouse", limit=2) == (["a lighthouse 0", "a lighthouse 1"], [])
    assert looked_up("red")[0] == ["a red lighthouse"]
    rest = looked_up("lighthouse", after=newest.next_place)
    assert rest[0] == ["a lighthouse 2", "a lighthouse 3", "a red lighthouse"]
    [lookup] = looked_up("red")[1]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        # In a small table the list's own index would do.
        cursor.execute(f"EXPLAIN {re.sub('generation.organization_id = [^ ]+ AND', '', lookup)}")
        assert "gateway_generation_prompt" in "".join(row[0] for row in cursor)


def test_a_broken_cursor_is_none():
    assert Place.parse("nonsense") is None
    assert Place.parse("é") is None
