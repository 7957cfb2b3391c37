import os

import pytest

from gateway.providers import errors
from gateway.providers.ideogram import IdeogramAdapter
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import KEY, MakeCall
from tests.gateway.providers.ideogram_api import (
    LEGACY,
    V3,
    answer,
    form_of,
    generate,
    item,
    picture,
)


def test_older_models_are_asked_by_json(upstream: Upstream, images: Upstream, make_call: MakeCall):
    first, second = os.urandom(300_000), os.urandom(300_000)
    urls = [picture(images, first), picture(images, second, "b.png")]
    upstream.answers("POST", LEGACY, answer(item(urls[0], seed=1), item(urls[1], seed=2)))

    result = generate(
        make_call,
        upstream,
        upstream_model="V_2_TURBO",
        n=2,
        size_param={"resolution": "RESOLUTION_1024_768"},
        quality="QUALITY",
        style="REALISTIC",
        seed=1,
        output_format="png",
        background="opaque",
        user="u1",
        extra={"magic_prompt_option": "OFF"},
    )

    (request,) = upstream.received
    assert [image.data for image in result.images] == [first, second]
    assert [image.seed for image in result.images] == [1, 2]
    assert [image.revised_prompt for image in result.images] == [None, None]
    assert (result.refused, result.usage, result.billable_units) == (0, None, None)
    assert request.headers["api-key"] == KEY
    assert request.headers["x-extra"] == "route"
    assert request.headers["x-lienzo-hop"] == "1"
    assert request.json() == {
        "image_request": {
            "prompt": "a cat",
            "model": "V_2_TURBO",
            "resolution": "RESOLUTION_1024_768",
            "num_images": 2,
            "seed": 1,
            "style_type": "REALISTIC",
            "magic_prompt_option": "OFF",
        }
    }


def test_ideogram_3_is_asked_by_a_form(upstream: Upstream, images: Upstream, make_call: MakeCall):
    data = os.urandom(300_000)
    upstream.answers("POST", V3, answer(item(picture(images, data), prompt="A fine cat")))

    result = generate(
        make_call,
        upstream,
        upstream_model="ideogram-v3",
        prompt='a "cat" 狐',
        size_param={"aspect_ratio": "16x9"},
        quality="TURBO",
        seed=0,
        extra={
            "style_codes": ["0123abcd", "89ef4567"],
            "color_palette": {"name": "EMBER"},
        },
    )

    (request,) = upstream.received
    assert [image.data for image in result.images] == [data]
    assert result.images[0].revised_prompt == "A fine cat"
    assert request.headers["api-key"] == KEY
    assert form_of(request) == [
        ("prompt", 'a "cat" 狐'),
        ("aspect_ratio", "16x9"),
        ("num_images", "1"),
        ("seed", "0"),
        ("rendering_speed", "TURBO"),
        ("style_codes", "0123abcd"),
        ("style_codes", "89ef4567"),
        ("color_palette", '{"name":"EMBER"}'),
    ]


@pytest.mark.parametrize("model", ["V_2", "ideogram-v3"])
def test_redirects_of_an_image_are_followed_without_the_key(
    upstream: Upstream, images: Upstream, make_call: MakeCall, model: str
):
    data = os.urandom(300_000)
    url = picture(images, data, "end.png")
    for name, target in (("a", "b"), ("b", "c"), ("c", None)):
        headers = {"Location": f"/{target}" if target else url}
        images.answers("GET", f"/{name}", status=302, headers=headers)
    for path in (LEGACY, V3):
        upstream.answers("POST", path, answer(item(f"{images.url}/a")))

    result = generate(make_call, upstream, upstream_model=model)

    assert result.images[0].data == data
    assert len(images.received) == 4
    for request in images.received:
        assert KEY not in str(request.headers)
        assert not {"api-key", "x-extra"} & set(request.headers)


def test_fourth_redirect_is_a_bad_response(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    images.answers("GET", "/a", status=302, headers={"Location": "/a"})
    upstream.answers("POST", LEGACY, answer(item(f"{images.url}/a")))

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert len(images.received) == 4


def test_redirect_of_the_call_is_not_followed(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    location = {"Location": f"{images.url}/generate"}
    upstream.answers("POST", LEGACY, status=307, headers=location)

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is False
    assert images.received == []


def test_unsafe_images_are_counted_and_not_fetched(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    hidden = picture(images, b"unsafe", "hidden.png")
    items = [
        item(None),
        item(picture(images, b"image")),
        item(hidden, is_image_safe=False),
        item(""),
    ]
    items[3]["is_image_safe"] = False
    upstream.answers("POST", LEGACY, answer(*items))

    result = generate(make_call, upstream, n=4)

    assert [image.data for image in result.images] == [b"image"]
    assert result.refused == 3
    assert len(images.received) == 1


def test_all_images_unsafe_is_a_refusal(upstream: Upstream, images: Upstream, make_call: MakeCall):
    upstream.answers("POST", V3, answer(item(None), item(None)))

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream, upstream_model="ideogram-v3", n=2)

    assert raised.value.code == "content_policy_violation"
    assert raised.value.upstream_code == "is_image_safe"
    assert raised.value.processed is True


@pytest.mark.parametrize(("sent", "kept"), [(1, 1), (3, 2), (30, 2)])
def test_no_more_images_are_fetched_than_were_asked_for(
    upstream: Upstream, images: Upstream, make_call: MakeCall, sent: int, kept: int
):
    url = picture(images, b"image")
    upstream.answers("POST", LEGACY, answer(*[item(url)] * sent, item(None)))

    result = generate(make_call, upstream, n=2)

    assert (len(result.images), len(images.received)) == (kept, kept)
    assert result.refused == 2 - kept


def test_broken_image_among_good_ones_is_left_out(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    images.answers("GET", "/gone.png", b"expired", status=403)
    good = item(picture(images, b"image"), seed=7)
    missing = item(None, is_image_safe=True)
    upstream.answers("POST", LEGACY, answer(item(f"{images.url}/gone.png"), missing, good))

    result = generate(make_call, upstream, n=3)

    assert [(image.data, image.seed) for image in result.images] == [(b"image", 7)]
    assert result.refused == 0


def test_image_in_our_own_network_is_refused(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    upstream.answers("POST", LEGACY, answer(item(picture(images, b"image"))))

    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream, allow_private=False)

    assert images.received == []


def test_resume_is_refused(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        IdeogramAdapter().resume(make_call("http://127.0.0.1:1"), "id")

    assert raised.value.processed is True
