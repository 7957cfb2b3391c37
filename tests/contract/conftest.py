from collections.abc import Callable, Iterator

import openai
import pytest

from tests.tenants import Tenant

Connect = Callable[..., openai.OpenAI]


@pytest.fixture
def connect(stack) -> Iterator[Connect]:
    """Return the official client of an organization's key; ``how`` are the client's options."""
    opened: list[openai.OpenAI] = []

    def connect(tenant: Tenant, **how) -> openai.OpenAI:
        options = {"api_key": tenant.key, "base_url": f"{stack.url}/v1", "timeout": 60, **how}
        opened.append(openai.OpenAI(**options))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def client(connect: Connect, tenant: Tenant) -> openai.OpenAI:
    return connect(tenant)
