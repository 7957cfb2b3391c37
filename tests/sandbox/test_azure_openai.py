"""The official client of Azure OpenAI against its emulator."""

import base64

import openai
import pytest
import requests

VERSION = "2025-04-01-preview"
DENIED = "Access denied due to invalid subscription key"


def azure(sandbox, key="azkey", **options):
    return openai.AzureOpenAI(
        azure_endpoint=f"{sandbox.url}/azure_openai",
        api_key=key,
        api_version=VERSION,
        max_retries=0,
        timeout=10,
        **options,
    )


def post(sandbox, path, body, **headers):
    return requests.post(f"{sandbox.url}/azure_openai{path}", json=body, headers=headers)


@pytest.fixture
def client(sandbox):
    return azure(sandbox)


def test_official_client_gets_images_of_a_deployment(sandbox, client, opened):
    raw = client.images.with_raw_response.generate(
        model="gpt-image-1", prompt="an azure fox", n=2, size="1536x1024", quality="low"
    )

    answer = raw.parse()
    images = [opened(base64.b64decode(item.b64_json)) for item in answer.data]
    assert [image.size for image in images] == [(1536, 1024)] * 2
    assert (answer.usage.output_tokens, answer.quality) == (2 * 400, "low")
    assert answer.data[0].content_filter_results["hate"] == {"filtered": False, "severity": "safe"}
    assert raw.headers["apim-request-id"]
    assert sandbox.calls("an azure fox", provider="azure_openai") == 1


def test_entra_token_and_fixed_deployment_are_accepted(sandbox, opened):
    client = azure(sandbox, key=None, azure_ad_token="aad", azure_deployment="dall-e-3")

    answer = client.images.generate(model="dall-e-3", prompt="a fox", size="1792x1024")

    assert "a fox" in answer.data[0].revised_prompt
    assert opened(requests.get(answer.data[0].url).content).size == (1792, 1024)


def test_newer_surface_takes_the_deployment_as_model(sandbox, opened):
    client = openai.OpenAI(api_key="azkey", base_url=f"{sandbox.url}/azure_openai/openai/v1/")

    answer = client.images.generate(model="gpt-image-2", prompt="a fox", output_format="jpeg")

    assert answer.data is not None
    encoded = answer.data[0].b64_json
    assert encoded is not None
    assert opened(base64.b64decode(encoded)).format == "JPEG"


def test_official_client_streams(client):
    events = list(
        client.images.generate(
            model="gpt-image-1.5", prompt="a fox", stream=True, partial_images=1, quality="low"
        )
    )

    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.completed",
    ]


def test_model_in_the_body_may_be_missing(sandbox):
    path = f"/openai/deployments/gpt-image-2.5-flare/images/generations?api-version={VERSION}"

    answer = post(sandbox, path, {"prompt": "a fox"}, **{"api-key": "k"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/openai/deployments/gpt-image-1/images/generations", "404"),
        ("/openai/deployments/gpt-image-1/images/generations?api-version=latest", "404"),
        (f"/openai/deployments/gpt-image-1/images/edit?api-version={VERSION}", "404"),
        (
            f"/openai/deployments/my-dep/images/generations?api-version={VERSION}",
            "DeploymentNotFound",
        ),
    ],
)
def test_wrong_address_is_a_404_of_azure(sandbox, path, code):
    answer = post(sandbox, path, {"prompt": "a fox"}, **{"api-key": "k"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


def test_keys_are_checked(sandbox):
    with pytest.raises(openai.AuthenticationError, match=DENIED) as caught:
        azure(sandbox, key="bad").images.generate(model="gpt-image-1", prompt="a fox")

    assert caught.value.code == "401"


def test_webp_is_refused(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="gpt-image-1", prompt="a fox", output_format="webp")

    assert (caught.value.param, caught.value.code) == ("output_format", "invalid_value")


@pytest.mark.parametrize(
    ("directive", "error", "code"),
    [
        ("status=403", openai.PermissionDeniedError, "Forbidden"),
        ("status=404", openai.NotFoundError, "DeploymentNotFound"),
        ("status=429", openai.RateLimitError, "429"),
        ("status=500", openai.InternalServerError, None),
        ("refuse", openai.BadRequestError, "moderation_blocked"),
    ],
)
def test_directive_raises_the_client_error(client, directive, error, code):
    with pytest.raises(error) as caught:
        client.images.generate(model="gpt-image-1", prompt=f"a fox [[{directive}]]")

    assert caught.value.code == code


def test_dall_e_refusal_has_an_inner_error(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="dall-e-3", prompt="a fox [[refuse]]")

    assert isinstance(caught.value.body, dict)
    inner = caught.value.body["inner_error"]
    assert caught.value.code == "content_policy_violation"
    assert inner["code"] == "ResponsibleAIPolicyViolation"
    assert inner["content_filter_results"]["violence"]["filtered"] is True


def test_content_filter_fails_with_status_200(sandbox):
    path = f"/openai/deployments/dall-e-3/images/generations?api-version={VERSION}"

    answer = post(sandbox, path, {"prompt": "a fox [[refuse=filter]]"}, **{"api-key": "k"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (200, "contentFilter")


def test_withheld_image_has_only_its_findings(client):
    answer = client.images.generate(model="gpt-image-1", prompt="a fox [[nsfw=first]]", n=2)

    first, second = answer.data
    assert first.b64_json is None
    assert first.content_filter_results["sexual"]["filtered"] is True
    assert second.b64_json


def test_limit_and_retirement_are_enforced(sandbox):
    client = azure(sandbox, key="limited")
    sandbox.configure(azure_openai={"requests_per_minute": 1, "retired": True})

    with pytest.raises(openai.NotFoundError):
        client.images.generate(model="dall-e-3", prompt="a fox")
    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(model="gpt-image-2", prompt="a fox")
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60
