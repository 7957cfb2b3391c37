"""Every block of code that the documentation shows can be run, or says why not."""

from tests.architecture.tree import ROOT
from tests.documentation.commands import PAGES, commands_of, is_run, problems_of
from tests.documentation.pages import Block


def block(code: str, *, language: str = "sh", mark: str = "") -> Block:
    return Block(language=language, code=code, line=1, mark=mark)


def test_blocks_of_the_documentation_are_runnable_or_excused() -> None:
    blocks = [(page, block) for page in PAGES for block in commands_of(page)]
    problems = [
        f"{page.relative_to(ROOT)}:{block.line}: {problem}"
        for page, block in blocks
        for problem in problems_of(block)
    ]

    assert len([block for _, block in blocks if is_run(block)]) > 40
    assert problems == [], (
        "Mend them, or write <!-- not run: why --> on the line above the fence; see "
        "tests/documentation/commands.py"
    )


def test_what_cannot_be_run_is_named() -> None:
    assert problems_of(block("make manage ARGS='top_up ORG_ID 5 --json'\n. var/demo.env\n")) == []
    assert problems_of(block("docker compose up", mark="not run: needs Docker")) == []
    assert problems_of(block("docker compose up", mark="needs Docker"))
    assert problems_of(block("docker compose up", mark="not run: "))
    for wrong in (
        "docker compose up",
        "curl -s $A | docker load",
        "X=1 make brun",
        'make manage ARGS="top_down ORG_ID"',
        'make manage ARGS="top_up ORG_ID 5 --for nothing"',
        'make manage ARGS="top_up ORGANIZATION_ID 5"',
        ".venv/bin/python -m bench.volumes",
        "if true; then echo",
    ):
        assert problems_of(block(wrong)), wrong
    assert problems_of(block("import = 1", language="python"))
