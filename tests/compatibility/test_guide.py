"""The guide for users of clients: its programs do what it says."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from tests.architecture.tree import DOCS
from tests.compatibility.programs import run, run_node, run_shell, settings_of
from tests.documentation.pages import program_of
from tests.tenants import Tenant

GUIDE = DOCS / "clients.md"
NAMES = {
    "ferry.png",
    "snow.png",
    *(f"ferry-{n}.png" for n in range(3)),
    *(f"harbor-{n}.png" for n in range(2)),
}


@pytest.fixture
def rich(open_tenant) -> Tenant:
    tenant: Tenant = open_tenant(amount="100")
    return tenant


def expect_generations(tenant: Tenant, *models: str) -> None:
    rows = tenant.generations()
    assert {row.status for row in rows} == {"succeeded"}
    assert Counter(row.model for row in rows) == Counter(models)
    assert tenant.ledger_findings() == []


def expect_images(folder: Path) -> None:
    saved = {path.name: path for path in folder.glob("*.png")}
    assert set(saved) == NAMES
    for path in saved.values():
        with Image.open(path) as image:
            image.load()
            assert image.size == (1024, 1024)


ALL = ("fal/flux-1.1-pro", *("gpt-image-1",) * 3, "dall-e-3", "gpt-image-1")


def test_python_of_the_guide_runs(rich, stack, tmp_path):
    program = tmp_path / "guide.py"
    program.write_text(program_of(GUIDE, "python"), encoding="utf-8")

    printed = run([sys.executable, program], tmp_path, settings_of(rich)).splitlines()

    assert printed[0].startswith(stack.url)
    assert printed[1].startswith("succeeded {'amount': '0.042'")
    assert printed[2].endswith(" USD")
    assert printed[3].startswith("invalid_value size req_")
    expect_images(tmp_path)
    expect_generations(rich, *ALL)


def test_typescript_of_the_guide_runs(rich, stack, tmp_path):
    program = tmp_path / "guide.mts"
    program.write_text(program_of(GUIDE, "ts"), encoding="utf-8")

    printed = run_node(program, tmp_path, settings_of(rich)).splitlines()

    assert printed[0].startswith(stack.url)
    assert printed[1].startswith("succeeded { amount: '0.042'")
    assert printed[-1].startswith("invalid_value size req_")
    expect_images(tmp_path)
    expect_generations(rich, *ALL)


def test_curl_of_the_guide_runs(rich, tmp_path):
    (tmp_path / ".curlrc").write_text("fail\nsilent\nshow-error\n")
    settings = {**settings_of(rich), "CURL_HOME": str(tmp_path)}
    demo = tmp_path / "var" / "demo.env"
    demo.parent.mkdir()
    demo.write_text(os.linesep.join(f"{name}={value}" for name, value in settings.items()))

    printed = run_shell(program_of(GUIDE, "sh"), tmp_path, {"CURL_HOME": str(tmp_path)})

    assert printed.count("event: image_generation.partial_image\n") == 3
    assert printed.count("event: image_generation.completed\n") == 1
    assert '"object":"quote"' in printed
    *_, header, first, second, third = printed.strip().splitlines()
    assert {"model", "amount"} <= set(header.split(","))
    assert len({first, second, third}) == 3
    expect_generations(rich, "fal/flux-1.1-pro", "gpt-image-1", "dall-e-3")
