"""Directives that a prompt may carry: `[[status=429;times=1]]`, `[[delay=5]]`, `[[refuse]]`.

The grammar is `[[name=value;option=value]]`, with `;` or `,` between the options. `times=k` limits
a directive to the first k calls with the same prompt, `at=` moves it to another step of the call,
and any further option (`retry_after=3`) is a directive of its own with the same limits.
"""

import re
from dataclasses import dataclass
from typing import Final

_PATTERN: Final = re.compile(r"\[\[\s*([a-z_]+[^\[\]]*)\]\]")
_NUMBER: Final = re.compile(r"\d{1,6}(\.\d{1,6})?")
_STATUS: Final = re.compile(r"[2-5]\d\d")
_WORD: Final = re.compile(r"[a-z_]+")

# The value a directive has when none is written.
_DEFAULTS: Final = {
    "corrupt": "flip",
    "drip": "image",
    "empty": "yes",
    "expired": "yes",
    "hang": "run",
    "nsfw": "yes",
    "refuse": "input",
    "unfunded": "yes",
    "wrong_size": "yes",
}
_VALUES: Final = {
    "corrupt": _WORD,
    "delay": _NUMBER,
    "drip": _WORD,
    "empty": _WORD,
    "expired": _WORD,
    "file_status": _STATUS,
    "hang": _WORD,
    "nsfw": _WORD,
    "queue": _NUMBER,
    "refuse": _WORD,
    "retry_after": _NUMBER,
    "status": _STATUS,
    "unfunded": _WORD,
    "wrong_size": _WORD,
}


@dataclass(frozen=True, slots=True)
class Directive:
    """One instruction; `times` None means every call, `at` "" means the usual step."""

    name: str
    value: str
    times: int | None = None
    at: str = ""


def parse(prompt: str) -> tuple[Directive, ...]:
    """Read every directive in a prompt; unknown names and bad values stay plain text."""
    return tuple(
        directive for match in _PATTERN.finditer(prompt) for directive in parse_one(match.group(1))
    )


def parse_one(text: str) -> list[Directive]:
    """Read the inside of one pair of brackets, as in `status=429;retry_after=3;times=1`."""
    pairs = [_pair(part) for part in re.split(r"[;,]", text)]
    options = dict(pairs[1:])
    limit = options.pop("times", "")
    times = int(limit) if limit.isdecimal() else None
    at = options.pop("at", "")
    found = [
        (name, value or _DEFAULTS.get(name, "")) for name, value in [pairs[0], *options.items()]
    ]
    return [
        Directive(name=name, value=value, times=times, at=at)
        for name, value in found
        if name in _VALUES and _VALUES[name].fullmatch(value)
    ]


def strip(prompt: str) -> str:
    """Return the prompt without its directives, for the text that is drawn."""
    return " ".join(_PATTERN.sub(" ", prompt).split())


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip(), value.strip()
