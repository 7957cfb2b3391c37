import base64
import time
import uuid
from typing import Any

import fal_client
import fal_client.client as fal_internals
import pytest
import requests

from tests.sandbox.conftest import Sandbox
from tests.stack import wait_until

DEV = "fal-ai/flux/dev"
PRO = "fal-ai/flux-pro/v1.1"


@pytest.fixture
def client(sandbox, monkeypatch):
    for name in ("RUN_URL_FORMAT", "QUEUE_URL_FORMAT"):
        monkeypatch.setattr(fal_internals, name, f"{sandbox.url}/fal/")
    return fal_client.SyncClient(key="id:secret")


def submitted(sandbox: Sandbox, endpoint: str, **body: object) -> Any:
    answer = sandbox.fal("POST", endpoint, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def result_of(sandbox: Sandbox, endpoint: str, **body: object) -> requests.Response:
    return sandbox.fal("GET", submitted(sandbox, endpoint, **body)["response_url"])


def test_subscribe_runs_through_the_queue_states(sandbox, client, opened):
    sandbox.configure(fal={"queue_s": 0.15, "run_s": 0.3})
    seen: list[fal_client.Status] = []

    result = client.subscribe(
        PRO,
        {"prompt": "a lone fox", "num_images": 2, "seed": 7},
        with_logs=True,
        interval=0.02,
        on_queue_update=seen.append,
    )

    states = list(dict.fromkeys(type(state).__name__ for state in seen))
    assert states == ["Queued", "InProgress", "Completed"]
    assert result["seed"] == 7
    assert result["prompt"] == "a lone fox"
    assert result["has_nsfw_concepts"] == [False, False]
    files = [requests.get(item["url"]) for item in result["images"]]
    assert [opened(file.content).size for file in files] == [(1024, 768)] * 2
    assert {file.headers["Content-Type"] for file in files} == {"image/jpeg"}
    assert files[0].content != files[1].content
    assert sandbox.calls("a lone fox") == 1


def test_handle_by_id_keeps_owner_and_alias_only(client):
    handle = client.submit(DEV, {"prompt": "a fox"})

    uuid.UUID(handle.request_id)
    assert handle.status_url.endswith(f"/fal/fal-ai/flux/requests/{handle.request_id}/status")
    assert isinstance(client.status(DEV, handle.request_id), fal_client.Completed)
    assert client.result(DEV, handle.request_id)["images"]


def test_pending_job_is_202_and_its_result_400(sandbox):
    job = submitted(sandbox, DEV, prompt="a fox [[hang]]")

    status = sandbox.fal("GET", f"{job['status_url']}?logs=1")
    result = sandbox.fal("GET", job["response_url"])

    assert (status.status_code, status.json()["status"]) == (202, "IN_PROGRESS")
    assert status.json()["logs"][0]["level"] == "INFO"
    assert result.status_code == 400
    assert result.json() == {"detail": "Request is still in progress"}
    assert status.headers["x-fal-request-id"] == job["request_id"]


def test_queued_job_has_a_position_and_can_be_cancelled(sandbox):
    job = submitted(sandbox, DEV, prompt="a fox [[hang=queue]]")

    queued = sandbox.fal("GET", job["status_url"]).json()
    cancelled = sandbox.fal("PUT", job["cancel_url"])
    result = sandbox.fal("GET", job["response_url"])
    again = sandbox.fal("PUT", job["cancel_url"])

    assert (queued["status"], queued["queue_position"]) == ("IN_QUEUE", 0)
    assert cancelled.status_code == 202
    assert cancelled.json() == {"status": "CANCELLATION_REQUESTED"}
    assert result.status_code == 499
    assert (again.status_code, again.json()) == (400, {"status": "ALREADY_COMPLETED"})


def test_running_job_goes_on_after_cancel(sandbox):
    job = submitted(sandbox, DEV, prompt="a fox [[delay=1.5]]")

    cancelled = sandbox.fal("PUT", job["cancel_url"])

    assert cancelled.status_code == 202
    assert sandbox.fal("GET", job["response_url"]).status_code == 400
    wait_until(lambda: sandbox.fal("GET", job["response_url"]).status_code == 200, "it is done")


def test_unknown_job_and_foreign_alias_are_not_found(sandbox):
    job = submitted(sandbox, DEV, prompt="a fox")
    unknown = f"fal-ai/flux/requests/{uuid.uuid4()}"

    cancel = sandbox.fal("PUT", f"{unknown}/cancel")
    foreign = f"fal-ai/flux-pro/requests/{job['request_id']}/status"

    assert (cancel.status_code, cancel.json()) == (404, {"status": "NOT_FOUND"})
    assert sandbox.fal("GET", unknown).status_code == 404
    assert sandbox.fal("GET", foreign).status_code == 404


def test_same_seed_gives_the_same_picture_and_no_seed_a_new_one(sandbox):
    def picture(**body: int) -> bytes:
        answer = result_of(sandbox, DEV, prompt="a fox", **body).json()
        return requests.get(answer["images"][0]["url"]).content

    assert picture(seed=3) == picture(seed=3)
    assert len({picture(), picture(), picture(seed=3), picture(seed=4)}) == 4


@pytest.mark.parametrize(
    ("endpoint", "body", "size", "kind", "units"),
    [
        (PRO, {"image_size": {"width": 1440, "height": 1024}}, (1440, 1024), "JPEG", "2"),
        (PRO, {"image_size": "square_hd", "output_format": "png"}, (1024, 1024), "PNG", "1"),
        ("fal-ai/flux-pro/v1.1-ultra", {}, (2752, 1536), "JPEG", "1"),
        ("fal-ai/flux-pro/v1.1-ultra", {"aspect_ratio": "9:16"}, (1536, 2752), "JPEG", "1"),
        (DEV, {"image_size": "square", "num_images": 2}, (512, 512), "JPEG", "0.5"),
        ("fal-ai/flux/schnell", {"image_size": {}}, (512, 512), "JPEG", "1"),
        ("fal-ai/recraft/v3/text-to-image", {}, (1024, 1024), "WEBP", "1"),
        ("fal-ai/ideogram/v2", {"aspect_ratio": "16:9"}, (1280, 720), "PNG", "1"),
        ("fal-ai/ideogram/v3", {"rendering_speed": "QUALITY"}, (1024, 1024), "PNG", "3"),
        ("fal-ai/stable-diffusion-v35-large", {}, (1024, 768), "JPEG", "1"),
        ("fal-ai/fast-sdxl", {"format": "png"}, (1024, 1024), "PNG", "2.25"),
    ],
)
def test_every_endpoint_draws_its_own_defaults(sandbox, opened, endpoint, body, size, kind, units):
    result = result_of(sandbox, endpoint, prompt="a fox", **body)

    item = result.json()["images"][0]
    image = opened(requests.get(item["url"]).content)
    assert (image.size, image.format) == (size, kind)
    assert result.headers["x-fal-billable-units"] == units
    assert ("width" in item) == ("timings" in result.json())
    assert ("seed" in result.json()) == ("recraft" not in endpoint)


def test_vector_style_is_svg_and_sync_mode_a_data_uri(sandbox, opened):
    vector = result_of(
        sandbox, "fal-ai/recraft/v3/text-to-image", prompt="a < b", style="vector_illustration"
    )
    inline = result_of(sandbox, DEV, prompt="a fox", sync_mode=True, image_size="square")

    drawn = requests.get(vector.json()["images"][0]["url"])
    assert drawn.headers["Content-Type"] == "image/svg+xml"
    assert b"a &lt; b" in drawn.content
    head, _, data = inline.json()["images"][0]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert opened(base64.b64decode(data)).size == (512, 512)


@pytest.mark.parametrize(
    ("endpoint", "body", "loc", "type_"),
    [
        (DEV, {}, ["body", "prompt"], "missing"),
        (DEV, {"prompt": 5}, ["body", "prompt"], "string_type"),
        (DEV, {"prompt": "x", "num_images": 5}, ["body", "num_images"], "less_than_equal"),
        (DEV, {"prompt": "x", "num_images": "two"}, ["body", "num_images"], "int_parsing"),
        (DEV, {"prompt": "x", "image_size": "huge"}, ["body", "image_size"], "literal_error"),
        (
            DEV,
            {"prompt": "x", "image_size": {"width": 0, "height": 9}},
            ["body", "image_size", "width"],
            "greater_than",
        ),
        (
            DEV,
            {"prompt": "x", "image_size": {"width": 14000, "height": 14000}},
            ["body", "image_size"],
            "image_too_large",
        ),
        (
            "fal-ai/ideogram/v2",
            {"prompt": "x", "aspect_ratio": "5:1"},
            ["body", "aspect_ratio"],
            "literal_error",
        ),
        (
            "fal-ai/recraft/v3/text-to-image",
            {"prompt": "x" * 1001},
            ["body", "prompt"],
            "string_too_long",
        ),
        (
            PRO,
            {"prompt": "x", "safety_tolerance": "9"},
            ["body", "safety_tolerance"],
            "literal_error",
        ),
    ],
)
def test_bad_inputs_fail_the_run_with_422(sandbox, endpoint, body, loc, type_):
    job = submitted(sandbox, endpoint, **body)

    status = sandbox.fal("GET", job["status_url"])
    result = sandbox.fal("GET", job["response_url"])

    assert (status.status_code, status.json()["status"]) == (200, "COMPLETED")
    assert status.json()["error_type"] == type_
    assert result.status_code == 422
    detail = result.json()["detail"][0]
    assert (detail["loc"], detail["type"]) == (loc, type_)
    assert result.headers["x-fal-billable-units"] == "0"


def test_official_client_raises_the_run_error(client):
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        client.subscribe(PRO, {"prompt": "a fox [[refuse]]"}, interval=0.02)

    assert caught.value.status_code == 422
    assert caught.value.error_type == "content_policy_violation"


def test_unknown_keys_are_ignored(sandbox):
    assert result_of(sandbox, DEV, prompt="a fox", surprise=1).status_code == 200


def test_keys_and_paths_are_checked(sandbox):
    body = {"prompt": "a fox"}

    bad = sandbox.fal("POST", DEV, body, key="bad:key")
    none = requests.post(f"{sandbox.url}/fal/{DEV}", json=body)
    unknown = sandbox.fal("POST", "fal-ai/nothing", body)
    wrong_path = result_of(sandbox, "fal-ai/flux/nothing", **body)

    assert bad.status_code == 401
    assert bad.json() == {"detail": "No user found for Key ID and Secret"}
    assert none.status_code == 401
    assert "Authentication is required" in none.json()["detail"]
    assert (unknown.status_code, wrong_path.status_code) == (404, 404)
    assert wrong_path.json()["detail"] == "Path /nothing not found"


def test_nsfw_is_a_black_picture_or_a_refusal(sandbox, opened):
    flux = result_of(sandbox, DEV, prompt="a fox [[nsfw]]")
    ideogram = result_of(sandbox, "fal-ai/ideogram/v2", prompt="a fox [[nsfw]]")

    image = opened(requests.get(flux.json()["images"][0]["url"]).content)
    assert flux.json()["has_nsfw_concepts"] == [True]
    assert max(high for _, high in image.getextrema()) == 0
    assert ideogram.status_code == 422
    assert ideogram.json()["detail"][0]["type"] == "content_policy_violation"


@pytest.mark.parametrize(
    ("directive", "status", "error_type", "retryable"),
    [
        ("status=500", 500, "internal_server_error", "true"),
        ("status=502", 502, "runner_incomplete_response", "true"),
        ("status=503", 503, "runner_scheduling_failure", "true"),
        ("status=504", 504, "generation_timeout", "true"),
        ("status=422", 422, "value_error", "false"),
    ],
)
def test_failed_run_is_completed_with_the_error_as_result(
    sandbox, directive, status, error_type, retryable
):
    job = submitted(sandbox, DEV, prompt=f"a fox [[{directive}]]")

    state = sandbox.fal("GET", job["status_url"]).json()
    result = sandbox.fal("GET", job["response_url"])

    assert (state["status"], state["error_type"]) == ("COMPLETED", error_type)
    assert result.status_code == status
    assert result.headers["x-fal-error-type"] == error_type
    assert result.headers["x-fal-retryable"] == retryable


def test_submit_can_fail_at_the_gateway(sandbox):
    limited = "a fox [[status=429;retry_after=2;times=1]]"

    first, second = (sandbox.fal("POST", DEV, {"prompt": limited}) for _ in range(2))
    unfunded = sandbox.fal("POST", DEV, {"prompt": "a fox [[unfunded]]"})
    broken = sandbox.fal("POST", DEV, {"prompt": "a fox [[status=503;at=submit]]"})

    assert (first.status_code, first.headers["retry-after"]) == (429, "2")
    assert second.status_code == 200
    assert unfunded.status_code == 403
    assert unfunded.json()["detail"].startswith("User is locked. Reason: Exhausted balance.")
    assert broken.status_code == 503


def test_polls_can_fail_a_few_times(sandbox):
    job = submitted(sandbox, DEV, prompt="a fox [[status=500;at=status;times=2]]")

    polls = [sandbox.fal("GET", job["status_url"]).status_code for _ in range(3)]

    assert polls == [500, 500, 200]


@pytest.mark.parametrize("damage", ["corrupt", "corrupt=truncate", "corrupt=html"])
def test_corrupt_files_do_not_decode(sandbox, opened, damage):
    result = result_of(sandbox, DEV, prompt=f"a fox [[{damage}]]").json()

    with pytest.raises((OSError, SyntaxError)):
        opened(requests.get(result["images"][0]["url"]).content)


def test_wrong_size_and_empty_differ_from_what_was_asked(sandbox, opened):
    wrong = result_of(sandbox, DEV, prompt="a fox [[wrong_size]]").json()["images"][0]
    empty = result_of(sandbox, DEV, prompt="a fox [[empty]]").json()

    assert (wrong["width"], wrong["height"]) == (1024, 768)
    assert opened(requests.get(wrong["url"]).content).size == (520, 384)
    assert empty["images"] == []


def test_files_can_fail_and_drip(sandbox):
    failing = result_of(sandbox, DEV, prompt="a fox [[file_status=404]]").json()
    dripping = result_of(sandbox, DEV, prompt="a fox [[drip]]").json()

    started = time.monotonic()
    download = requests.get(dripping["images"][0]["url"], stream=True, timeout=30)
    head = download.raw.read(2)
    download.close()
    assert requests.get(failing["images"][0]["url"]).status_code == 404
    assert head == b"\xff\xd8"
    assert time.monotonic() - started >= 0.5


def test_every_step_can_hang(sandbox):
    with pytest.raises(requests.ReadTimeout):
        sandbox.fal("POST", DEV, {"prompt": "a fox [[hang=submit]]"}, timeout=0.3)
    polled = submitted(sandbox, DEV, prompt="a fox [[hang=status]]")
    with pytest.raises(requests.ReadTimeout):
        sandbox.fal("GET", polled["status_url"], timeout=0.3)
    read = submitted(sandbox, DEV, prompt="a fox [[hang=result]]")
    with pytest.raises(requests.ReadTimeout):
        sandbox.fal("GET", read["response_url"], timeout=0.3)


def test_status_stream_ends_when_the_job_is_done(sandbox):
    job = submitted(sandbox, DEV, prompt="a fox [[delay=0.2]]")

    frames = sandbox.fal("GET", f"{job['status_url']}/stream").text.strip().split("\n\n")

    assert len(frames) >= 2
    assert '"COMPLETED"' in frames[-1]
