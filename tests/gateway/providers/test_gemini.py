import base64
import os
import tracemalloc
from dataclasses import replace

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.catalog.google import GEMINI, PRO
from gateway.providers import errors
from gateway.providers.base import Call
from gateway.providers.gemini import GeminiAdapter
from tests.core.http.upstream import Exchange, Upstream
from tests.gateway.providers.conftest import KEY, MakeCall

IMAGEN = "imagen-4.0-generate-001"
FLASH = "gemini-2.5-flash-image"
PREDICT = f"/v1beta/models/{IMAGEN}:predict"
GENERATE = f"/v1beta/models/{FLASH}:generateContent"
WITHHELD = {"raiFilteredReason": "Unable to show generated images. Support codes: 39322892"}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def prediction(data: bytes = b"img", **more: object) -> dict[str, object]:
    return {"mimeType": "image/png", "bytesBase64Encoded": encoded(data), **more}


def inline(data: bytes = b"img", **more: object) -> dict[str, object]:
    return {"inlineData": {"mimeType": "image/png", "data": encoded(data)}, **more}


def candidates(*parts: dict[str, object], finish: str = "STOP") -> dict[str, object]:
    content = {"role": "model", "parts": list(parts)}
    return {"candidates": [{"content": content, "finishReason": finish, "index": 0}]}


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    return GeminiAdapter().generate(make_call(upstream.url, **fields))


def on_vertex(call: Call, *, key: str = KEY, **options: str) -> Call:
    endpoint = replace(call.endpoint, api_key=key, options={"vertex": "1", **options})
    return replace(call, endpoint=endpoint)


def test_imagen_returns_the_images(upstream: Upstream, make_call: MakeCall):
    first, second = os.urandom(1_000_000), os.urandom(1_000_000)
    upstream.answers(
        "POST",
        PREDICT,
        {"predictions": [prediction(first, prompt="A fine cat"), prediction(second)]},
    )
    call = make_call(
        f"{upstream.url}/",
        upstream_model=IMAGEN,
        n=2,
        size_param={"aspectRatio": "16:9", "sampleImageSize": "2K"},
        quality="high",
        style="vivid",
        background="opaque",
        moderation="low",
        output_format="jpeg",
        output_compression=80,
        seed=7,
        user="u1",
        extra={"language": "en"},
    )

    result = GeminiAdapter().generate(call)

    (request,) = upstream.received
    assert [image.data for image in result.images] == [first, second]
    assert [image.revised_prompt for image in result.images] == ["A fine cat", None]
    assert (result.usage, result.refused) == (None, 0)
    assert call.permit.held
    assert request.headers["x-goog-api-key"] == KEY
    assert "authorization" not in request.headers
    assert request.headers["x-extra"] == "route"
    assert request.headers["x-lienzo-hop"] == "1"
    assert request.json() == {
        "instances": [{"prompt": "a cat"}],
        "parameters": {
            "sampleCount": 2,
            "aspectRatio": "16:9",
            "sampleImageSize": "2K",
            "includeRaiReason": True,
            "outputOptions": {"mimeType": "image/jpeg", "compressionQuality": 80},
            "language": "en",
        },
    }


def test_imagen_is_sent_nothing_that_was_not_asked_for(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", PREDICT, {"predictions": [prediction()]})

    generate(make_call, upstream, upstream_model=IMAGEN)

    assert upstream.received[0].json() == {
        "instances": [{"prompt": "a cat"}],
        "parameters": {"sampleCount": 1, "includeRaiReason": True},
    }


@pytest.mark.parametrize(
    ("predictions", "delivered", "refused"),
    [
        ([prediction(b"a"), WITHHELD, prediction(b"b"), WITHHELD], [b"a", b"b"], 2),
        ([prediction(b"a")], [b"a"], 3),
        ([prediction(b"a"), {"contentType": "Positive Prompt", "safetyAttributes": {}}], [b"a"], 3),
        ([prediction(b"a"), {"bytesBase64Encoded": "%%%"}, WITHHELD, WITHHELD], [b"a"], 2),
        ([prediction(b"a"), "junk", {}, {"gcsUri": "gs://b/x"}], [b"a"], 0),
        ([prediction(bytes([65 + i])) for i in range(5)], [b"A", b"B", b"C", b"D", b"E"], 0),
    ],
)
def test_missing_images_of_imagen_are_counted_as_refused(
    upstream: Upstream,
    make_call: MakeCall,
    predictions: list[object],
    delivered: list[bytes],
    refused: int,
):
    upstream.answers("POST", PREDICT, {"predictions": predictions})

    result = generate(make_call, upstream, upstream_model=IMAGEN, n=4)

    assert [image.data for image in result.images] == delivered
    assert result.refused == refused


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "withheld"),
        ({"predictions": []}, "withheld"),
        ({"predictions": [WITHHELD, WITHHELD]}, "Support codes: 39322892"),
        ({"predictions": [{"contentType": "Positive Prompt"}]}, "withheld"),
    ],
)
def test_imagen_without_images_is_a_refusal(
    upstream: Upstream, make_call: MakeCall, body: object, message: str
):
    upstream.answers("POST", PREDICT, body)

    with pytest.raises(errors.ContentRefused, match=message) as raised:
        generate(make_call, upstream, upstream_model=IMAGEN, n=2)

    assert raised.value.code == "content_policy_violation"
    assert raised.value.processed is True
    assert raised.value.upstream_status == 200


