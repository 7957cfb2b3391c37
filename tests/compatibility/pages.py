"""Blocks of code on pages of Markdown, as programs."""

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One block. ``line`` is that of its first line of code on the page."""

    language: str
    code: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """Return the page's blocks of code, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1)
        for found in _BLOCK.finditer(text)
    ]


def program_of(page: Path, language: str) -> str:
    """Return all of a page's code in one language, on the lines where it is on the page."""
    lines: list[str] = []
    for block in blocks_of(page):
        if block.language == language:
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.code.splitlines()
    return "\n".join([*lines, ""])
