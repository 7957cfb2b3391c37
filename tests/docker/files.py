"""The files of docker/, as tests read them."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKER = ROOT / "docker"
SETTINGS = {"PUBLIC_BASE_URL": "https://images.example.com", "ALLOWED_HOSTS": "images.example.com"}
# ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?message} and $NAME.
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?([-?])((?:[^{}]|\$\{\w+\})*))?\}|(\w+))")
_UNITS = {"s": 1, "m": 60}


def compose() -> dict[str, Any]:
    """Return the compose file with its defaults."""
    document = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    filled: dict[str, Any] = _filled(document)
    return filled


def seconds(text: str) -> int:
    """Return a duration of the compose file in seconds."""
    return int(text[:-1]) * _UNITS[text[-1]]


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one) for one in value]
    return _VARIABLE.sub(_replace, value) if isinstance(value, str) else value


def _replace(found: re.Match[str]) -> str:
    name = found[1] or found[4]
    if name in SETTINGS:
        return SETTINGS[name]
    return _VARIABLE.sub(_replace, found[3]) if found[2] == "-" else ""