def test_gemini_returns_the_image_and_usage(upstream: Upstream, make_call: MakeCall):
    data = os.urandom(1_000_000)
    answer = candidates({"text": "Here you are."}, inline(b"draft", thought=True), inline(data))
    answer |= {
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": 1290,
            "totalTokenCount": 1293,
        },
        "responseId": "resp-1",
    }
    upstream.answers("POST", GENERATE, answer)
    call = make_call(
        upstream.url,
        upstream_model=FLASH,
        size_param={"aspectRatio": "16:9", "imageSize": "1K"},
        output_format="png",
        quality="high",
        user="u1",
        extra={"candidateCount": 1},
    )

    result = GeminiAdapter().generate(call)

    (request,) = upstream.received
    assert [image.data for image in result.images] == [data]
    assert (result.upstream_request_id, result.refused) == ("resp-1", 0)
    assert call.permit.held
    assert result.usage == {
        "input_tokens": 3,
        "output_tokens": 1290,
        "total_tokens": 1293,
        "input_tokens_details": {"text_tokens": 3, "image_tokens": 0},
        "output_tokens_details": {"text_tokens": 0, "image_tokens": 1290},
    }
    assert GEMINI.token_rates is not None
    assert str(GEMINI.token_rates.usage_usd(result.usage)) == "0.0387009"
    assert request.headers["x-goog-api-key"] == KEY
    assert request.json() == {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "1K"},
            "candidateCount": 1,
        },
    }


def test_text_and_thoughts_of_gemini_are_not_priced_as_images(
    upstream: Upstream, make_call: MakeCall
):
    usage = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 1130,
        "thoughtsTokenCount": 200,
        "totalTokenCount": 1340,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
    }
    upstream.answers("POST", GENERATE, {**candidates(inline()), "usageMetadata": usage})

    result = generate(make_call, upstream, upstream_model=FLASH)

    assert result.usage is not None
    assert result.usage["output_tokens_details"] == {"text_tokens": 210, "image_tokens": 1120}
    assert result.usage["output_tokens"] == 1330
    assert upstream.received[0].json()["generationConfig"] == {"responseModalities": ["IMAGE"]}
    assert PRO.token_rates is not None
    assert str(PRO.token_rates.usage_usd(result.usage)) == "0.13694"


@pytest.mark.parametrize(
    "usage", [None, {}, "many", {"promptTokenCount": 3}, {"promptTokenCount": "3"}]
)
def test_gemini_without_token_counts_has_no_usage(
    upstream: Upstream, make_call: MakeCall, usage: object
):
    upstream.answers("POST", GENERATE, {**candidates(inline()), "usageMetadata": usage})

    assert generate(make_call, upstream, upstream_model=FLASH).usage is None


@pytest.mark.parametrize("model", [IMAGEN, FLASH])
def test_path_of_the_base_url_is_kept_and_only_it_gets_the_key(
    upstream: Upstream, images: Upstream, make_call: MakeCall, model: str
):
    method = "predict" if model == IMAGEN else "generateContent"
    path = f"/proxy/google/v1beta/models/{model}:{method}"
    upstream.answers("POST", path, status=302, headers={"Location": f"{images.url}{path}"})
    call = make_call(f"{upstream.url}/proxy/google/", upstream_model=model)

    with pytest.raises(errors.ProviderUnavailable):
        GeminiAdapter().generate(call)

    assert [one.path for one in upstream.received] == [path]
    assert images.received == []


@pytest.mark.parametrize("model", ["gemini/../secret", "imagen-4?alt=sse", "", "Gemini 3", "a:b"])
def test_model_that_cannot_exist_is_not_called(upstream: Upstream, make_call: MakeCall, model: str):
    with pytest.raises(errors.ModelRetired):
        generate(make_call, upstream, upstream_model=model)

    assert upstream.received == []


