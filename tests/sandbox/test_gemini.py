import base64
import uuid
from typing import Any

import pytest
import requests
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from tests.sandbox.conftest import Sandbox

IMAGEN = "imagen-4.0-generate-001"
FAST = "imagen-4.0-fast-generate-001"
FLASH = "gemini-2.5-flash-image"
PRO = "gemini-3-pro-image"


def client_of(sandbox: Sandbox, **kind: Any) -> Any:
    options = types.HttpOptions(base_url=f"{sandbox.url}/gemini", timeout=20_000)
    return genai.Client(http_options=options, **kind)


@pytest.fixture
def client(sandbox):
    return client_of(sandbox, api_key="test-key")


def drawn_by(client: Any, model: str, prompt: str) -> object:
    """Have one model draw, by its own method of the client."""
    if model == IMAGEN:
        return client.models.generate_images(model=model, prompt=prompt)
    return client.models.generate_content(model=model, contents=prompt)


def with_ratio(ratio: str, size: str | None = None) -> types.GenerateContentConfig:
    image = types.ImageConfig(aspect_ratio=ratio, image_size=size)
    return types.GenerateContentConfig(response_modalities=["IMAGE"], image_config=image)


def post(sandbox: Sandbox, path: str, body: object, **headers: str) -> requests.Response:
    return requests.post(
        f"{sandbox.url}/gemini/{path}",
        json=body,
        headers={"x-goog-api-key": "test-key", **headers},
        timeout=10,
    )


def predict(sandbox: Sandbox, prompt: str = "a fox", **parameters: object) -> requests.Response:
    body = {"instances": [{"prompt": prompt}], "parameters": parameters}
    return post(sandbox, f"v1beta/models/{IMAGEN}:predict", body)


def test_imagen_draws_the_number_the_ratio_and_the_format(sandbox, client, opened):
    answer = client.models.generate_images(
        model=IMAGEN,
        prompt="a fox of three",
        config=types.GenerateImagesConfig(
            number_of_images=3,
            aspect_ratio="16:9",
            image_size="2K",
            output_mime_type="image/jpeg",
            output_compression_quality=60,
            person_generation=types.PersonGeneration.ALLOW_ADULT,
            safety_filter_level=types.SafetyFilterLevel.BLOCK_LOW_AND_ABOVE,
            include_rai_reason=True,
        ),
    )

    images = [generated.image for generated in answer.generated_images]
    assert [opened(image.image_bytes).size for image in images] == [(2816, 1536)] * 3
    assert {image.mime_type for image in images} == {"image/jpeg"}
    assert {opened(image.image_bytes).format for image in images} == {"JPEG"}
    assert len({image.image_bytes for image in images}) == 3
    assert sandbox.calls("a fox of three") == 1


def test_imagen_draws_four_pngs_unless_told(client, opened):
    answer = client.models.generate_images(model=FAST, prompt="a fox")

    images = [opened(generated.image.image_bytes) for generated in answer.generated_images]
    assert [(image.size, image.format) for image in images] == [((1024, 1024), "PNG")] * 4


@pytest.mark.parametrize(
    ("model", "ratio", "size", "pixels", "tokens"),
    [
        (FLASH, "16:9", None, (1344, 768), 1290),
        (FLASH, "21:9", None, (1536, 672), 1290),
        (PRO, "4:3", "2K", (2400, 1792), 1120),
        ("gemini-3.1-flash-image", "9:16", "1K", (768, 1376), 1120),
    ],
)
def test_gemini_draws_one_image_and_counts_tokens(
    client, opened, model, ratio, size, pixels, tokens
):
    answer = client.models.generate_content(
        model=model, contents="a lone fox", config=with_ratio(ratio, size)
    )

    (part,) = answer.candidates[0].content.parts
    image = opened(part.inline_data.data)
    assert (image.size, image.format, part.inline_data.mime_type) == (pixels, "PNG", "image/png")
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    usage = answer.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (2, tokens)
    thoughts = usage.thoughts_token_count or 0
    assert usage.total_token_count == 2 + tokens + thoughts
    assert (thoughts > 0) is (model != FLASH)
    assert answer.response_id


