"""Every body that cannot be served gets its documented error, and nothing is written."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from tests.gateway.api.expect import expect_error, expect_nothing_written
from tests.tenants import GENERATIONS, MODEL, new_prompt

FLUX = "fal/flux-1.1-pro"
GPT = "openai/gpt-image-1"
INVALID, UNSUPPORTED = "invalid_value", "unsupported_value"


@pytest.mark.parametrize(
    ("changes", "status", "code", "param"),
    [
        ({"model": "openai/dall-e-9"}, 404, "model_not_found", "model"),
        ({"model": ""}, 404, "model_not_found", "model"),
        ({"model": "a" * 100_000}, 404, "model_not_found", "model"),
        ({"model": 7}, 400, INVALID, "model"),
        ({"model": ["dall-e-3"]}, 400, INVALID, "model"),
        ({"prompt": None}, 400, "missing_required_parameter", "prompt"),
        ({"prompt": ""}, 400, "missing_required_parameter", "prompt"),
        ({"prompt": " \t\n "}, 400, "missing_required_parameter", "prompt"),
        ({"prompt": 5}, 400, INVALID, "prompt"),
        ({"prompt": {"a": 1}}, 400, INVALID, "prompt"),
        ({"prompt": "x" * 4_001}, 400, INVALID, "prompt"),
        ({"prompt": "ж" * 4_001}, 400, INVALID, "prompt"),
        ({"prompt": "x" * 1_001, "model": "dall-e-2"}, 400, INVALID, "prompt"),
        ({"prompt": "x" * 32_001, "model": GPT}, 400, INVALID, "prompt"),
        ({"prompt": "a\0b"}, 400, INVALID, "prompt"),
        ({"user": "a\0b"}, 400, INVALID, "user"),
        ({"user": "u" * 513}, 400, INVALID, "user"),
        ({"n": 0}, 400, INVALID, "n"),
        ({"n": 9, "model": FLUX}, 400, INVALID, "n"),
        ({"n": 11, "model": GPT}, 400, INVALID, "n"),
        ({"n": 2}, 400, INVALID, "n"),
        ({"n": -1}, 400, INVALID, "n"),
        ({"n": "1"}, 400, INVALID, "n"),
        ({"n": 1.0}, 400, INVALID, "n"),
        ({"n": True}, 400, INVALID, "n"),
        ({"n": 10**30}, 400, INVALID, "n"),
        ({"size": "123x456"}, 400, INVALID, "size"),
        ({"size": "1024X1024"}, 400, INVALID, "size"),
        ({"size": 1024}, 400, INVALID, "size"),
        ({"size": "16x16", "model": "gpt-image-2"}, 400, INVALID, "size"),
        ({"size": "99999x99999", "model": "gpt-image-2"}, 400, INVALID, "size"),
        ({"quality": "ultra"}, 400, INVALID, "quality"),
        ({"style": "baroque"}, 400, INVALID, "style"),
        ({"response_format": "xml"}, 400, INVALID, "response_format"),
        ({"output_format": "gif", "model": GPT}, 400, INVALID, "output_format"),
        ({"output_compression": 50, "model": GPT}, 400, INVALID, "output_compression"),
        (
            {"output_compression": 101, "output_format": "webp", "model": GPT},
            400,
            INVALID,
            "output_compression",
        ),
        (
            {"background": "transparent", "output_format": "jpeg", "model": GPT},
            400,
            INVALID,
            "background",
        ),
        ({"background": "transparent"}, 400, UNSUPPORTED, "background"),
        ({"stream": True, "n": 2, "model": GPT}, 400, INVALID, "n"),
        ({"stream": "yes", "model": GPT}, 400, INVALID, "stream"),
        ({"seed": -1, "model": FLUX}, 400, INVALID, "seed"),
        ({"seed": "7", "model": FLUX}, 400, INVALID, "seed"),
        ({"max_cost": 1}, 400, INVALID, "max_cost"),
        ({"max_cost": "a lot"}, 400, INVALID, "max_cost"),
        ({"max_cost": "0.0419"}, 400, "max_cost_exceeded", "max_cost"),
    ],
)
def test_wrong_value_is_refused(changes, status, code, param, tenant):
    body = {"model": MODEL, "prompt": "a cat", **changes}

    answer = tenant.request("POST", GENERATIONS, data=json.dumps(body))

    expect_error(answer, status, code, param)
    expect_nothing_written(tenant)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b'"text"',
        b"7",
        b"[]",
        b'[{"prompt": "a cat"}]',
        b'{"prompt": "a cat"} {}',
        b'{"prompt": "a cat", "n": NaN}',
        b'{"prompt": "a cat", "n": Infinity}',
        b'{"prompt": "a cat", "n": 1e999}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "a cat", "user": "\\udc00\\ud800"}',
        b'{"prompt": "a cat", "\\udfff": 1}',
        b'{"prompt": "\xff\xfe"}',
        b'{"prompt": "\xed\xa0\x80"}',
        b'{"prompt": "a\0b"}',
        b"[" * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"prompt": "a cat", "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a":' * 150_000 + b"1" + b"}" * 150_000,
        b'{"model": "dall-e-3", "prompt": "a cat", "x": ' + b"[" * 500 + b"]" * 500 + b"}",
        b"model=dall-e-3&prompt=a+cat",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_body_that_is_no_json_object_is_refused(data, tenant):
    answer = tenant.request("POST", GENERATIONS, data=data)

    expect_error(answer, 400, "invalid_json")
    expect_nothing_written(tenant)


def test_body_of_two_megabytes_is_too_large(tenant):
    body = json.dumps({"model": MODEL, "prompt": "a cat", "x": "y" * 2_000_000})

    answer = tenant.request("POST", GENERATIONS, data=body)

    expect_error(answer, 413, "request_too_large")
    expect_nothing_written(tenant)


def test_too_large_body_is_refused_before_it_is_sent(tenant, stack):
    address = urlsplit(stack.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    connection.putrequest("POST", GENERATIONS)
    connection.putheader("Authorization", f"Bearer {tenant.key}")
    connection.putheader("Content-Length", "2000000")
    connection.endheaders()

    answer = connection.getresponse()

    assert answer.status == 413
    assert json.loads(answer.read())["error"]["code"] == "request_too_large"
    connection.close()


def chunks(data, size=1_000):
    for start in range(0, len(data), size):
        yield data[start : start + size]


def test_chunked_body_is_read(tenant, stack):
    prompt = new_prompt("chunked")
    body = json.dumps({"model": MODEL, "prompt": prompt, "x": "y" * 5_000}).encode()

    answer = tenant.request("POST", GENERATIONS, data=chunks(body))

    assert answer.status_code == 200, answer.text
    assert len(stack.upstream.calls(prompt)) == 1


def test_chunked_body_over_the_limit_is_too_large(tenant):
    body = json.dumps({"model": MODEL, "prompt": "a cat", "x": "y" * 2_000_000}).encode()

    answer = tenant.request("POST", GENERATIONS, data=chunks(body, 100_000))

    expect_error(answer, 413, "request_too_large")
    expect_nothing_written(tenant)


def test_body_that_ends_early_writes_nothing(tenant, stack):
    address = urlsplit(stack.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    connection.putrequest("POST", GENERATIONS)
    connection.putheader("Authorization", f"Bearer {tenant.key}")
    connection.putheader("Content-Length", "200")
    connection.endheaders(b'{"model": "dall-e-3", "prompt": "a cat"}')
    connection.sock.shutdown(1)

    answer = connection.getresponse()

    assert answer.status == 400
    assert json.loads(answer.read())["error"]["code"] == "invalid_json"
    connection.close()
    expect_nothing_written(tenant)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
def test_json_is_read_whatever_its_declared_type(kind, tenant):
    body = json.dumps({"model": MODEL, "prompt": new_prompt()})

    answer = tenant.request(
        "POST", GENERATIONS, data=body, headers={"Content-Type": kind, "Accept": "text/html"}
    )

    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_idempotency_key_of_wrong_length_is_refused(key, tenant):
    answer = tenant.generate("a cat", headers={"Idempotency-Key": key})

    expect_error(answer, 400, "invalid_value", "Idempotency-Key")
    expect_nothing_written(tenant)


@pytest.mark.parametrize("value", [10**30, -(10**30), 1e308, 0.1, "\0", [[[[{"a": None}]]]], ""])
def test_unknown_parameter_may_hold_anything(value, tenant):
    answer = tenant.generate(new_prompt(), whatever=value)

    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Dropped-Params"] == "whatever"
