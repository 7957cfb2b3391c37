"""The playground's form: what all chosen models offer, what was chosen, and what it will cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gateway.services.playground.capabilities import Capabilities
from gateway.services.playground.generating import MAX_MODELS

PARTIALS: Final = 2
# The shape of a size is drawn within a square of so many units.
SHAPE: Final = 28
WORDS: Final[Mapping[str, Promise]] = {
    "style": _("Style"),
    "background": _("Background"),
    "output_format": _("Format"),
    "moderation": _("Moderation"),
}


@dataclass(frozen=True, slots=True)
class ModelOption:
    """A model to pick; `from_micros` is its cheapest image."""

    model: Capabilities
    is_chosen: bool
    from_micros: int | None


@dataclass(frozen=True, slots=True)
class SizeOption:
    """A size to pick; `width` and `height` are those of its drawn shape, 0 for the usual size."""

    value: str
    width: int
    height: int
    is_chosen: bool

    @property
    def label(self) -> str:
        """Return the size as people write it."""
        return self.value.replace("x", "\u00d7")

    @property
    def x(self) -> float:
        """Return where the shape begins, from the left."""
        return (SHAPE - self.width) / 2

    @property
    def y(self) -> float:
        """Return where the shape begins, from above."""
        return (SHAPE - self.height) / 2


@dataclass(frozen=True, slots=True)
class Option:
    """A value to pick; `micros` is what one image of each chosen model costs with it."""

    value: str
    is_chosen: bool
    micros: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A parameter of few words."""

    name: str
    label: Promise
    options: Sequence[Option]


@dataclass(frozen=True, slots=True)
class Line:
    """What one model will cost; `unit_micros` None is a choice that has no price."""

    model: Capabilities
    unit_micros: int | None
    total_micros: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form says, read leniently: the service checks it again.

    Attributes:
        models: The chosen ones, at most `MAX_MODELS`.
        values: Size, quality, words and seed; those left to the models are absent.
    """

    models: tuple[Capabilities, ...]
    prompt: str
    n: int
    values: Mapping[str, str]

    def body(self) -> dict[str, object]:
        """Return the request without its model; one image is streamed where one has partials."""
        body: dict[str, object] = {"prompt": self.prompt, "n": self.n, **self.values}
        if (seed := self.values.get("seed")) is not None:
            body["seed"] = int(seed) if seed.isdecimal() else seed
        if self.n == 1 and any(one.has_partial_images for one in self.models):
            body |= {"stream": True, "partial_images": PARTIALS}
        return body

    @property
    def max_n(self) -> int:
        """Return how many images all chosen models draw at once."""
        return min((one.max_n for one in self.models), default=1)

    @property
    def max_prompt_length(self) -> int:
        """Return how long a prompt all chosen models take."""
        return min((one.max_prompt_length for one in self.models), default=1000)

    @property
    def has_seed(self) -> bool:
        """Say whether all chosen models know a seed."""
        return bool(self.models) and all("seed" in one.parameters for one in self.models)

    @property
    def seed(self) -> str:
        """Return the seed, or nothing."""
        return self.values.get("seed", "")

    @property
    def sizes(self) -> list[SizeOption]:
        """Return the sizes that all chosen models have, the usual one first."""
        chosen = self.values.get("size", "")
        options = [SizeOption("", 0, 0, is_chosen=not chosen)]
        for value in _common([one.sizes for one in self.models]):
            width, _sign, height = value.partition("x")
            longer = max(int(width), int(height))
            shape = (SHAPE * int(width) // longer, SHAPE * int(height) // longer)
            options.append(SizeOption(value, *shape, is_chosen=value == chosen))
        return options if len(options) > 1 else []

    @property
    def qualities(self) -> list[Option]:
        """Return the qualities that all chosen models have, each with its price."""
        chosen = self.values.get("quality", "")
        names = _common([one.qualities for one in self.models])
        if len(names) < 2:  # noqa: PLR2004 - one is no choice
            return []
        size = self.values.get("size", "")
        return [
            Option(name, name == chosen, _sum([_unit(one, size, name) for one in self.models]))
            for name in ("", *names)
        ]

    @property
    def groups(self) -> list[Group]:
        """Return the parameters of few words that all chosen models know."""
        groups = []
        for name, label in WORDS.items():
            words = _common([one.words.get(name, ()) for one in self.models])
            if words:
                chosen = self.values.get(name, "")
                options = [Option(word, word == chosen) for word in ("", *words) if word != "auto"]
                groups.append(Group(name, label, options))
        return groups

    @property
    def lines(self) -> list[Line]:
        """Return what each model will cost."""
        size, quality = self.values.get("size", ""), self.values.get("quality", "")
        units = [(one, _unit(one, size, quality)) for one in self.models]
        return [Line(one, unit, None if unit is None else unit * self.n) for one, unit in units]

    @property
    def total_micros(self) -> int | None:
        """Return what everything will cost; None if something has no price."""
        return _sum([line.total_micros for line in self.lines])


def model_options(choice: Choice, offered: Sequence[Capabilities]) -> list[ModelOption]:
    """Return every model to pick, the chosen and then the available ones first."""
    options = [
        ModelOption(
            one,
            one in choice.models,
            min((p.unit_micros for p in one.prices if p.unit_micros is not None), default=None),
        )
        for one in offered
    ]
    return sorted(options, key=lambda one: (not one.is_chosen, not one.model.available))


def read_choice(data: QueryDict, offered: Sequence[Capabilities], *, default: str) -> Choice:
    """Return what a form, or an address, asks for; values that the models lack are left out.

    Args:
        data: Fields as the API names them; `model` may be there several times.
        offered: Every model.
        default: The model where none is named; else the first that is available.
    """
    by_id = {one.id: one for one in offered}
    wanted = [by_id[name] for name in dict.fromkeys(data.getlist("model")) if name in by_id]
    if not wanted:
        usual = [one for one in offered if one.id == default and one.available]
        wanted = [*usual, *(one for one in offered if one.available)][:1]
    models = tuple(wanted[:MAX_MODELS])
    empty = Choice(models, data.get("prompt", ""), 1, {})
    possible = {
        "size": {one.value for one in empty.sizes},
        "quality": {one.value for one in empty.qualities},
        **{group.name: {one.value for one in group.options} for group in empty.groups},
    }
    values = {name: value for name in possible if (value := data.get(name)) in possible[name]}
    if empty.has_seed:
        values["seed"] = data.get("seed", "").strip()
    count = data.get("n", "1")
    n = min(max(int(count), 1), empty.max_n) if count.isdecimal() and len(count) < 4 else 1  # noqa: PLR2004
    return Choice(models, empty.prompt, n, {name: one for name, one in values.items() if one})


def _common(lists: Sequence[Sequence[str]]) -> list[str]:
    """Return what is in all lists, in the order of the first."""
    if not lists:
        return []
    return [one for one in lists[0] if all(one in other for other in lists[1:])]


def _unit(model: Capabilities, size: str, quality: str) -> int | None:
    wanted = (size or model.default_size, quality or model.default_quality or "")
    for price in model.prices:
        if (price.size, price.quality) == wanted:
            return price.unit_micros
    return None


def _sum(amounts: Sequence[int | None]) -> int | None:
    known = [one for one in amounts if one is not None]
    return sum(known) if known and len(known) == len(amounts) else None
