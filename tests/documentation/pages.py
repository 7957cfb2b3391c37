"""Blocks of code on pages of Markdown, as programs."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^(?:(?P<indent> *)<!-- (?P<mark>[^\n]*?) -->\n)?(?P<fence> *)```(?P<language>\w+)\n"
    r"(?P<code>.*?)^(?P=fence)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block.

    Attributes:
        line: That of its first line of code on the page.
        mark: What the comment on the line above says, or "".
    """

    language: str
    code: str
    line: int
    mark: str = ""


def blocks_of(page: Path) -> list[Block]:
    """Return the page's blocks of code, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            language=found["language"],
            code=textwrap.dedent(found["code"]),
            line=text.count("\n", 0, found.start("code")) + 1,
            mark=found["mark"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


def program_of(page: Path, language: str) -> str:
    """Return all of a page's code in one language, on the lines where it is on the page."""
    lines: list[str] = []
    for block in blocks_of(page):
        if block.language == language and not block.mark:
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.code.splitlines()
    return "\n".join([*lines, ""])
