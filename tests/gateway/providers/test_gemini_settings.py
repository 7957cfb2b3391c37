"""Vertex AI is a matter of settings: they decide the host, and with it which retirements hold."""

import subprocess
import sys
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from gateway.catalog.registry import catalog, routes_for
from gateway.catalog.types import EndpointInfo
from gateway.providers import registry

ROOT = Path(__file__).parents[3]
SHOW = (
    "import orjson; from config import settings;"
    "print(orjson.dumps([settings.PROVIDER_ENDPOINTS['gemini']['base_url'],"
    " settings.PROVIDER_OPTIONS['gemini']]).decode())"
)
TODAY = date(2026, 11, 21)


def read_by_settings(variables: dict[str, str]) -> tuple[str, dict[str, str]]:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout
    base_url, options = orjson.loads(shown)
    return base_url, options


@pytest.mark.parametrize(
    ("variables", "base_url", "vertex"),
    [
        ({}, "", ""),
        ({"VERTEX": "1"}, "https://aiplatform.googleapis.com", "1"),
        ({"VERTEX_PROJECT": "p"}, "https://us-central1-aiplatform.googleapis.com", "1"),
        (
            {"VERTEX_PROJECT": "p", "VERTEX_LOCATION": "europe-west4"},
            "https://europe-west4-aiplatform.googleapis.com",
            "1",
        ),
        (
            {"VERTEX_PROJECT": "p", "VERTEX_LOCATION": "global"},
            "https://aiplatform.googleapis.com",
            "1",
        ),
        ({"VERTEX_PROJECT": "p", "VERTEX": "0"}, "", ""),
        (
            {"VERTEX_PROJECT": "p", "BASE_URL": "http://127.0.0.1:9/x/"},
            "http://127.0.0.1:9/x",
            "1",
        ),
    ],
)
def test_settings_choose_host_and_protocol(variables: dict[str, str], base_url: str, vertex: str):
    found, options = read_by_settings(
        {f"GEMINI_{name}": value for name, value in variables.items()}
    )

    assert (found, options["vertex"]) == (base_url, vertex)
    assert options["vertex_project"] == variables.get("VERTEX_PROJECT", "")


@pytest.mark.parametrize(
    ("base_url", "served"),
    [
        ("https://generativelanguage.googleapis.com", []),
        ("https://aiplatform.googleapis.com", ["gemini/imagen-4.0-fast-generate-001"]),
        ("https://us-central1-aiplatform.googleapis.com", ["gemini/imagen-4.0-fast-generate-001"]),
    ],
)
def test_retirements_of_the_gemini_api_do_not_hold_on_vertex(base_url: str, served: list[str]):
    model = catalog().find("google/imagen-4-fast")
    assert model is not None
    official = registry.is_official("gemini", urlsplit(base_url).hostname)

    routes = routes_for(
        model,
        today=TODAY,
        endpoints={"gemini": EndpointInfo(official=official)},
        allow_substitution=True,
    )

    assert [route.served_by for route in routes] == served
