import time
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import Sandbox

EMPTY = {"result": None, "progress": None, "details": None, "preview": None}


@pytest.fixture
def bfl(sandbox: Sandbox):
    """The sandbox with tasks that end at once."""
    sandbox.configure(bfl={"queue_s": 0, "run_s": 0})
    return sandbox


def submit(
    sandbox: Sandbox, model: str = "flux-pro-1.1", *, key: str = "k", **body: object
) -> requests.Response:
    url = f"{sandbox.url}/bfl/v1/{model}"
    return requests.post(url, json=body, headers={"x-key": key}, timeout=10)


def poll(sandbox: Sandbox, task_id: str) -> requests.Response:
    return requests.get(
        f"{sandbox.url}/bfl/v1/get_result",
        params={"id": task_id},
        headers={"x-key": "k"},
        timeout=10,
    )


def state_of(sandbox: Sandbox, prompt: str, **body: Any) -> Any:
    ticket = submit(sandbox, prompt=prompt, **body).json()
    return poll(sandbox, ticket["id"]).json()


@pytest.mark.parametrize(
    ("model", "fields", "size", "kind", "cost"),
    [
        ("flux-pro-1.1", {}, (1024, 768), "JPEG", 4.0),
        ("flux-dev", {"width": 256, "height": 512, "output_format": "png"}, (256, 512), "PNG", 2.5),
        ("flux-pro-1.1-ultra", {"aspect_ratio": "1:1"}, (2048, 2048), "JPEG", 6.0),
        ("flux-pro-1.1-ultra", {"aspect_ratio": "2:1"}, (2912, 1440), "JPEG", 6.0),
        ("flux-2-pro", {}, (1024, 1024), "JPEG", 3.0),
        ("flux-2-max", {"width": 1536, "height": 1024}, (1536, 1024), "JPEG", 10.0),
        ("flux-2-klein-4b", {"width": 2048, "height": 2048}, (2048, 2048), "JPEG", 1.7),
    ],
)
def test_task_ends_with_a_picture(bfl: Sandbox, opened, model, fields, size, kind, cost):
    answer = submit(bfl, model, prompt="a cat", seed=7, **fields)
    ticket = answer.json()
    state = requests.get(ticket["polling_url"], headers={"x-key": "k"}, timeout=10).json()

    image = opened(requests.get(state["result"]["sample"], timeout=10).content)
    assert answer.status_code == 200
    assert (image.size, image.format) == (size, kind)
    assert (ticket["cost"], ticket["input_mp"]) == (cost, 0)
    assert ticket["output_mp"] == round(size[0] * size[1] / 1e6, 2)
    assert (state["id"], state["status"]) == (ticket["id"], "Ready")
    assert (state["result"]["prompt"], state["result"]["seed"]) == ("a cat", 7)


def test_task_is_pending_until_its_run_is_over(sandbox: Sandbox):
    ticket = submit(sandbox, prompt="a cat [[queue=0.1]] [[delay=1.5]]").json()
    first = poll(sandbox, ticket["id"])
    deadline = time.monotonic() + 30
    words = [first.json()["status"]]
    while words[-1] == "Pending" and time.monotonic() < deadline:
        words.append(poll(sandbox, ticket["id"]).json()["status"])

    assert (first.status_code, first.json()) == (
        200,
        {"id": ticket["id"], "status": "Pending", **EMPTY},
    )
    assert words[-1] == "Ready"


def test_result_is_the_same_until_it_expires(bfl: Sandbox):
    ticket = submit(bfl, prompt="a cat [[expired;times=1]]").json()
    urls = [poll(bfl, ticket["id"]).json()["result"]["sample"] for _ in range(3)]

    assert [requests.get(url, timeout=10).status_code for url in urls] == [403, 200, 200]
    assert urls[1] == urls[2]
    assert requests.get(urls[1].partition("?")[0], timeout=10).status_code == 403


@pytest.mark.parametrize(
    ("directive", "status", "details"),
    [
        ("[[refuse]]", "Request Moderated", {"Moderation Reasons": ["Safety Filter"]}),
        (
            "[[refuse=output]]",
            "Content Moderated",
            {"Moderation Reasons": ["Derivative Works Filter"]},
        ),
        (
            "[[nsfw]]",
            "Content Moderated",
            {"Moderation Reasons": ["Derivative Works Filter"]},
        ),
        ("[[status=500]]", "Error", None),
        ("[[empty]]", "Ready", None),
    ],
)
def test_task_that_ends_without_a_picture_says_so_with_200(bfl, directive, status, details):
    state = state_of(bfl, f"a cat {directive}")

    assert {**state, "id": ""} == {"id": "", "status": status, **EMPTY, "details": details}


