"""No process starts with a catalog that cannot be served."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.catalog.check import require_sound
from gateway.catalog.costs import flat
from gateway.catalog.registry import Catalog, CatalogError, catalog
from gateway.catalog.sizes import named_sizes

ROOT = Path(__file__).parents[3]
PLANT = """
from dataclasses import replace
from gateway.catalog import bfl, prices
from gateway.catalog.costs import PerImage, flat
from gateway.catalog.sizes import ListedSizes

def plant(**changes):
    models = bfl.models()
    bfl.models = lambda: [replace(model, **changes) for model in models if model.id == "flux-dev"]

def plant_cost(cost):
    routes = next(model.routes for model in bfl.models() if model.id == "flux-dev")
    plant(routes=(replace(routes[0], image_cost=cost),))
"""
START = "import django; django.setup(); print('started')"


def start(fault: str) -> subprocess.CompletedProcess[str]:
    """Start as every program does, after a fault was planted."""
    return subprocess.run(
        [sys.executable, "-c", f"{PLANT}\n{fault}\n{START}"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_sound_catalog_starts():
    require_sound()

    process = start("")

    assert (process.returncode, process.stdout) == (0, "started\n"), process.stderr


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        ("del prices.FLAT['flux-dev']", "flux-dev has no price at 1024x1024"),
        ("prices.FLAT['flux-dev'] = ('0', 'test')", "flux-dev has no price at 1024x1024"),
        ("plant(routes=())", "flux-dev has no route"),
        ("plant(sizes=ListedSizes(()))", "flux-dev does not offer its default size"),
        ("plant_cost(flat('1'))", "flux-dev by bfl/flux-dev: 1024x1024 costs up to 1 USD"),
        ("plant_cost(PerImage({}))", "flux-dev by bfl/flux-dev: 1024x1024 has no known cost"),
    ],
)
def test_model_without_price_sizes_route_or_margin_stops_the_start(fault: str, finding: str):
    process = start(fault)

    assert process.returncode != 0
    assert "started" not in process.stdout
    assert "CatalogError" in process.stderr
    assert finding in process.stderr


def test_every_finding_is_named():
    flux = catalog().find("flux-dev")
    assert flux is not None
    small, dear = (
        replace(flux.routes[0], sizing=named_sizes("512x512")),
        replace(flux.routes[1], image_cost=flat("0.03")),
    )

    with pytest.raises(CatalogError) as raised:
        require_sound(Catalog([replace(flux, routes=(small, dear))]))

    assert str(raised.value).splitlines()[1:] == [
        "flux-dev by bfl/flux-dev: cannot reach 1024x1024",
        "flux-dev by bfl/flux-dev: cannot reach 1024x768",
        "flux-dev by fal/fal-ai/flux/dev: 1024x1024 costs up to 0.03 USD and sells for 0.02625 USD",
        "flux-dev by fal/fal-ai/flux/dev: 1024x768 costs up to 0.03 USD and sells for 0.02625 USD",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"max_n": 0},
        {"prompt_limit": 0},
        {"p50_s": 0},
        {"p95_s": 1},
        {"qualities": ("low",)},
        {"default_quality": "low"},
        {"quality_aliases": {"hd": "high"}},
    ],
)
def test_model_that_contradicts_itself_is_refused(changes: dict[str, object]):
    flux = catalog().find("flux-dev")
    assert flux is not None

    with pytest.raises(CatalogError, match="flux-dev"):
        Catalog([replace(flux, **changes)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fault", ["twice", "substitute first", "unsourced", "no image", "quality not named"]
)
def test_route_that_cannot_be_used_is_refused(fault: str):
    model = catalog().find("fal/ideogram-v3")
    assert model is not None
    first, second = model.routes
    routes = {
        "twice": (first, first),
        "substitute first": (replace(first, substitute=True), second),
        "unsourced": (replace(first, cost_source=""), second),
        "no image": (replace(first, max_n_per_call=0), second),
        "quality not named": (replace(first, qualities={"low": "TURBO"}), second),
    }

    Catalog([model])
    with pytest.raises(CatalogError, match="fal/ideogram-v3"):
        Catalog([replace(model, routes=routes[fault])])