def test_vertex_express_takes_what_the_gemini_api_refuses(sandbox, client, opened):
    config = types.GenerateImagesConfig(
        number_of_images=1, seed=5, add_watermark=False, enhance_prompt=True, labels={"a": "b"}
    )
    express = client_of(sandbox, vertexai=True, api_key="test-key")

    (drawn,) = express.models.generate_images(
        model=FAST, prompt="a fox", config=config
    ).generated_images

    assert opened(drawn.image.image_bytes).size == (1024, 1024)
    assert drawn.enhanced_prompt == "A detailed picture: a fox"
    refused = predict(sandbox, seed=5)
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_vertex_project_takes_a_token(sandbox, opened):
    project = client_of(
        sandbox,
        vertexai=True,
        project="proj",
        location="us-central1",
        credentials=Credentials("token"),
    )

    drawn = project.models.generate_images(
        model="imagen-4.0-ultra-generate-001",
        prompt="a fox",
        config=types.GenerateImagesConfig(number_of_images=1, aspect_ratio="3:4"),
    )
    answer = project.models.generate_content(
        model=FLASH, contents="a fox", config=with_ratio("3:2")
    )

    assert opened(drawn.generated_images[0].image.image_bytes).size == (896, 1280)
    (part,) = answer.candidates[0].content.parts
    assert opened(part.inline_data.data).size == (1248, 832)


def test_vertex_project_refuses_an_api_key(sandbox):
    path = f"v1/projects/p/locations/global/publishers/google/models/{FLASH}:generateContent"

    for headers in ({}, {"Authorization": "Bearer bad"}, {"Authorization": "Basic token"}):
        answer = post(sandbox, path, {}, **headers)
        assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_both_versions_are_served(sandbox, version):
    body = {"contents": [{"parts": [{"text": "a fox"}]}]}

    answer = post(sandbox, f"{version}/models/{FLASH}:generateContent", body)

    assert answer.status_code == 200
    (part,) = answer.json()["candidates"][0]["content"]["parts"]
    assert base64.b64decode(part["inlineData"]["data"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("directive", "code", "status", "kind"),
    [
        ("[[status=429]]", 429, "RESOURCE_EXHAUSTED", errors.ClientError),
        ("[[status=403]]", 403, "PERMISSION_DENIED", errors.ClientError),
        ("[[status=404]]", 404, "NOT_FOUND", errors.ClientError),
        ("[[status=500]]", 500, "INTERNAL", errors.ServerError),
        ("[[status=503]]", 503, "UNAVAILABLE", errors.ServerError),
        ("[[status=504]]", 504, "DEADLINE_EXCEEDED", errors.ServerError),
        ("[[status=502]]", 502, "Bad Gateway", errors.ServerError),
    ],
)
@pytest.mark.parametrize("model", [IMAGEN, FLASH])
def test_client_raises_forced_errors(client, model, directive, code, status, kind):
    prompt = f"a fox {directive}"

    with pytest.raises(kind) as raised:
        drawn_by(client, model, prompt)

    assert (raised.value.code, raised.value.status) == (code, status)


def test_bad_key_is_a_400_with_a_reason(sandbox):
    client = client_of(sandbox, api_key="bad-key")

    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_images(model=IMAGEN, prompt="a fox")

    assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")
    assert raised.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_missing_key_is_a_403_and_the_query_may_carry_it(sandbox):
    url = f"{sandbox.url}/gemini/v1beta/models"

    assert requests.get(url, timeout=5).status_code == 403
    listed = requests.get(url, params={"key": "test-key"}, timeout=5).json()["models"]
    assert {"models/" + IMAGEN, "models/" + FLASH} <= {model["name"] for model in listed}


@pytest.mark.parametrize(
    ("model", "method"),
    [("imagen-3.0-generate-002", "predict"), (FLASH, "predict"), (IMAGEN, "generateContent")],
)
def test_unknown_model_or_method_is_a_404(sandbox, model, method):
    answer = post(sandbox, f"v1beta/models/{model}:{method}", {})

    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert f"not supported for {method}" in answer.json()["error"]["message"]


def test_imagen_is_retired_on_the_gemini_api_alone(sandbox, client):
    sandbox.configure(gemini={"retired": True})
    express = client_of(sandbox, vertexai=True, api_key="test-key")

    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_images(model=IMAGEN, prompt="a fox")

    assert raised.value.code == 404
    assert express.models.generate_images(model=IMAGEN, prompt="a fox").generated_images
    assert client.models.generate_content(model=FLASH, contents="a fox").candidates


@pytest.mark.parametrize(
    "parameters",
    [
        {"sampleCount": 5},
        {"sampleCount": 0},
        {"sampleCount": "2"},
        {"aspectRatio": "3:2"},
        {"sampleImageSize": "4K"},
        {"personGeneration": "everybody"},
        {"safetySetting": "block_none"},
        {"language": "xx"},
        {"outputOptions": {"mimeType": "image/webp"}},
        {"outputOptions": {"compressionQuality": 101}},
        {"includeRaiReason": "yes"},
        {"negativePrompt": "dog"},
        {"storageUri": "gs://b/x"},
    ],
)
def test_imagen_refuses_wrong_parameters(sandbox, parameters):
    answer = predict(sandbox, **parameters)

    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert sandbox.calls("a fox") >= 1


def test_imagen_ignores_parameters_it_does_not_know(sandbox):
    assert predict(sandbox, imageSize="1K", sampleCount=1).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "contents is not specified"),
        ({"contents": []}, "contents is not specified"),
        ({"contents": [{"parts": []}]}, "must not be empty"),
        ({"prompt": "a fox"}, 'Unknown name "prompt"'),
        ({"generationConfig": {"aspectRatio": "1:1"}}, "at 'generation_config'"),
        ({"generationConfig": {"imageConfig": {"aspectRatio": "7:3"}}}, "aspect_ratio must be one"),
        ({"generationConfig": {"imageConfig": {"imageSize": "2K"}}}, "image_size must be one"),
        ({"generationConfig": {"candidateCount": 2}}, "Multiple candidates"),
        ({"generationConfig": {"responseModalities": ["AUDIO"]}}, "modalities"),
    ],
)
def test_gemini_refuses_wrong_bodies(sandbox, body, words):
    if "generationConfig" in body:
        body = {"contents": [{"parts": [{"text": "a fox"}]}], **body}

    answer = post(sandbox, f"v1beta/models/{FLASH}:generateContent", body)

    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert words in answer.json()["error"]["message"]


