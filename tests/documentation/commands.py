"""What the documentation tells people to run, and whether it can be run here.

A block of ``sh``, ``bash``, ``console``, ``python`` or ``sql`` is run as it stands, on a stack of
its own that ``make run`` has started (`tests.documentation.test_commands`). The line above its
fence may say otherwise:

- ``<!-- alone -->``: on a state folder of its own, with nothing running.
- ``<!-- not run: why -->``: it needs what a test does not have (Docker, a provider's key, hours).
"""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from django.core.management import get_commands, load_command_class

from tests.architecture.tree import DOCS, ROOT
from tests.documentation.pages import Block, blocks_of

PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
LANGUAGES = frozenset({"sh", "bash", "console", "python", "sql"})
ALONE = "alone"
DATABASE = '"$DOCUMENTATION_DATABASE_URL"'
NOT_RUN = re.compile(r"not run: (?P<reason>.*\w.*\w)")
# Stand for what the stack of the test has.
PLACEHOLDERS = frozenset({"ORG_ID", "KEY_ID", "REQUEST_ID"})
PROGRAMS = frozenset(
    {
        ".",
        "[",
        "awk",
        "cat",
        "cp",
        "curl",
        "date",
        "diff",
        "echo",
        "export",
        "false",
        "grep",
        "head",
    }
    | {"jq", "ls", "make", "mkdir", "printf", "psql", "python", ".venv/bin/python", "rm", "sed"}
    | {"set", "sleep", "sort", "tail", "tee", "test", "tr", "true", "wait", "wc"}
)
_KEYWORDS = frozenset({"do", "done", "else", "fi", "if", "then", "until", "while", "!", "{", "}"})
_STARTS = frozenset({"", "\n", ";", "|", "||", "&&", "&", "(", *_KEYWORDS})
_METHODS = frozenset({"DELETE", "HEAD", "PATCH", "POST"})
_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)
_STANDS_FOR = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+|[A-Z]{4,}|<.*>|\.\.\.|…")
_COMMENT = re.compile(r"(?:^|(?<=\s))#\s[^\n]*", re.MULTILINE)
_TARGETS = frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands_of(page: Path) -> list[Block]:
    """Return the blocks of a page that somebody would run."""
    return [block for block in blocks_of(page) if block.language in LANGUAGES]


def is_run(block: Block) -> bool:
    """Say whether the long test runs it."""
    return block.mark in {"", ALONE}


def shell_of(block: Block) -> str:
    """Return the block as a script: without prompts and output, if it shows a session."""
    if block.language == "sql":
        return f"psql {DATABASE} -v ON_ERROR_STOP=1 <<'END'\n{block.code}END\n"
    if block.language != "console":
        return block.code
    return "".join(
        line.removeprefix("$ ") + "\n" for line in block.code.splitlines() if line.startswith("$ ")
    )


def problems_of(block: Block) -> list[str]:
    """Return what speaks against a block: neither runnable, as far as that is seen, nor excused."""
    if not is_run(block):
        return [] if NOT_RUN.fullmatch(block.mark) else [f"unknown mark: {block.mark}"]
    if block.language == "python":
        return _problems_of_python(block.code)
    if block.language == "sql":
        return []
    script = shell_of(block)
    checked = subprocess.run(
        ["bash", "-n"], input=script, capture_output=True, text=True, check=False
    )
    if checked.returncode:
        return [checked.stderr.strip()]
    return [problem for words in _simple_commands(script) for problem in _problems_of(words)]


def _problems_of_python(code: str) -> list[str]:
    try:
        compile(code, "block", "exec")
    except SyntaxError as error:
        return [str(error)]
    return []


def _simple_commands(script: str) -> Iterator[list[str]]:
    """Yield the words of each command, redirections and assignments before it left out."""
    plain = _COMMENT.sub("", script.replace("\\\n", " "))
    lexer = shlex.shlex(plain, posix=True, punctuation_chars="();<>|&\n")
    lexer.commenters = ""
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    words: list[str] = []
    before = ""
    for token in lexer:
        mark = token[0] if set(token) <= {"\n"} else token
        if before.strip() in _STARTS and not words and _ASSIGNMENT.fullmatch(token):
            continue
        if mark in _STARTS or set(mark) <= set("();<>|&\n"):
            if words and not set(mark) & set("<>"):
                yield words
                words = []
        else:
            words.append(token)
        before = mark
    if words:
        yield words


def _problems_of(words: list[str]) -> Iterator[str]:
    program, *arguments = words
    if program not in PROGRAMS:
        yield f"{program} is not among the programs that the test has"
        return
    plain = [word for argument in arguments for word in _split(argument)]
    for word in plain:
        if _STANDS_FOR.fullmatch(word) and word not in PLACEHOLDERS | _METHODS:
            yield f"{word} stands for something that the test does not know"
    if program == "make":
        yield from (
            f"make has no target {word}"
            for word in arguments
            if "=" not in word and word not in _TARGETS
        )
        if arguments[:1] == ["manage"]:
            yield from _problems_of_command(plain[1:])
    elif program.endswith("python"):
        yield from _problems_of_program(arguments)


def _split(argument: str) -> list[str]:
    return shlex.split(argument.removeprefix("ARGS=")) if "ARGS=" in argument else [argument]


def _problems_of_program(arguments: list[str]) -> Iterator[str]:
    if arguments[:1] == ["manage.py"]:
        yield from _problems_of_command(arguments[1:])
    elif arguments[:1] == ["-m"] and find_spec(arguments[1].partition(" ")[0]) is None:
        yield f"there is no module {arguments[1]}"


def _problems_of_command(words: list[str]) -> Iterator[str]:
    known: Mapping[str, str] = get_commands()
    if not words or words[0] not in known:
        yield f"manage.py has no command {words[:1]}"
        return
    command = load_command_class(known[words[0]], words[0])
    options = command.create_parser("manage.py", words[0])._option_string_actions
    for word in words[1:]:
        name = word.partition("=")[0]
        if name.startswith("--") and name not in options:
            yield f"{words[0]} has no option {name}"
