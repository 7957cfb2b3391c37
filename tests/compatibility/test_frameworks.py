"""LangChain's and LiteLLM's image clients, which bring an older version of OpenAI's own.

They have an environment of their own, since their requirements contradict those of the tests.
"""

import base64
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.compatibility.programs import HERE, INSTALL_S, folder_of, installed, run, settings_of
from tests.tenants import Tenant, new_prompt

pytestmark = [pytest.mark.big, pytest.mark.timeout(900)]
REQUIREMENTS = HERE / "frameworks.txt"
PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of an environment with both frameworks, made once."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    name = f"frameworks-{digest[:12]}"
    with installed(name) as part:
        if part is not None:
            run([sys.executable, "-m", "venv", part], HERE, {})
            install = [*PIP, "--no-deps", "-r", str(REQUIREMENTS)]
            run([part / "bin/python", *install], HERE, {}, timeout_s=4 * INSTALL_S)
    return folder_of(name) / "bin/python"


@pytest.fixture
def frameworks(python: Path, tenant: Tenant, tmp_path: Path) -> Callable[..., str]:
    """Run a script of the folder `frameworks` and return the last line that it printed."""

    def frameworks(name: str, prompt: str) -> str:
        variables = {
            **settings_of(tenant),
            "PROMPT": prompt,
            # Else LiteLLM fetches a list of prices at import.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
        }
        script = HERE / "frameworks" / f"{name}.py"
        return run([python, script], tmp_path, variables).strip().splitlines()[-1]

    return frameworks


def sent_by(stack, prompt):
    return [digest for call in stack.upstream.calls(prompt) for digest in call["sha256"]]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_langchains_wrapper_and_tool_give_urls(frameworks, tenant, stack):
    prompt = new_prompt()

    urls = json.loads(frameworks("langchain_images", prompt))

    assert len(urls) == 4
    got = [sha256(requests.get(url, timeout=30).content) for url in urls]
    assert got == sent_by(stack, prompt)
    assert tenant.ledger_findings() == []


def test_litellm_gives_urls_base64_and_its_own_exceptions(frameworks, tenant, stack):
    prompt = new_prompt()

    printed = json.loads(frameworks("litellm_images", prompt))

    images = [requests.get(printed["url"], timeout=30).content]
    images += [base64.b64decode(data) for data in (printed["base64"], *printed["later"])]
    assert [sha256(data) for data in images] == sent_by(stack, prompt)
    assert "size" in printed["mistake"]
    assert len(tenant.generations()) == 3
    assert tenant.ledger_findings() == []
