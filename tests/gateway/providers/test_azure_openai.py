import base64
import os

import pytest

from gateway.providers import errors
from gateway.providers.azure_openai import AzureOpenAIAdapter
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import KEY, MakeCall

PATH = "/openai/deployments/gpt-image-1/images/generations"
USAGE = {"input_tokens": 9, "output_tokens": 1056, "total_tokens": 1065}
SAFE = {"hate": {"filtered": False, "severity": "safe"}}
KEPT = {"content_filter_results": {**SAFE, "sexual": {"filtered": True, "severity": "high"}}}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    fields = {"upstream_model": "gpt-image-1", **fields}
    return AzureOpenAIAdapter().generate(make_call(upstream.url, **fields))


def test_generate_calls_the_deployment_and_returns_its_images(
    upstream: Upstream, make_call: MakeCall
):
    first, second = os.urandom(1_000_000), os.urandom(1_000_000)
    upstream.answers(
        "POST",
        PATH,
        {
            "created": 1,
            "data": [
                {"b64_json": encoded(first), "content_filter_results": SAFE},
                {"b64_json": encoded(second), "prompt_filter_results": SAFE},
            ],
            "usage": USAGE,
        },
        headers={"apim-request-id": "a-1", "x-request-id": "x-1"},
    )
    call = make_call(
        f"{upstream.url}/",
        upstream_model="gpt-image-1",
        n=2,
        size_param={"size": "1536x1024"},
        quality="high",
        background="transparent",
        output_format="jpeg",
        output_compression=80,
        user="u1",
    )

    result = AzureOpenAIAdapter().generate(call)

    (request,) = upstream.received
    assert [image.data for image in result.images] == [first, second]
    assert (result.usage, result.upstream_request_id, result.refused) == (USAGE, "a-1", 0)
    assert call.permit.held
    assert request.query == "api-version=2025-04-01-preview"
    assert request.headers["api-key"] == KEY
    assert "authorization" not in request.headers
    assert request.headers["x-extra"] == "route"
    assert request.headers["x-lienzo-hop"] == "1"
    assert request.json() == {
        "prompt": "a cat",
        "n": 2,
        "size": "1536x1024",
        "quality": "high",
        "background": "transparent",
        "output_format": "jpeg",
        "output_compression": 80,
        "user": "u1",
    }


@pytest.mark.parametrize(
    ("given", "query"),
    [
        ("2024-02-01", "api-version=2024-02-01"),
        ("", "api-version=2025-04-01-preview"),
        ("a b&c=/d", "api-version=a%20b%26c%3D%2Fd"),
    ],
)
def test_version_is_the_endpoints_or_the_adapters_own(
    upstream: Upstream, make_call: MakeCall, given: str, query: str
):
    upstream.answers("POST", PATH, {"data": [{"b64_json": "aW1n"}]})

    generate(make_call, upstream, options={"api_version": given})

    assert upstream.received[0].query == query


def test_path_of_the_base_url_is_kept(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", f"/team/azure{PATH}", {"data": [{"b64_json": "aW1n"}]})
    call = make_call(f"{upstream.url}/team/azure", upstream_model="gpt-image-1")

    assert AzureOpenAIAdapter().generate(call).images[0].data == b"img"


def test_dall_e_3_gets_its_own_fields_and_its_prompt_back(upstream: Upstream, make_call: MakeCall):
    path = "/openai/deployments/dall-e-3/images/generations"
    upstream.answers("POST", path, {"data": [{"b64_json": "aW1n", "revised_prompt": "A cat"}]})

    result = generate(make_call, upstream, upstream_model="dall-e-3", quality="hd", style="vivid")

    assert result.images[0].revised_prompt == "A cat"
    assert upstream.received[0].json() == {
        "prompt": "a cat",
        "n": 1,
        "response_format": "b64_json",
        "quality": "hd",
        "style": "vivid",
    }


@pytest.mark.parametrize("name", ["", ".", "..", "../secrets", "a/b", "a?b", "a b", "é", "a" * 65])
def test_name_that_no_deployment_has_is_not_called(
    upstream: Upstream, make_call: MakeCall, name: str
):
    with pytest.raises(errors.ModelRetired) as raised:
        generate(make_call, upstream, upstream_model=name)

    assert raised.value.processed is False
    assert upstream.received == []


def test_url_answer_is_downloaded_over_redirects_without_the_key(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    data = os.urandom(300_000)
    images.answers("GET", "/a.png", status=302, headers={"Location": "/b.png"})
    images.answers("GET", "/b.png", data)
    upstream.answers("POST", PATH, {"data": [{"url": f"{images.url}/a.png?sig=1"}]})

    assert generate(make_call, upstream).images[0].data == data
    assert len(images.received) == 2
    for request in images.received:
        assert KEY not in str(request.headers)
        assert "x-extra" not in request.headers


def test_redirect_of_the_call_is_not_followed(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    location = {"Location": f"{images.url}{PATH}"}
    upstream.answers("POST", PATH, status=307, headers=location)

    with pytest.raises(errors.ProviderUnavailable):
        generate(make_call, upstream)

    assert images.received == []


def test_withheld_images_are_counted(upstream: Upstream, make_call: MakeCall):
    items = [KEPT, {"b64_json": "aW1n", **KEPT}, {"prompt_filter_results": SAFE, **KEPT}]
    upstream.answers("POST", PATH, {"data": items})

    result = generate(make_call, upstream, n=3)

    assert [image.data for image in result.images] == [b"img"]
    assert result.refused == 2


def test_answer_of_withheld_images_alone_is_a_refusal(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", PATH, {"data": [KEPT]}, headers={"apim-request-id": "a-2"})

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream)

    assert raised.value.code == "content_policy_violation"
    assert raised.value.processed is True
    assert (raised.value.upstream_status, raised.value.upstream_request_id) == (200, "a-2")


def test_fewer_and_more_images_than_asked_for_are_returned(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", PATH, {"data": [{"b64_json": "aW1n"}] * 3})

    assert len(generate(make_call, upstream, n=5).images) == 3
    assert len(generate(make_call, upstream, n=1).images) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        {"created": 1},
        {"data": []},
        {"data": [{}]},
        {"data": [{"content_filter_results": SAFE}]},
        {"data": [{"b64_json": "&&&"}]},
    ],
)
def test_answer_without_an_image_is_a_bad_response(
    upstream: Upstream, make_call: MakeCall, body: object
):
    upstream.answers("POST", PATH, body, headers={"apim-request-id": "a-9"})

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert raised.value.upstream_request_id == "a-9"


def test_image_over_its_limit_is_a_bad_response(upstream: Upstream, make_call: MakeCall):
    for size in (4_000_001, 8_000_000):
        upstream.answers("POST", PATH, {"data": [{"b64_json": encoded(bytes(size))}]})
        with pytest.raises(errors.BadResponse):
            generate(make_call, upstream)
