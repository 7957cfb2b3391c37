"""The Spanish catalog against the words that pages use."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import ROOT, name_of, python_files, syntax_of

FOLDER = ROOT / "locale" / "es" / "LC_MESSAGES"
FUNCTIONS = frozenset({"_", "gettext", "gettext_lazy", "ngettext", "pgettext", "pgettext_lazy"})
TAG = re.compile(r"""{%-?\s*trans(?:late)?\s+("[^"]*"|'[^']*')""")
BLOCK = re.compile(r"{%-?\s*blocktrans(?:late)?\b([^%]*)%}(.*?){%-?\s*endblocktrans", re.DOTALL)


def test_every_word_has_its_spanish():
    known = _compiled()
    missing = sorted({(where, text) for where, text in _words() if text not in known})

    assert len(known) > 100
    assert missing == []


def test_nothing_of_the_catalog_is_empty_or_fuzzy_and_it_is_compiled():
    text = (FOLDER / "django.po").read_text(encoding="utf-8")
    entries = text.split("\n\n")[1:]

    assert [one for one in entries if "#, fuzzy" in one or re.search(r'msgstr ""\n?$', one)] == []
    assert set(re.findall(r'^msgid "(.+)"$', text, re.MULTILINE)) <= {
        key.replace('"', '\\"') for key in _compiled()
    }


def _compiled() -> set[str]:
    with (FOLDER / "django.mo").open("rb") as file:
        catalog = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined] # no other way
    keys = (one[0] if isinstance(one, tuple) else one for one in catalog)
    return {key.rpartition("\x04")[2] for key in keys if key}


def _words() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "templates").rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        for found in TAG.finditer(text):
            # The files of allauth that ours replace bring words of its own catalog.
            yield name_of(path), found[1][1:-1]
        for found in BLOCK.finditer(text):
            yield from ((name_of(path), part) for part in _parts(found[1], found[2]))
    for path in python_files("orgs", "billing", "gateway", "config"):
        yield from ((name_of(path), text) for text in _called_with(path))


def _parts(options: str, text: str) -> Iterator[str]:
    for part in re.split(r"{%\s*plural\s*%}", text)[:1]:
        words = re.sub(r"{{\s*([^}| ]+)[^}]*}}", r"%(\1)s", part.replace("%", "%%"))
        yield " ".join(words.split()) if "trimmed" in options else words


def _called_with(path: Path) -> Iterator[str]:
    for node in ast.walk(syntax_of(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        word = node.args[1 if node.func.id.startswith("pgettext") else 0]
        is_text = isinstance(word, ast.Constant) and isinstance(word.value, str)
        if node.func.id in FUNCTIONS and is_text:
            yield word.value  # type: ignore[attr-defined] # looked at above