@pytest.mark.parametrize(
    ("directive", "status", "detail"),
    [
        ("[[unfunded]]", 402, "Insufficient credits"),
        ("[[status=403]]", 403, "Not authenticated"),
        ("[[status=429;retry_after=3]]", 429, "Too many active tasks"),
        ("[[status=503;at=submit]]", 503, "Service Unavailable"),
    ],
)
def test_submit_fails_on_request(bfl: Sandbox, directive, status, detail):
    answer = submit(bfl, prompt=f"a cat {directive}")

    assert (answer.status_code, answer.json()) == (status, {"detail": detail})
    assert answer.headers.get("retry-after") == ("3" if "retry_after" in directive else None)


@pytest.mark.parametrize(
    ("model", "fields", "field", "kind"),
    [
        ("flux-pro-1.1", {"prompt": None}, "prompt", "missing"),
        ("flux-pro-1.1", {"prompt": 7}, "prompt", "string_type"),
        ("flux-pro-1.1", {"width": 1000}, "width", "multiple_of"),
        ("flux-pro-1.1", {"width": 1472}, "width", "less_than_equal"),
        ("flux-pro-1.1", {"height": 128}, "height", "greater_than_equal"),
        ("flux-pro-1.1", {"height": "512"}, "height", "int_type"),
        ("flux-pro-1.1", {"safety_tolerance": 7}, "safety_tolerance", "less_than_equal"),
        ("flux-pro-1.1", {"output_format": "webp"}, "output_format", "enum"),
        ("flux-pro-1.1", {"prompt_upsampling": "yes"}, "prompt_upsampling", "bool_type"),
        ("flux-pro-1.1-ultra", {"aspect_ratio": "22:9"}, "aspect_ratio", "value_error"),
        ("flux-2-pro", {"safety_tolerance": 6}, "safety_tolerance", "less_than_equal"),
        ("flux-2-flex", {"guidance": 1}, "guidance", "greater_than_equal"),
    ],
)
def test_wrong_value_is_refused_as_fastapi_does(bfl: Sandbox, model, fields, field, kind):
    answer = submit(bfl, model, **{"prompt": "a cat", **fields})

    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert (problem["loc"], problem["type"]) == (["body", field], kind)


def test_flux_2_draws_at_most_four_megapixels(bfl: Sandbox):
    answer = submit(bfl, "flux-2-pro", prompt="a cat", width=2064, height=2048)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "value_error"


@pytest.mark.parametrize(("model", "status"), [("flux-9", 404), ("get_result", 405)])
def test_unknown_paths_are_refused(bfl: Sandbox, model: str, status: int):
    assert submit(bfl, model, prompt="a cat").status_code == status


def test_unknown_task_is_not_found(bfl: Sandbox):
    answer = poll(bfl, "nobody")

    assert answer.status_code == 404
    assert answer.json() == {"id": "nobody", "status": "Task not found", **EMPTY}


@pytest.mark.parametrize("key", ["", "bad-key"])
def test_key_is_needed(bfl: Sandbox, key: str):
    answer = submit(bfl, prompt="a cat", key=key)

    assert (answer.status_code, answer.json()) == (403, {"detail": "Not authenticated"})


def test_body_that_is_not_json_is_refused(bfl: Sandbox):
    url = f"{bfl.url}/bfl/v1/flux-dev"

    assert requests.post(url, data=b"{", headers={"x-key": "k"}, timeout=10).status_code == 422


def test_active_tasks_are_limited_by_key(sandbox: Sandbox):
    sandbox.configure(bfl={"in_flight": 2, "run_s": 30})
    statuses = [submit(sandbox, prompt=f"limited {n}").status_code for n in range(3)]

    assert statuses == [200, 200, 429]
    assert submit(sandbox, prompt="limited 4", key="other").status_code == 200


def test_polls_fail_and_recover(bfl: Sandbox):
    ticket = submit(bfl, prompt="a cat [[status=503;at=status;times=2]]").json()

    assert [poll(bfl, ticket["id"]).status_code for _ in range(3)] == [503, 503, 200]


def test_seed_decides_the_picture(bfl: Sandbox):
    def drawn(**fields: object) -> bytes:
        url = state_of(bfl, "a fixed cat", width=256, height=256, **fields)["result"]["sample"]
        return requests.get(url, timeout=10).content

    assert drawn(seed=7) == drawn(seed=7)
    assert drawn() != drawn()


def test_submits_are_logged_and_polls_apart(bfl: Sandbox):
    state_of(bfl, "a logged bfl cat")

    assert bfl.calls("logged bfl", provider="bfl") == 1
    assert bfl.calls("logged bfl", operation="status") == 1
