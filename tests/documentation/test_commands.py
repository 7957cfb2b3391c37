"""Every command of the documentation is run, page by page, on a product started by `make run`."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from embedded.files import read_env_file
from tests.architecture.tree import ROOT
from tests.documentation.commands import ALONE, PAGES, commands_of, is_run, shell_of
from tests.documentation.pages import Block, program_of
from tests.documentation.running import Checkout, checkout, running

pytestmark = [pytest.mark.big, pytest.mark.timeout(1200)]
PAGE_S = 900.0
# What examples show where an id of one's own belongs.
EXAMPLE_ID = re.compile(r"req_[0-9a-f]{32}")
GENERATION = {"model": "fal/flux-1.1-pro", "prompt": "a lighthouse at dusk"}
RUN_PAGES = [page for page in PAGES if any(is_run(block) for block in commands_of(page))]


@dataclass(frozen=True, slots=True)
class Product:
    """The running product, and what stands for the placeholders of pages."""

    here: Checkout
    demo: Mapping[str, str]
    organization_id: str

    def manage(self, *arguments: str) -> dict[str, str]:
        done = self.here.run([".venv/bin/python", "manage.py", *arguments, "--json"], timeout_s=120)
        assert done.returncode == 0, done.stdout
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def generate(self) -> str:
        done = self.here.run(
            [
                *("curl", f"{self.demo['LIENZO_BASE_URL']}/v1/images/generations"),
                *("-H", f"Authorization: Bearer {self.demo['LIENZO_API_KEY']}"),
                *("-d", json.dumps(GENERATION)),
            ],
            timeout_s=120,
        )
        assert done.returncode == 0, done.stdout
        return str(json.loads(done.stdout)["id"])

    def complete(self, text: str) -> str:
        """Put what exists here in place of a page's placeholders."""
        text = re.sub(r"\bORG_ID\b", self.organization_id, text)
        if re.search(r"\bKEY_ID\b", text):
            made = self.manage("create_api_key", self.organization_id)
            text = re.sub(r"\bKEY_ID\b", made["id"], text)
        if re.search(r"\bREQUEST_ID\b", text) or EXAMPLE_ID.search(text):
            generation = self.generate()
            text = re.sub(r"\bREQUEST_ID\b", generation, EXAMPLE_ID.sub(generation, text))
        return text


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with checkout(os.environ) as here, running(["make", "run"], _plain(here)):
        for name, mode in (("lighthouse", "RGB"), ("mask", "RGBA")):
            Image.new(mode, (1024, 1024)).save(here.folder / f"{name}.png")
        product = Product(here, read_env_file(here.var / "demo.env"), "")
        made = product.manage("create_org", "Documentation", "--currency", "MXN")
        product.manage("top_up", made["id"], "1000")
        yield Product(here, product.demo, made["id"])


def _plain(here: Checkout) -> Checkout:
    """The same with the machine's own `make`."""
    return Checkout(here.folder, {**here.environment, "PATH": os.environ["PATH"]})


@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_of_the_page_run(product, page):
    blocks = [block for block in commands_of(page) if is_run(block)]
    shell = [block for block in blocks if block.language != "python"]

    script = product.complete(_script(page, [b for b in shell if b.mark != ALONE]))
    _run(product.here, script, DOCUMENTATION_DATABASE_URL=product.demo["DATABASE_URL"])
    program = program_of(page, "python")
    if program.strip():
        _run_python(product, program)
    for block in shell:
        if block.mark == ALONE:
            with checkout(os.environ) as here:
                _run(here, product.complete(_script(page, [block])))


def _script(page: Path, blocks: list[Block]) -> str:
    """Make one script of a page's blocks, as somebody would type them into one shell."""
    name = page.relative_to(ROOT)
    lines = ["set -e", "trap 'echo \"failed: $LIENZO_PAGE\"' ERR"]
    for block in blocks:
        lines += [f"LIENZO_PAGE={name}:{block.line}", shell_of(block)]
    return "\n".join(lines)


def _run(here: Checkout, script: str, **variables: str) -> None:
    done = here.run(["bash", "-c", script], timeout_s=PAGE_S, **variables)
    assert done.returncode == 0, done.stdout[-6000:]


def _run_python(product: Product, program: str) -> None:
    source = product.here.folder / "program.py"
    source.write_text(program, encoding="utf-8")
    done = product.here.run(["python", str(source)], timeout_s=PAGE_S, **product.demo)
    assert done.returncode == 0, done.stdout[-6000:]