def test_express_mode_of_vertex_takes_an_api_key(upstream: Upstream, make_call: MakeCall):
    path = f"/v1beta1/publishers/google/models/{IMAGEN}:predict"
    upstream.answers("POST", path, {"predictions": [prediction()], "model": "m"})
    call = on_vertex(make_call(upstream.url, upstream_model=IMAGEN))

    assert GeminiAdapter().generate(call).images[0].data == b"img"
    assert upstream.received[0].headers["x-goog-api-key"] == KEY
    assert "authorization" not in upstream.received[0].headers


@pytest.mark.parametrize(
    ("options", "location"), [({}, "us-central1"), ({"vertex_location": "global"}, "global")]
)
def test_project_of_vertex_takes_an_access_token(
    upstream: Upstream, make_call: MakeCall, options: dict[str, str], location: str
):
    path = (
        f"/v1/projects/proj/locations/{location}/publishers/google/models/{FLASH}:generateContent"
    )
    upstream.answers("POST", path, candidates(inline()))
    call = make_call(upstream.url, upstream_model=FLASH)

    result = GeminiAdapter().generate(on_vertex(call, vertex_project="proj", **options))

    assert result.images[0].data == b"img"
    assert upstream.received[0].headers["authorization"] == f"Bearer {KEY}"
    assert "x-goog-api-key" not in upstream.received[0].headers


def test_service_account_signs_its_own_token_once(upstream: Upstream, make_call: MakeCall):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "type": "service_account",
        "project_id": "proj",
        "private_key_id": "k1",
        "private_key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        "client_email": "images@proj.iam.gserviceaccount.com",
        "token_uri": f"{upstream.url}/token",
    }
    path = f"/v1/projects/proj/locations/us-central1/publishers/google/models/{IMAGEN}:predict"
    upstream.answers("POST", path, {"predictions": [prediction()]})

    for _ in range(2):
        call = make_call(upstream.url, upstream_model=IMAGEN)
        secret = orjson.dumps(account).decode()
        GeminiAdapter().generate(on_vertex(call, key=secret, vertex_project="proj"))

    first, second = (request.headers["authorization"] for request in upstream.received)
    assert first == second
    head, claims, signature = first.removeprefix("Bearer ").split(".")
    said = orjson.loads(base64.urlsafe_b64decode(claims + "=="))
    assert said["iss"] == said["sub"] == account["client_email"]
    assert said["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert said["exp"] - said["iat"] == 3600
    assert orjson.loads(base64.urlsafe_b64decode(head + "=="))["kid"] == "k1"
    assert signature
    assert [request.path for request in upstream.received] == [path, path]


@pytest.mark.parametrize("key", ["{", "{}", '{"client_email": "a", "private_key": "secret"}'])
def test_broken_service_account_is_bad_credentials(
    upstream: Upstream, make_call: MakeCall, key: str
):
    call = make_call(upstream.url, upstream_model=IMAGEN)

    for options in ({"vertex_project": "proj"}, {}):
        with pytest.raises(errors.BadCredentials) as raised:
            GeminiAdapter().generate(on_vertex(call, key=key, **options))
        assert "secret" not in raised.value.message
    assert upstream.received == []


@pytest.mark.parametrize("announced", [True, False])
def test_body_of_60_megabytes_is_refused_in_bounded_memory(
    upstream: Upstream, make_call: MakeCall, announced: bool
):
    def big(exchange: Exchange) -> None:
        length = b"Content-Length: 80000100\r\n" if announced else b"Connection: close\r\n"
        exchange.raw(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        exchange.raw(b'{"predictions":[{"bytesBase64Encoded":"')
        for _ in range(80):
            exchange.raw(b"A" * 1_000_000)
        exchange.raw(b'"}]}')

    upstream.on("POST", PREDICT, big)
    tracemalloc.start()
    try:
        with pytest.raises(errors.BadResponse) as raised:
            generate(make_call, upstream, upstream_model=IMAGEN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert raised.value.processed is True
    # The limit of 4 MB an image is the test's own; base64 and what is read at once come on top.
    assert peak < 20_000_000


def test_image_over_its_limit_is_a_bad_response(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", PREDICT, {"predictions": [prediction(bytes(4_000_001))]})
    upstream.answers("POST", GENERATE, candidates(inline(bytes(4_000_001))))

    for model in (IMAGEN, FLASH):
        with pytest.raises(errors.BadResponse):
            generate(make_call, upstream, upstream_model=model)
