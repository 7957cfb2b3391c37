"""The last runs beside the form, and what a run fills the form with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.http import QueryDict

from gateway.console.gallery.grid import Tile
from gateway.console.playground.form import MODES
from gateway.selectors.gallery import GalleryImage
from gateway.selectors.playground.history import Run

SHOWN: Final = 12
_FIELDS: Final = (
    *("prompt", "n", "size", "quality", "style", "background", "output_format", "moderation"),
    *("seed", "input_fidelity"),
)


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run as the list shows it."""

    run: Run
    tiles: Sequence[Tile]

    @property
    def mode(self) -> str:
        """Return what the address calls it; nothing for drawing."""
        return _mode(self.run)


def query_of(run: Run, sources: Sequence[GalleryImage]) -> QueryDict:
    """Return a run as the form's fields; `sources` are the images it was made of."""
    data = QueryDict(mutable=True)
    data.setlist("model", list(run.models))
    for name in _FIELDS:
        if (value := run.parameters.get(name)) is not None:
            data[name] = str(value)
    data["mode"] = _mode(run)
    data.setlist("source", [f"{one.generation_id}/{one.index}" for one in sources])
    return data


def _mode(run: Run) -> str:
    return next((name for name, one in MODES.items() if one.value == run.operation), "")