def test_blocked_prompt_of_imagen_is_a_400_with_support_codes(client):
    with pytest.raises(errors.ClientError, match="Support codes: 61493863"):
        client.models.generate_images(model=IMAGEN, prompt="a fox [[refuse]]")


def test_filtered_images_of_imagen_are_missing_or_explained(sandbox, client):
    def generated(directive: str, *, explains: bool) -> Any:
        return client.models.generate_images(
            model=IMAGEN,
            prompt=f"a fox {directive}",
            config=types.GenerateImagesConfig(number_of_images=2, include_rai_reason=explains),
        ).generated_images

    silent = generated("[[nsfw=first]]", explains=False)
    explained = generated("[[nsfw=first]]", explains=True)

    assert [bool(one.image and one.image.image_bytes) for one in silent] == [True]
    assert "Support codes" in explained[0].rai_filtered_reason
    assert explained[1].image.image_bytes
    assert predict(sandbox, "a fox [[nsfw]]", sampleCount=2).json() == {}
    reasons = predict(sandbox, "a fox [[refuse=output]]", sampleCount=2, includeRaiReason=True)
    assert [set(one) for one in reasons.json()["predictions"]] == [{"raiFilteredReason"}] * 2


def test_refusals_of_gemini_are_answers(client):
    def answered(directive: str) -> Any:
        return client.models.generate_content(
            model=FLASH, contents=f"a fox {directive}", config=with_ratio("1:1")
        )

    blocked = answered("[[refuse]]")
    withheld = answered("[[refuse=output]]")

    assert not blocked.candidates
    assert blocked.prompt_feedback.block_reason is types.BlockedReason.PROHIBITED_CONTENT
    assert withheld.candidates[0].finish_reason is types.FinishReason.IMAGE_SAFETY
    assert not withheld.candidates[0].content.parts


def test_limit_of_a_minute_says_when_to_come_back(sandbox):
    sandbox.configure(gemini={"requests_per_minute": 1})
    client = client_of(sandbox, api_key=uuid.uuid4().hex)

    client.models.generate_images(model=IMAGEN, prompt="a fox")
    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_images(model=IMAGEN, prompt="a fox")

    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
    delay = raised.value.details["error"]["details"][1]["retryDelay"]
    assert delay.endswith("s")
    assert 0 < int(delay[:-1]) <= 60


def test_directives_change_the_image(sandbox, opened):
    def image(directive: str) -> bytes:
        answer = predict(sandbox, f"a fox {directive}", sampleCount=1).json()
        return base64.b64decode(answer["predictions"][0]["bytesBase64Encoded"])

    assert opened(image("[[wrong_size]]")).size == (520, 512)
    assert image("[[corrupt=html]]").startswith(b"<!DOCTYPE html>")
    with pytest.raises((OSError, SyntaxError)):
        opened(image("[[corrupt]]"))
    assert predict(sandbox, "a fox [[empty]]").json() == {}
