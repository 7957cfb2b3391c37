"""The form's request as code, exactly as it will be sent."""

from collections.abc import Sequence

from django.conf import settings

from gateway.console.examples import FIRST_CALL
from gateway.console.playground.form import Choice
from gateway.services.playground.code import Attached, as_curl, as_python, as_typescript
from gateway.types import Operation


def code_of(choice: Choice, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the request of the first model in each language.

    `names` are what the images that are sent along are called on the caller's disk.
    """
    body = choice.body() | {"response_format": "url"}
    if choice.operation is not Operation.VARIATION:
        body["prompt"] = choice.prompt or FIRST_CALL["prompt"]
    if choice.models:
        body = {"model": choice.models[0].id, **body}
    attached = Attached(names, "mask.png" if choice.sent.has_mask else None)
    writers = (("Python", as_python), ("TypeScript", as_typescript), ("curl", as_curl))
    return [
        (
            name,
            write(
                body=body,
                base_url=settings.PUBLIC_BASE_URL,
                operation=choice.operation,
                attached=attached,
            ),
        )
        for name, write in writers
    ]
