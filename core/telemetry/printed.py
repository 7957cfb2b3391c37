"""A standard error whose lines are logged: what libraries print is then a line like all others."""

import io
import logging
from typing import Final

logger = logging.getLogger(__name__)

_LONGEST: Final = 16_384


class LoggedLines(io.TextIOBase):
    """A text stream that logs each line written to it, as a warning.

    The log itself must write elsewhere, see `sys.__stderr__`.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self) -> None:
        super().__init__()
        self._begun = ""

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, text: str) -> int:
        """Log the lines that this ends, and keep what is begun."""
        *lines, begun = (self._begun + text).split("\n")
        # Kept before anything is logged: what is printed meanwhile stands by itself.
        self._begun = begun if len(begun) < _LONGEST else ""
        if begun and not self._begun:
            lines.append(begun)
        for line in lines:
            if line.strip():
                logger.warning("%s", line)
        return len(text)

    def flush(self) -> None:
        """Do nothing: a line without its end is still being written."""
