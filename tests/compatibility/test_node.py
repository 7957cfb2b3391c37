"""The official Node client, by changing its base URL and key."""

import base64
import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from PIL import Image

from tests.compatibility.programs import HERE
from tests.stack import wait_until
from tests.tenants import new_prompt


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def download(url):
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200
    return answer.content


def test_images_by_url_in_base64_and_two_at_once(node, tenant, stack):
    prompt = new_prompt()

    printed = json.loads(node("generate", PROMPT=prompt))

    images = [download(printed["url"]), base64.b64decode(printed["base64"])]
    images += [download(url) for url in printed["two"]]
    calls = stack.upstream.calls(prompt)
    assert [sha256(data) for data in images] == [one for call in calls for one in call["sha256"]]
    assert Image.open(io.BytesIO(images[0])).size == (1024, 768)
    assert printed["revised"] == f"Revised: {prompt}"
    assert printed["requestId"].startswith("req_")
    assert printed["cost"] == "0.042"
    assert tenant.balance() == ("9.874", "0.00")


@pytest.fixture
def failures(node, open_tenant, stack):
    failing = new_prompt("failing")
    stack.upstream.rule(failing, status=500)
    poor = open_tenant(amount="0")
    return json.loads(node("errors", PROMPT=new_prompt(), FAILING=failing, POOR_KEY=poor.key))


def test_mistakes_are_the_exceptions_that_programs_catch(failures):
    assert all(one["requestID"].startswith("req_") for one in failures.values())
    fields = ("name", "status", "type", "param", "code", "sent")
    told = {mistake: tuple(one[name] for name in fields) for mistake, one in failures.items()}
    bad, wrong = ("BadRequestError", 400, "invalid_request_error"), "invalid_value"
    assert told == {
        "size": (*bad, "size", wrong, 1),
        "prompt": (*bad, "prompt", "missing_required_parameter", 1),
        "model": ("NotFoundError", 404, "not_found_error", "model", "model_not_found", 1),
        "path": ("NotFoundError", 404, "not_found_error", None, "not_found", 1),
        "reuse": ("ConflictError", 409, "conflict_error", None, "idempotency_key_reused", 1),
        "money": ("APIError", 402, "billing_error", None, "insufficient_balance", 1),
        "key": ("AuthenticationError", 401, "authentication_error", None, "invalid_api_key", 1),
        "upstream": ("InternalServerError", 503, "api_error", None, "provider_unavailable", 1),
    }


def test_retry_of_its_own_gets_the_running_image_and_pays_once(node, tenant, stack):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    with ThreadPoolExecutor(1) as pool:
        script = pool.submit(node, "retry", PROMPT=prompt)
        stack.upstream.wait_for_call(prompt)
        first = tenant.generations()[0].connection_id
        wait_until(lambda: tenant.generations()[0].connection_id != first, "a retry has come")
        stack.upstream.release(prompt)
        printed = json.loads(script.result())

    (call,) = stack.upstream.calls(prompt)
    assert [sha256(download(printed["url"]))] == call["sha256"]
    assert printed["replayed"] == "true"
    assert tenant.balance() == ("9.958", "0.00")


def test_three_partial_images_and_the_image_are_saved(node, tenant, stack, tmp_path):
    prompt = new_prompt()

    printed = json.loads(node("stream", PROMPT=prompt))

    names = ("partial-0.png", "partial-1.png", "partial-2.png", "image.png")
    saved = [(tmp_path / name).read_bytes() for name in names]
    for data in saved:
        image = Image.open(io.BytesIO(data))
        image.load()
        assert image.size == (1024, 1024)
    (call,) = stack.upstream.calls(prompt)
    sent = [digest for digest, _ in call["partials"]] + call["sha256"]
    assert [sha256(data) for data in saved] == sent
    assert printed["usage"]["total_tokens"] == 1368
    assert (printed["size"], printed["quality"]) == ("1024x1024", "medium")
    assert tenant.balance() == ("9.8005", "0.00")


def test_models_are_listed_and_retrieved_by_ids_with_a_slash(node):
    printed = json.loads(node("models"))

    assert {"fal/flux-1.1-pro", "openai/gpt-image-1", "dall-e-3"} <= set(printed["listed"])
    ids = ["fal/flux-1.1-pro", "openai/gpt-image-1", "dall-e-3"]
    assert printed["retrieved"] == [[name, "model"] for name in ids]


def test_lock_file_has_hashes_and_no_addresses():
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]

    del packages[""]
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())
    assert "node_modules/openai" in packages
