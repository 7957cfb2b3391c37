"""Finding a prompt in a text, in the forms in which errors and answers repeat it."""

import json
from functools import cached_property
from typing import Final
from urllib.parse import quote

# A shorter one in ASCII would be found in words of ours, and is looked for only between quotes.
SHORTEST: Final = 4
_QUOTES: Final = ('"{}"', "'{}'", '\\"{}\\"', "`{}`")
# So much of a beginning counts as the prompt: what repeats one often cuts it.
_HEAD: Final = 16
CONCEALED: Final = "[prompt]"


class Prompt:
    """A text that must not be logged."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _forms(self) -> tuple[str, ...]:
        """Return it as it is, as Python and JSON write it, and as URLs do."""
        text = self._text
        forms = (
            text,
            repr(text)[1:-1],
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
            quote(text, errors="replace"),
            text.strip(),
            " ".join(text.split()),
        )
        safe = (form for form in forms if len(form) >= SHORTEST or not form.isascii())
        return tuple(dict.fromkeys((*safe, *self._quoted())))

    def _quoted(self) -> tuple[str, ...]:
        word = self._text.strip()
        if not word or len(word) >= SHORTEST or not word.isascii():
            return ()
        return tuple(quotes.format(word) for quotes in _QUOTES)

    def hide(self, text: str) -> str:
        """Return `text` with each of its forms, or of their beginnings, replaced."""
        for form in self._forms:
            head = form[:_HEAD]
            start = text.find(head)
            while start >= 0:
                length = _common_length(form, text[start : start + len(form)])
                text = f"{text[:start]}{CONCEALED}{text[start + length :]}"
                start = text.find(head, start + len(CONCEALED))
        return text


def _common_length(one: str, other: str) -> int:
    """Return how many characters two texts have in common from their beginning on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
