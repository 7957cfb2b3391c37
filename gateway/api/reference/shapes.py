"""Short ways to write JSON Schema 2020-12, which OpenAPI 3.1 speaks."""

from collections.abc import Iterable, Mapping

Schema = dict[str, object]

NULL: Schema = {"type": "null"}


def text(description: str = "", **more: object) -> Schema:
    """Return the schema of a string."""
    return _described("string", description, more)


def integer(description: str = "", **more: object) -> Schema:
    """Return the schema of a whole number."""
    return _described("integer", description, more)


def number(description: str = "", **more: object) -> Schema:
    """Return the schema of a number."""
    return _described("number", description, more)


def boolean(description: str = "", **more: object) -> Schema:
    """Return the schema of true and false."""
    return _described("boolean", description, more)


def instant(description: str) -> Schema:
    """Return the schema of an instant in Unix seconds."""
    return integer(f"{description} Unix seconds.", examples=[1_795_240_000])


def amount(description: str) -> Schema:
    """Return the schema of an amount of money."""
    return text(
        f"{description} A decimal string in units of the currency.",
        pattern=r"^-?[0-9]+(\.[0-9]{1,6})?$",
        examples=["0.042"],
    )


def currency() -> Schema:
    """Return the schema of a currency's code."""
    return text("ISO 4217.", pattern="^[A-Z]{3}$", examples=["USD"])


def constant(value: str) -> Schema:
    """Return the schema of one word."""
    return {"type": "string", "const": value}


def words(allowed: Iterable[str], description: str = "", **more: object) -> Schema:
    """Return the schema of one of a few words."""
    return text(description, enum=[str(word) for word in allowed], **more)


def known_words(known: Iterable[str], description: str, **more: object) -> Schema:
    """Return the schema of a string of which some values are known, as OpenAI writes it."""
    either = [{"type": "string"}, {"type": "string", "enum": list(known)}]
    return {"anyOf": either, "description": description, **more}


def array(items: Schema, description: str = "", **more: object) -> Schema:
    """Return the schema of a list."""
    return _described("array", description, {"items": items, **more})


def ref(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """Return a schema that takes null, too."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema and "const" not in schema:
        return {**schema, "type": [kind, "null"]}
    described = {name: schema[name] for name in ("description",) if name in schema}
    bare = {name: value for name, value in schema.items() if name not in described}
    return {"anyOf": [bare, NULL], **described}


def record(
    description: str,
    properties: Mapping[str, Schema],
    *,
    optional: Iterable[str] = (),
    **more: object,
) -> Schema:
    """Return the schema of an object; all of its fields are there except the optional ones."""
    left_out = set(optional)
    required = [name for name in properties if name not in left_out]
    schema: Schema = {"type": "object", "description": description, "properties": dict(properties)}
    if required:
        schema["required"] = required
    return {**schema, **more}


def _described(kind: str, description: str, more: Mapping[str, object]) -> Schema:
    schema: Schema = {"type": kind}
    if description:
        schema["description"] = description
    return {**schema, **more}
