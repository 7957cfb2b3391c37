"""Requests that make every process log, each with something that no log may have."""

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

from django.db import connection

from tests.stack import Stack, wait_until
from tests.tenants import Tenant
from tests.upstream import OPENAI_KEY

PROCESSES = ("web", "worker", "sweeper", "dispatcher")
# What the database refuses to write, which it then says with the whole row.
_UNWRITABLE = {
    "gateway_generation": "parameters ->> 'prompt' NOT LIKE '%UNWRITABLE%'",
    "gateway_attempt": "error_message NOT LIKE '%UNRECORDABLE%'",
    "gateway_quote": "false",
}


def odd_prompt(mark: str, word: str = "") -> str:
    return f'{mark} "{word}" \\ fox\n\tunder 🌙 {{"a": [1, \'b\']}} lz_sk_live_{mark}'


def misbehave(tenant: Tenant) -> list[str]:
    """Make requests that are refused, fail and crash; return texts that must not be logged."""
    stack = tenant.stack
    mark = f"hush{uuid4().hex}"
    with refusing_rows(stack):
        _fail_upstream(tenant, mark)
        assert tenant.generate(odd_prompt(mark, "UNWRITABLE")).status_code == 500
        quote = {"model": "openai/dall-e-3", "prompt": odd_prompt(mark)}
        assert tenant.request("POST", "/v1/images/quotes", json=quote).status_code == 500
    _call_wrongly(tenant, mark)
    return [mark, tenant.key, OPENAI_KEY, stack.environment["SECRET_KEY"]]


def logs_of(stack: Stack, since: dict[str, int]) -> dict[str, list[str]]:
    """Return the lines of each process of the product since then."""
    return {
        name: [line for line in stack.log_lines(name, since) if line.strip()] for name in PROCESSES
    }


@contextlib.contextmanager
def refusing_rows(stack: Stack) -> Iterator[None]:
    with stack.database(), connection.cursor() as cursor:
        for table, condition in _UNWRITABLE.items():
            cursor.execute(
                f"ALTER TABLE {table} ADD CONSTRAINT test_refused CHECK ({condition}) NOT VALID"
            )
    try:
        yield
    finally:
        with stack.database(), connection.cursor() as cursor:
            for table in _UNWRITABLE:
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT test_refused")


def _fail_upstream(tenant: Tenant, mark: str) -> None:
    """Have the provider repeat the prompt and its key: with a refusal, an error and a bad key."""
    for number, (status, word) in enumerate(((400, ""), (422, "UNRECORDABLE"), (401, ""))):
        prompt = odd_prompt(f"{mark}-{number}", word)
        told = f"{prompt} was sent with Bearer {OPENAI_KEY}"
        error = {"message": told, "type": "x", "param": prompt, "code": prompt}
        tenant.stack.upstream.rule(f"{mark}-{number}", status=status, body={"error": error})
        assert tenant.generate(prompt).status_code >= 400


def _call_wrongly(tenant: Tenant, mark: str) -> None:
    stack = tenant.stack
    key = {"Authorization": f"Bearer lz_sk_live_{mark}"}
    assert tenant.request("GET", f"/v1/models/{mark}").status_code == 404
    assert tenant.request("GET", f"/v1/{mark}?key={tenant.key}").status_code == 404
    assert tenant.request("BREW", "/v1/models").status_code == 405
    assert tenant.request("GET", "/v1/models", headers=key).status_code == 401
    assert tenant.request("POST", "/v1/images/generations", data=mark).status_code == 400
    address = urlsplit(stack.url)
    with socket.create_connection((str(address.hostname), address.port), timeout=10) as client:
        client.sendall(f"GET /{mark} {mark}\r\nAuthorization: Bearer {tenant.key}\r\n\r\n".encode())
        assert client.recv(20).startswith(b"HTTP/1.1 4")


def wait_for_event(stack: Stack, process: str, text: str, since: dict[str, int]) -> None:
    wait_until(
        lambda: any(text in line for line in stack.log_lines(process, since)), f"{text} in the log"
    )
