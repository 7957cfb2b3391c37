"""Forms as Stripe's clients write them: `a[b][0][c]=d`."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl

_NAME: Final = re.compile(r"\[([^\]]*)\]")


def parse_form(text: str) -> dict[str, Any]:
    """Return the nested value; a level whose names are all numbers becomes a list."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, _, rest = name.partition("[")
        path = [head, *_NAME.findall(f"[{rest}")] if rest else [head]
        place = found
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = value
    result: dict[str, Any] = _with_lists(found)
    return result


def _with_lists(value: Any) -> Any:  # noqa: ANN401 - nested forms have no narrower type
    if not isinstance(value, dict):
        return value
    inner = {key: _with_lists(item) for key, item in value.items()}
    if inner and all(key.isdecimal() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner
