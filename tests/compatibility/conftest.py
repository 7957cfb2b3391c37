from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

from tests.compatibility.programs import HERE, run_node, settings_of
from tests.tenants import Tenant


@pytest.fixture
def client(stack, tenant: Tenant) -> Iterator[openai.OpenAI]:
    """The official Python client, as its users make it."""
    with openai.OpenAI(api_key=tenant.key, base_url=f"{stack.url}/v1", timeout=60) as client:
        yield client


@pytest.fixture
def node(tenant: Tenant, tmp_path: Path) -> Callable[..., str]:
    """Run a script of the folder `node` for the tenant and return what it printed."""

    def node(name: str, **variables: str) -> str:
        script = HERE / "node" / f"{name}.mjs"
        return run_node(script, tmp_path, {**settings_of(tenant), **variables})

    return node
