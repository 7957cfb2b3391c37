"""The API in plain text, for readers without a browser: `/llms.txt`."""

from collections.abc import Iterator
from functools import cache

from gateway.api.reference.document import document
from gateway.catalog.registry import catalog
from gateway.catalog.types import Model

_HEAD = """\
# Lienzo

> OpenAI's Images API for every image model. Send `Authorization: Bearer lz_sk_...`; OpenAI's own
> clients work by changing `base_url` (to this server and `/v1`) and `api_key`.

The whole contract is [OpenAPI 3.1](/openapi.json), which is [a page](/docs), too. Errors of every
status are `{"error": {"message", "type", "param", "code"}}`; `X-Should-Retry` says whether the same
request may succeed later. Failures are never charged. Amounts are decimal strings.

```sh
curl $LIENZO_BASE_URL/v1/images/generations -H "Authorization: Bearer $LIENZO_API_KEY" \\
  -d '{"model": "fal/flux-1.1-pro", "prompt": "a lighthouse at dusk"}'
```

An `Idempotency-Key` makes repeating it safe; `"stream": true` streams partial images;
`Prefer: respond-async` answers 202 at once, with a `Location` to ask at.
"""


@cache
def guide() -> bytes:
    """Return the text. Built once in each process."""
    parts = [
        _HEAD,
        "## Endpoints\n",
        *_endpoints(),
        "\n## Models\n",
        "Prices are in `GET /v1/models`. Of each: default size, sizes, qualities, most images.\n",
        *(_model(model) for model in catalog().models()),
    ]
    return ("\n".join(parts) + "\n").encode()


def _endpoints() -> Iterator[str]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"- `{method.upper()} {path}`: {operation['summary']}"


def _model(model: Model) -> str:
    sizes = ", ".join(str(size) for size in model.sizes.listed)
    free = "" if model.sizes.closed else " and others"
    qualities = f"; {', '.join(model.qualities)}" if model.qualities else ""
    word = f" (retires on {model.retires_on})" if model.retires_on else ""
    return (
        f"- `{model.id}`{word}: {model.name}. {model.default_size}; {sizes}{free}{qualities};"
        f" n up to {model.max_n}"
    )
