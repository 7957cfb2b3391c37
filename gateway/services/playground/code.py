"""A request as a program: Python, TypeScript and a shell's line, exactly as it would be sent."""

import shlex
from collections.abc import Mapping
from typing import Final

import orjson

# What OpenAI's clients know by name (openai 3.50 for Python, read 2026-11); the rest goes beside.
CLIENT_FIELDS: Final = frozenset(
    {
        *("model", "prompt", "n", "size", "quality", "style", "response_format", "output_format"),
        *("output_compression", "background", "moderation", "stream", "partial_images", "user"),
    }
)
KEY_VARIABLE: Final = "LIENZO_API_KEY"


def as_python(*, body: Mapping[str, object], base_url: str) -> str:
    """Return a program for OpenAI's Python client. `base_url` is without `/v1`.

    The key is read from `LIENZO_API_KEY`, so that no code holds it.
    """
    known, extra = _split(body)
    arguments = [f"    {name}={value!r}," for name, value in known.items()]
    if extra:
        arguments.append(f"    extra_body={extra!r},")
    lines = [
        "import os",
        "",
        "from openai import OpenAI",
        "",
        f'client = OpenAI(base_url={f"{base_url}/v1"!r}, api_key=os.environ["{KEY_VARIABLE}"])',
    ]
    if body.get("stream") is True:
        lines += [
            "events = client.images.generate(",
            *arguments,
            ")",
            "for event in events:",
            '    print(event.type, getattr(event, "url", ""))',
        ]
    else:
        lines += [
            "result = client.images.generate(",
            *arguments,
            ")",
            "for image in result.data:",
            '    print(image.url or f"{len(image.b64_json)} characters of base64")',
        ]
    return "\n".join(lines) + "\n"


def as_typescript(*, body: Mapping[str, object], base_url: str) -> str:
    """Return a module for OpenAI's Node client; as `as_python`."""
    known, extra = _split(body)
    fields = [f"  {name}: {_json(value)}," for name, value in known.items()]
    if extra:
        fields.append(f"  ...({_json(extra)} as object),")
    lines = [
        'import OpenAI from "openai";',
        "",
        "const client = new OpenAI({",
        f"  baseURL: {_json(f'{base_url}/v1')},",
        f"  apiKey: process.env.{KEY_VARIABLE},",
        "});",
    ]
    if body.get("stream") is True:
        lines += [
            "const events = await client.images.generate({",
            *fields,
            "});",
            "for await (const event of events) {",
            "  console.log(event.type);",
            "}",
        ]
    else:
        lines += [
            "const result = await client.images.generate({",
            *fields,
            "});",
            "for (const image of result.data ?? []) {",
            "  console.log(image.url ?? `${image.b64_json?.length} characters of base64`);",
            "}",
        ]
    return "\n".join(lines) + "\n"


def as_curl(*, body: Mapping[str, object], base_url: str) -> str:
    """Return a line for a POSIX shell; as `as_python`."""
    sent = {name: value for name, value in body.items() if value is not None}
    data = orjson.dumps(sent, option=orjson.OPT_INDENT_2).decode()
    streams = "-N " if body.get("stream") is True else ""
    return (
        f"curl {streams}{shlex.quote(f'{base_url}/v1/images/generations')} \\\n"
        f'  -H "Authorization: Bearer ${KEY_VARIABLE}" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  --data-raw {shlex.quote(data)}\n"
    )


def _split(body: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Return the fields that the clients know, and the others; nulls are left out."""
    sent = {name: value for name, value in body.items() if value is not None}
    known = {name: value for name, value in sent.items() if name in CLIENT_FIELDS}
    return known, {name: value for name, value in sent.items() if name not in CLIENT_FIELDS}


def _json(value: object) -> str:
    """Return a literal of TypeScript, of which JSON is one."""
    return orjson.dumps(value).decode()
