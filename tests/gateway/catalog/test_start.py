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
from gateway.catalog.sizes import ListedSizes, named_sizes

ROOT = Path(__file__).parents[3]
PLANT = """
from dataclasses import replace
from gateway.catalog import ideogram, prices
from gateway.catalog.costs import PerImage, flat
from gateway.catalog.sizes import ListedSizes

NAME = "ideogram-v2-turbo"
MODELS = ideogram.models()
[ROUTE] = next(model.routes for model in MODELS if model.id == NAME)

def plant(**changes):
    ideogram.models = lambda: [replace(model, **changes) for model in MODELS if model.id == NAME]
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
        ("del prices.FLAT[NAME]", "has no price at 1024x1024"),
        ("prices.FLAT[NAME] = ('0', 'test')", "has no price at 1024x1024"),
        ("plant(routes=())", "has no route"),
        ("plant(sizes=ListedSizes(()))", "does not offer its default size"),
        (
            "plant(routes=(replace(ROUTE, image_cost=flat('1')),))",
            "by ideogram/V_2_TURBO: 1024x1024 costs up to 1 USD and sells for 0.0525 USD",
        ),
        (
            "plant(routes=(replace(ROUTE, image_cost=PerImage({})),))",
            "by ideogram/V_2_TURBO: 1024x1024 has no known cost",
        ),
    ],
)
def test_model_without_price_sizes_route_or_margin_stops_the_start(fault: str, finding: str):
    process = start(fault)

    assert process.returncode != 0
    assert "started" not in process.stdout
    assert "CatalogError" in process.stderr
    assert f"ideogram-v2-turbo {finding}" in process.stderr


def test_every_finding_is_named():
    model = catalog().find("ideogram-v2-turbo")
    assert model is not None
    small = replace(model.routes[0], upstream_model="small", sizing=named_sizes("512x512"))
    dear = replace(small, upstream_model="dear", sizing=named_sizes("1024x1024"))
    dear = replace(dear, image_cost=flat("0.06"))
    sizes = ListedSizes.of("1024x1024", "2048x2048")

    with pytest.raises(CatalogError) as raised:
        require_sound(Catalog([replace(model, sizes=sizes, routes=(small, dear))]))

    findings = str(raised.value).splitlines()[1:]
    assert "ideogram-v2-turbo by ideogram/small: cannot reach 2048x2048" in findings
    assert "ideogram-v2-turbo by ideogram/dear: cannot reach 2048x2048" in findings
    assert (
        "ideogram-v2-turbo by ideogram/dear: 1024x1024 costs up to 0.06 USD"
        " and sells for 0.0525 USD"
    ) in findings


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
    model = catalog().find("ideogram-v2-turbo")
    assert model is not None

    with pytest.raises(CatalogError, match="ideogram-v2-turbo"):
        Catalog([replace(model, **changes)])  # type: ignore[arg-type]


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
