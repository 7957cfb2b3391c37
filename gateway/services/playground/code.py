"""A request as a program: Python, TypeScript and a shell's line, exactly as it would be sent."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from gateway.types import Operation

# What OpenAI's clients know by name (openai 3.50 for Python, read 2026-11); the rest goes beside.
CLIENT_FIELDS: Final = frozenset(
    {
        *("model", "prompt", "n", "size", "quality", "style", "response_format", "output_format"),
        *("output_compression", "background", "moderation", "stream", "partial_images", "user"),
    }
)
EDIT_FIELDS: Final = (CLIENT_FIELDS | {"input_fidelity"}) - {"style", "moderation"}
VARIATION_FIELDS: Final = frozenset({"model", "n", "size", "response_format", "user"})
KEY_VARIABLE: Final = "LIENZO_API_KEY"


@dataclass(frozen=True, slots=True)
class Attached:
    """The files that a request sends along, by their names on the caller's disk."""

    images: Sequence[str]
    mask: str | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a client: its path, the method's name there, and what the client knows."""

    path: str
    python: str
    typescript: str
    fields: frozenset[str]


_CALLS: Final[Mapping[Operation, _Call]] = {
    Operation.GENERATION: _Call("generations", "generate", "generate", CLIENT_FIELDS),
    Operation.EDIT: _Call("edits", "edit", "edit", EDIT_FIELDS),
    Operation.VARIATION: _Call(
        "variations", "create_variation", "createVariation", VARIATION_FIELDS
    ),
}
NOTHING: Final = Attached(())


def as_python(
    *,
    body: Mapping[str, object],
    base_url: str,
    operation: Operation = Operation.GENERATION,
    attached: Attached = NOTHING,
) -> str:
    """Return a program for OpenAI's Python client. `base_url` is without `/v1`.

    The key is read from `LIENZO_API_KEY`, so that no code holds it.
    """
    call = _CALLS[operation]
    known, extra = _split(body, call.fields)
    opened = [f"open({name!r}, 'rb')" for name in attached.images]
    arguments = []
    if operation is Operation.EDIT:
        arguments.append(f"    image=[{', '.join(opened)}],")
    elif opened:
        arguments.append(f"    image={opened[0]},")
    if attached.mask:
        arguments.append(f"    mask=open({attached.mask!r}, 'rb'),")
    arguments += [f"    {name}={value!r}," for name, value in known.items()]
    if extra:
        arguments.append(f"    extra_body={extra!r},")
    lines = [
        "import os",
        "",
        "from openai import OpenAI",
        "",
        f'client = OpenAI(base_url={f"{base_url}/v1"!r}, api_key=os.environ["{KEY_VARIABLE}"])',
    ]
    if known.get("stream") is True:
        lines += [
            f"events = client.images.{call.python}(",
            *arguments,
            ")",
            "for event in events:",
            '    print(event.type, getattr(event, "url", ""))',
        ]
    else:
        lines += [
            f"result = client.images.{call.python}(",
            *arguments,
            ")",
            "for image in result.data:",
            '    print(image.url or f"{len(image.b64_json)} characters of base64")',
        ]
    return "\n".join(lines) + "\n"


def as_typescript(
    *,
    body: Mapping[str, object],
    base_url: str,
    operation: Operation = Operation.GENERATION,
    attached: Attached = NOTHING,
) -> str:
    """Return a module for OpenAI's Node client; as `as_python`."""
    call = _CALLS[operation]
    known, extra = _split(body, call.fields)
    opened = [f"createReadStream({_json(name)})" for name in attached.images]
    fields = []
    if operation is Operation.EDIT:
        fields.append(f"  image: [{', '.join(opened)}],")
    elif opened:
        fields.append(f"  image: {opened[0]},")
    if attached.mask:
        fields.append(f"  mask: createReadStream({_json(attached.mask)}),")
    fields += [f"  {name}: {_json(value)}," for name, value in known.items()]
    if extra:
        fields.append(f"  ...({_json(extra)} as object),")
    lines = [
        *(['import { createReadStream } from "node:fs";'] if opened else []),
        'import OpenAI from "openai";',
        "",
        "const client = new OpenAI({",
        f"  baseURL: {_json(f'{base_url}/v1')},",
        f"  apiKey: process.env.{KEY_VARIABLE},",
        "});",
    ]
    if known.get("stream") is True:
        lines += [
            f"const events = await client.images.{call.typescript}({{",
            *fields,
            "});",
            "for await (const event of events) {",
            "  console.log(event.type);",
            "}",
        ]
    else:
        lines += [
            f"const result = await client.images.{call.typescript}({{",
            *fields,
            "});",
            "for (const image of result.data ?? []) {",
            "  console.log(image.url ?? `${image.b64_json?.length} characters of base64`);",
            "}",
        ]
    return "\n".join(lines) + "\n"


def as_curl(
    *,
    body: Mapping[str, object],
    base_url: str,
    operation: Operation = Operation.GENERATION,
    attached: Attached = NOTHING,
) -> str:
    """Return a line for a POSIX shell; as `as_python`."""
    sent = {name: value for name, value in body.items() if value is not None}
    streams = "-N " if body.get("stream") is True else ""
    lines = [
        f"curl {streams}{shlex.quote(f'{base_url}/v1/images/{_CALLS[operation].path}')}",
        f'  -H "Authorization: Bearer ${KEY_VARIABLE}"',
    ]
    if operation is Operation.GENERATION:
        data = orjson.dumps(sent, option=orjson.OPT_INDENT_2).decode()
        lines += ["  -H 'Content-Type: application/json'", f"  --data-raw {shlex.quote(data)}"]
    else:
        field = "image[]" if operation is Operation.EDIT else "image"
        lines += [f"  -F {shlex.quote(f'{field}=@{name}')}" for name in attached.images]
        if attached.mask:
            lines.append(f"  -F {shlex.quote(f'mask=@{attached.mask}')}")
        lines += [
            f"  --form-string {shlex.quote(f'{name}={_text(value)}')}"
            for name, value in sent.items()
        ]
    return " \\\n".join(lines) + "\n"


def _split(
    body: Mapping[str, object], fields: frozenset[str]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return the fields that the clients know, and the others; nulls are left out."""
    sent = {name: value for name, value in body.items() if value is not None}
    known = {name: value for name, value in sent.items() if name in fields}
    return known, {name: value for name, value in sent.items() if name not in fields}


def _text(value: object) -> str:
    """Return a value as a form has it."""
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    """Return a literal of TypeScript, of which JSON is one."""
    return orjson.dumps(value).decode()
