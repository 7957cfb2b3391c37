"""curl alone, as from a shell: what is sent, and what comes back on the wire."""

import base64
import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.stack import wait_until
from tests.tenants import GENERATIONS, TIMEOUT_S, Tenant, new_prompt

Curl = Callable[..., tuple[str, dict[str, str], str]]


@pytest.fixture
def curl(tenant: Tenant, tmp_path: Path) -> Curl:
    """Run curl with the key; return the status line, the headers in lower case, and the body."""

    def curl(path: str, *options: str, **body: Any) -> tuple[str, dict[str, str], str]:
        command = ["curl", "-sS", "-D", "headers", f"{tenant.stack.url}{path}", *options]
        command += ["-H", f"Authorization: Bearer {tenant.key}"]
        if body:
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, check=True, timeout=TIMEOUT_S
        )
        status, *lines = (tmp_path / "headers").read_text().strip().splitlines()
        pairs = (line.split(": ", 1) for line in lines)
        return status, {name.lower(): value for name, value in pairs}, done.stdout.decode()

    return curl


def test_image_is_generated_and_downloaded(curl, tmp_path):
    status, headers, text = curl(GENERATIONS, model="dall-e-3", prompt=new_prompt())

    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"] == "application/json"
    assert int(headers["content-length"]) == len(text.encode())
    answer = json.loads(text)
    assert headers["x-generation-id"] == answer["id"]
    subprocess.run(["curl", "-sSfO", answer["data"][0]["url"]], cwd=tmp_path, check=True)
    with Image.open(tmp_path / "0.png") as image:
        image.load()


def test_events_of_a_stream_are_as_openai_sends_them(curl, tenant):
    status, headers, text = curl(
        GENERATIONS, "-N", model="gpt-image-1", prompt=new_prompt(), stream=True, partial_images=3
    )

    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"].startswith("text/event-stream")
    events = [block.splitlines() for block in text.strip().split("\n\n") if block[0] != ":"]
    assert all(len(lines) == 2 for lines in events)
    partial, completed = "image_generation.partial_image", "image_generation.completed"
    assert [name for name, _ in events] == [f"event: {kind}" for kind in [partial] * 3] + [
        f"event: {completed}"
    ]
    described = {"type", "b64_json", "created_at", "size", "quality", "background", "output_format"}
    read = [json.loads(data.removeprefix("data: ")) for _, data in events]
    for index, event in enumerate(read[:3]):
        assert set(event) == described | {"partial_image_index"}
        assert event["partial_image_index"] == index
    assert set(read[3]) >= described | {"usage"}
    assert [event["type"] for event in read] == [partial] * 3 + [completed]
    assert all(base64.b64decode(event["b64_json"]).startswith(b"\x89PNG") for event in read)
    assert "[DONE]" not in text
    assert tenant.balance() == ("9.8005", "0.00")


def test_request_is_answered_at_once_and_looked_up(curl, tenant):
    status, headers, text = curl(
        GENERATIONS, "-H", "Prefer: respond-async", model="dall-e-3", prompt=new_prompt()
    )

    assert status == "HTTP/1.1 202 Accepted"
    accepted = json.loads(text)
    assert headers["location"].endswith(f"{GENERATIONS}/{accepted['id']}")
    assert accepted["status"] in {"queued", "running"}

    def ended():
        body = json.loads(curl(f"{GENERATIONS}/{accepted['id']}")[2])
        return body["status"] == "succeeded" and body

    assert len(wait_until(ended, "the generation")["data"]) == 1


def test_quote_is_what_the_image_then_costs(curl):
    wanted = {"model": "gpt-image-2", "prompt": new_prompt(), "quality": "low"}

    _, _, text = curl("/v1/images/quotes", **wanted)
    quote = json.loads(text)
    status, headers, _ = curl(GENERATIONS, quote_id=quote["id"], **wanted)

    assert quote["object"] == "quote"
    assert status == "HTTP/1.1 200 OK"
    assert headers["x-cost"] == quote["amount"]
    assert headers["x-cost-currency"] == quote["currency"] == "USD"


def test_usage_is_a_table(curl):
    for model in ("dall-e-3", "dall-e-2"):
        curl(GENERATIONS, model=model, prompt=new_prompt())

    status, headers, text = curl("/v1/usage?group_by=model&format=csv")

    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    told = {(row["model"], row["images"], row["amount"], row["currency"]) for row in rows}
    assert told == {("dall-e-3", "1", "0.042", "USD"), ("dall-e-2", "1", "0.021", "USD")}


def test_webhook_is_made_with_a_secret(curl, stack):
    port = stack.receiver.getsockname()[1]

    status, _, text = curl(
        "/v1/webhooks", url=f"http://127.0.0.1:{port}/hook", events=["generation.succeeded"]
    )

    assert status == "HTTP/1.1 201 Created"
    assert json.loads(text)["secret"].startswith("whsec_")


def test_mistake_is_told_in_openais_envelope(curl):
    status, headers, text = curl(GENERATIONS, "-d", "{not json")

    assert status == "HTTP/1.1 400 Bad Request"
    assert headers["x-should-retry"] == "false"
    assert headers["x-request-id"].startswith("req_")
    error = json.loads(text)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_json")
