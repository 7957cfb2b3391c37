"""Programs written for other gateways run unchanged but for the address and the key."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.compatibility.programs import HERE, run, run_node, run_shell
from tests.documentation.pages import Block, blocks_of
from tests.tenants import GENERATIONS, Tenant

BLOCKS = blocks_of(HERE / "examples.md")
ADDRESS, KEY = "https://gateway.example/v1", "YOUR_API_KEY"
PYTHON_CLIENT = f"""\
from openai import OpenAI
client = OpenAI(base_url="{ADDRESS}", api_key="{KEY}")
"""
NODE_CLIENT = f"""\
import fs from 'node:fs';
import OpenAI from 'openai';
const client = new OpenAI({{ baseURL: '{ADDRESS}', apiKey: '{KEY}' }});
"""
# Models that no upstream of these tests draws; the sandbox draws them for a test key.
SANDBOX_MODELS = {"google/imagen-4"}
MODEL = re.compile(r"""\bmodel"?\s*[:=]\s*["']([^"']+)""")
COUNT = re.compile(r"""\bn"?\s*[:=]\s*(\d)""")
URL = re.compile(r"http://127\.0\.0\.1:\d+/generated-images/[\w/.-]+")


def run_python(code: str, folder: Path, tenant: Tenant) -> str:
    program = folder / "example.py"
    whole = code if "OpenAI(" in code else PYTHON_CLIENT + code
    program.write_text(with_terms(whole, tenant), encoding="utf-8")
    return run([sys.executable, program], folder, {})


def run_typescript(code: str, folder: Path, tenant: Tenant) -> str:
    program = folder / "example.mts"
    program.write_text(with_terms(NODE_CLIENT + code, tenant), encoding="utf-8")
    return run_node(program, folder, {})


def run_bash(code: str, folder: Path, tenant: Tenant) -> str:
    return run_shell(with_terms(code, tenant), folder, {KEY: tenant.key})


def run_json(code: str, _folder: Path, tenant: Tenant) -> str:
    return tenant.request("POST", GENERATIONS, json=json.loads(code)).text


RUNNERS: dict[str, Callable[[str, Path, Tenant], str]] = {
    "python": run_python,
    "typescript": run_typescript,
    "bash": run_bash,
    "json": run_json,
}


def with_terms(code: str, tenant: Tenant) -> str:
    """Put the address and the key in their places; a shell reads its key from a variable."""
    code = code.replace(ADDRESS, f"{tenant.stack.url}/v1")
    return re.sub(rf"(?<!\$){KEY}", tenant.key, code)


def name_of(block: Block) -> str:
    return f"{block.language}-{block.line}"


@pytest.mark.parametrize("block", BLOCKS, ids=name_of)
def test_program_runs_and_its_images_can_be_seen(block, open_tenant, tmp_path):
    model = MODEL.findall(block.code)[0]
    count = int([*COUNT.findall(block.code), "1"][0])
    tenant = open_tenant(livemode=model not in SANDBOX_MODELS)

    printed = RUNNERS[block.language](block.code, tmp_path, tenant)

    (generation,) = tenant.generations()
    assert (generation.status, generation.model) == ("succeeded", model)
    assert len(tenant.artifacts()) == count
    for url in URL.findall(printed):
        assert requests.get(url, timeout=30).status_code == 200
    if "print" in block.code or "console.log" in block.code or block.language in {"bash", "json"}:
        assert len(URL.findall(printed)) == count
    if block.language in {"bash", "json"}:
        expect_both_envelopes(json.loads(printed), model)
    if "image.png" in block.code:
        assert (tmp_path / "image.png").read_bytes().startswith(b"\x89PNG")


def expect_both_envelopes(answer: dict[str, object], model: str) -> None:
    """The answer is OpenAI's, ``created`` and ``data``, and has an id, object and model too."""
    assert isinstance(answer["created"], int)
    assert str(answer["id"]).startswith("req_")
    assert (answer["object"], answer["model"]) == ("list", model)


def test_every_language_is_there():
    assert {block.language for block in BLOCKS} == set(RUNNERS)
    assert len(BLOCKS) == 13
