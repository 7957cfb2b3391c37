"""The playground's form: what all chosen models offer, what was chosen, and what it will cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gateway.services.playground.capabilities import Capabilities, Price
from gateway.services.playground.generating import MAX_MODELS
from gateway.types import Operation

PARTIALS: Final = 2
# The shape of a size is drawn within a square of so many units.
SHAPE: Final = 28
WORDS: Final[Mapping[str, Promise]] = {
    "style": _("Style"),
    "background": _("Background"),
    "output_format": _("Format"),
    "moderation": _("Moderation"),
    "input_fidelity": _("Likeness to the images"),
}
# What the address calls each operation.
MODES: Final[Mapping[str, Operation]] = {
    "edit": Operation.EDIT,
    "vary": Operation.VARIATION,
}
Place = tuple[UUID, int]


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
    """What one model will cost; `unit_micros` None is a choice that has no price.

    Attributes:
        inputs_micros: What of the total is for the images that are sent along.
    """

    model: Capabilities
    unit_micros: int | None
    total_micros: int | None
    inputs_micros: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent along to be edited.

    Attributes:
        sources: Images of the organization, by generation and index; they come first.
        uploads: How many images are sent from elsewhere.
        shape: Of the first of all, as `WIDTHxHEIGHT`; empty while it is not known.
    """

    sources: tuple[Place, ...] = ()
    uploads: int = 0
    has_mask: bool = False
    shape: str = ""

    @property
    def images(self) -> int:
        """Return how many images there are, the mask apart."""
        return len(self.sources) + self.uploads

    @property
    def paid(self) -> int:
        """Return how many images are paid for: an edit has at least one, and a mask counts."""
        return max(self.images, 1) + self.has_mask


NOTHING: Final = Sent()


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
    operation: Operation = Operation.GENERATION
    sent: Sent = NOTHING

    def body(self) -> dict[str, object]:
        """Return the request without its model; one image is streamed where one has partials."""
        body: dict[str, object] = {"prompt": self.prompt, "n": self.n, **self.values}
        if self.operation is Operation.VARIATION:
            del body["prompt"]
        if (seed := self.values.get("seed")) is not None:
            body["seed"] = int(seed) if seed.isdecimal() else seed
        if self.n == 1 and any(one.has_partial_images for one in self.models):
            body |= {"stream": True, "partial_images": PARTIALS}
        return body

    @property
    def mode(self) -> str:
        """Return what the address calls it; nothing for drawing."""
        return next((name for name, one in MODES.items() if one is self.operation), "")

    @property
    def takes_mask(self) -> bool:
        """Say whether all chosen models edit within a mask."""
        return self.mode == "edit" and all(one.takes_mask for one in self.models)

    @property
    def most_images(self) -> int:
        """Return how many images all chosen models take at once."""
        if self.operation is Operation.VARIATION:
            return 1
        return min((one.max_inputs for one in self.models), default=1)

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
            Option(
                name, name == chosen, _sum([self._micros(one, size, name) for one in self.models])
            )
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
        lines = []
        for one in self.models:
            price = self._price(one, size, quality)
            unit = None if price is None else price.unit_micros
            inputs = 0 if price is None else price.inputs_micros * self.n
            lines.append(Line(one, unit, None if unit is None else unit * self.n, inputs))
        return lines

    @property
    def total_micros(self) -> int | None:
        """Return what everything will cost; None if something has no price."""
        return _sum([line.total_micros for line in self.lines])

    @property
    def inputs_micros(self) -> int:
        """Return what of it is for the images that are sent along."""
        return sum(line.inputs_micros for line in self.lines)

    def _micros(self, model: Capabilities, size: str, quality: str) -> int | None:
        price = self._price(model, size, quality)
        return None if price is None else price.unit_micros

    def _price(self, model: Capabilities, size: str, quality: str) -> Price | None:
        shape = self.sent.shape if self.operation is Operation.EDIT else ""
        wanted = (size or model.usual_size(shape), quality or model.default_quality or "")
        return next((one for one in model.prices if (one.size, one.quality) == wanted), None)


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


def read_mode(data: QueryDict) -> Operation:
    """Return what is to be done."""
    return MODES.get(data.get("mode", ""), Operation.GENERATION)


def read_places(data: QueryDict) -> list[Place]:
    """Return the images of the organization that are chosen, each once."""
    places = []
    for text in dict.fromkeys(data.getlist("source")):
        generation, _sign, index = text.partition("/")
        try:
            places.append((UUID(generation), int(index)))
        except ValueError:
            continue
    return places


def read_uploads(data: QueryDict) -> int:
    """Return how many images a page says that it will send; the form itself counts them."""
    text = data.get("uploads", "")
    return int(text) if text.isdecimal() and len(text) < 3 else 0  # noqa: PLR2004 - two digits


def read_choice(
    data: QueryDict, offered: Sequence[Capabilities], *, default: str, sent: Sent = NOTHING
) -> Choice:
    """Return what a form, or an address, asks for; values that the models lack are left out.

    Args:
        data: Fields as the API names them; `model` may be there several times.
        offered: Every model.
        default: The model where none is named; else the first that is available.
        sent: What is sent along.
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
    kept = {name: one for name, one in values.items() if one}
    return Choice(models, empty.prompt, n, kept, read_mode(data), sent)


def _common(lists: Sequence[Sequence[str]]) -> list[str]:
    """Return what is in all lists, in the order of the first."""
    if not lists:
        return []
    return [one for one in lists[0] if all(one in other for other in lists[1:])]


def _sum(amounts: Sequence[int | None]) -> int | None:
    known = [one for one in amounts if one is not None]
    return sum(known) if known and len(known) == len(amounts) else None
