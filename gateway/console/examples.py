"""The same call in the languages people paste it into."""

import json

from django.conf import settings

FIRST_CALL = {"model": "fal/flux-1.1-pro", "prompt": "a lighthouse at dusk, oil on canvas"}


def generation_examples(
    *, key: str, fields: dict[str, object] | None = None
) -> list[tuple[str, str]]:
    """Return a generation request as (language, text), ready to run.

    Args:
        key: The secret, or a word in its place.
        fields: The request's body; by default a first image.
    """
    body = dict(fields or FIRST_CALL)
    base = f"{settings.PUBLIC_BASE_URL}/v1"
    return [
        ("curl", _curl(base, key, body)),
        ("Python", _python(base, key, body)),
        ("TypeScript", _typescript(base, key, body)),
    ]


def _curl(base: str, key: str, body: dict[str, object]) -> str:
    # Within single quotes a shell reads everything but the quote itself.
    data = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
    return (
        f"curl {base}/images/generations \\\n"
        f'  -H "Authorization: Bearer {key}" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{data}'"
    )


def _python(base: str, key: str, body: dict[str, object]) -> str:
    # What the official client does not name goes in as it is.
    arguments = "".join(f"    {name}={value!r},\n" for name, value in body.items())
    return (
        "from openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{base}", api_key="{key}")\n'
        f"image = client.images.generate(\n{arguments})\n"
        "print(image.data[0].url)"
    )


def _typescript(base: str, key: str, body: dict[str, object]) -> str:
    lines = json.dumps(body, ensure_ascii=False, indent=2)
    return (
        'import OpenAI from "openai";\n\n'
        f'const client = new OpenAI({{ baseURL: "{base}", apiKey: "{key}" }});\n'
        f"const image = await client.images.generate({lines});\n"
        "console.log(image.data[0].url);"
    )
