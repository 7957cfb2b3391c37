"""The last line of defense: what must never leave a process in a log or a report.

Nothing of this kind is meant to be logged in the first place. What a library, a driver or a
provider puts into a message is not ours to write, though.
"""

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from core.telemetry import context

LONGEST: Final = 16_384
_CUT: Final = " [cut]"
# Shorter values are words that stand in many lines.
_SHORTEST_SECRET: Final = 8
_SECRET_NAMES: Final = re.compile(
    r".*(?:_KEYS?|_SECRETS?|_TOKENS?|_PASSWORD|_DSN|_HEADERS|_FALLBACKS)"
)
_URL_NAMES: Final = re.compile(r".*_(?:URL|ENDPOINT|TARGET)|SENTRY_DSN")
_PATTERNS: Final = {
    # PostgreSQL names the row, the value or the document that it refused.
    "row": (
        r"(?:DETAIL|CONTEXT|QUERY|STATEMENT):  .*?(?=\n\n(?:The above|During handling)|\Z)"
        r"|\bLINE [0-9]+: [^\n]*"
    ),
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)",
    "key": (
        r"\blz_sk_[A-Za-z0-9_\-]+"
        r"|\b(?:sk|rk|pk)[-_](?:live|test|proj|ant|svcacct)?[-_]?[A-Za-z0-9_\-]{16,}"
        r"|\b(?:whsec_|xai-|AIza|ya29\.|ghp_|AKIA|ASIA)[A-Za-z0-9_\-.+/=]{12,}"
        r"|\bey[A-Za-z0-9_\-]{8,}\.ey[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*"
        r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:[0-9a-f]{16,}"
    ),
    "credentials": (
        r"(?i:\b(?:bearer|basic|key) +(?=[^ ]*[0-9_\-+/=])[A-Za-z0-9._~+/=\-:]{12,})"
        r"|(?i:\b(?:proxy-)?authorization\b|\b(?:set-)?cookie\b|\bx-(?:goog-)?(?:api-)?key\b"
        r"|\bapi[-_ ]?key\b|\bbmx-token\b)"
        r"(?:\\?['\"])?(?:\s*[:=]\s*|\s*,\s*)b?(?:\\?['\"])?(?i:(?:bearer|basic|key)\s+)?"
        r"[^\s'\",;}\])\\]+"
        r"|(?<=://)[^\s/@'\"]*:[^\s/@'\"]*(?=@)"
    ),
    "signature": (
        r"(?i:(?<=[?&;])(?:x-amz-(?:signature|credential|security-token)|signature|sig|token"
        r"|access_token|api_key|key|awsaccesskeyid|x-goog-signature|x-goog-credential)"
        r"=[^&\s'\"<>]+)"
    ),
    "data": (
        r"data:[a-z]+/[a-z0-9.+\-]+;base64,[A-Za-z0-9+/=_\-]*"
        r"|[A-Za-z0-9+/_\-]{160,}={0,2}"
        r"|(?:\\(?:x[0-9a-f]{2}|[0abfnrtv'\"\\])[^\\\s]{0,12}){16,}"
    ),
}


class Redactor:
    """Replaces what must not be said.

    Args:
        secrets: Values that are known to be secret here; too short ones are left out.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({one for one in secrets if len(one) >= _SHORTEST_SECRET}, key=len)
        patterns = {**_PATTERNS}
        if known:
            patterns = {"secret": "|".join(map(re.escape, reversed(known))), **patterns}
        names = {f"g{number}": name for number, name in enumerate(patterns)}
        self._words = {group: f"[{name}]" for group, name in names.items()}
        self._pattern = re.compile(
            "|".join(f"(?P<{group}>{patterns[name]})" for group, name in names.items()), re.DOTALL
        )

    def __call__(self, text: str) -> str:
        """Return `text` without secrets and image data, and without the prompt worked on."""
        text = self.whole(text)
        return text if len(text) <= LONGEST else text[:LONGEST] + _CUT

    def whole(self, text: str) -> str:
        """Do the same, however long the text is: for whoever keeps another part of it.

        To be cut afterwards only: what is left of a prompt without its beginning is not known.
        """
        prompt = context.prompt()
        if prompt is not None:
            text = prompt.hide(text)
        return self._pattern.sub(lambda found: self._words[found.lastgroup or ""], text)


@cache
def process_redactor() -> Redactor:
    """Return this process's redactor, which knows the secrets of its environment."""
    return Redactor(secrets_of(os.environ))


def secrets_of(variables: Mapping[str, str]) -> set[str]:
    """Return the secret values among environment variables: keys, tokens, passwords of URLs."""
    found: set[str] = set()
    for name, value in _with_files(variables).items():
        if _SECRET_NAMES.fullmatch(name):
            found.update(part.strip() for part in re.split(r"[,=\s]", value))
            found.add(value.strip())
        if _URL_NAMES.fullmatch(name):
            found |= _credentials(value)
    return found


def _with_files(variables: Mapping[str, str]) -> dict[str, str]:
    """Return variables with the contents of the files that `NAME_FILE` variables name."""
    found = {name: value for name, value in variables.items() if not name.endswith("_FILE")}
    for name, path in variables.items():
        if name.endswith("_FILE") and path:
            # The settings say what is wrong with it.
            with suppress(OSError, UnicodeDecodeError):
                found.setdefault(name.removesuffix("_FILE"), Path(path).read_text().strip())
    return found


def _credentials(url: str) -> set[str]:
    try:
        parts = urlsplit(url)
        return {unquote(part) for part in (parts.password,) if part}
    except ValueError:
        return set()
