"""The shapes of the catalog: a public model, and the routes that can serve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from gateway.catalog.costs import PER_INPUT_IMAGE, CostKey, Costs, ImageCost, TokenRates
from gateway.catalog.prices import SOURCE_DATE
from gateway.catalog.sizes import Size, SizeRule, Sizing

MIN_DEADLINE_S = 60
MAX_DEADLINE_S = 300


class Family(StrEnum):
    """Decides the defaults and the answer's shape."""

    GPT_IMAGE = "gpt-image"
    DALL_E = "dall-e"
    OTHER = "other"


class Status(StrEnum):
    """Where a public model stands in its life."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class AllowedLoss:
    """A cell of a route that may cost more than its image is sold for.

    Attributes:
        up_to: The greatest accepted loss, USD per image.
        sizes: The public sizes it holds for; empty means all.
        qualities: The public qualities it holds for; empty means all.
    """

    reason: str
    up_to: Decimal
    sizes: tuple[Size, ...] = ()
    qualities: tuple[str, ...] = ()

    def applies(self, wanted: Size, quality: str | None) -> bool:
        """Whether this cell is covered."""
        return (not self.sizes or wanted in self.sizes) and (
            not self.qualities or quality in self.qualities
        )


INPUT_FORMATS = ("png", "jpeg", "webp")
INPUT_MAX_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class Editing:
    """What an upstream takes to edit images.

    Attributes:
        max_inputs: Images of one call, a mask apart.
        input_cost: What one image sent along can cost us at most, a mask included, in USD.
        takes: What it understands beside the images, among `mask` and `input_fidelity`.
        formats: Formats of the images.
        max_bytes: Of one image.
        max_pixels: Of one image, where its pixels are paid for; None if any number is taken.
        square: Whether it takes square images alone.
        keeps_shape: Whether the result has the shape of the image, at one megapixel or less,
            whatever size is asked for.
        variation: Whether it makes variations of an image alone; else they are asked for as an edit
            with a prompt that says so.
    """

    max_inputs: int
    input_cost: Decimal
    takes: frozenset[str] = frozenset()
    formats: tuple[str, ...] = INPUT_FORMATS
    max_bytes: int = INPUT_MAX_BYTES
    max_pixels: int | None = None
    square: bool = False
    keeps_shape: bool = False
    variation: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One way to have a model's images made.

    Attributes:
        takes: The optional request parameters the upstream understands, among `style`,
            `background`, `moderation`, `output_format`, `output_compression`, `seed`, `user`.
        extra: Fixed fields merged into every upstream body.
        qualities: Upstream quality by public quality, each named; empty if the upstream has none.
        max_n_per_call: Images of one upstream call.
        output_formats: What `output_format` may ask for, the best first; empty if it cannot ask.
        native_format: What the upstream sends when it is not asked for a format.
        prompt_limit: The upstream's own limit in code points, where it is below the model's.
        image_cost: The upstream's price of one image.
        token_rates: Set where the prompt costs too, and usage is reported in tokens.
        partial_cost: What a streamed partial image adds to the cost, in USD; None where the
            upstream sends none.
        cost_read_on: When the source of its cost was read; another cost needs another day.
        retires_on: The first day on which the provider's own host no longer serves the upstream.
        substitute: Whether the upstream is another model than the public id names.
        leaves: The model's sizes that the upstream cannot reach and that other routes serve alone.
        revised_prompt: Whether the upstream rewrites prompts and says how.
        editing: Set where the upstream edits images.
        draws: Whether it makes images of a prompt alone; else it only edits.
    """

    provider: str
    upstream_model: str
    sizing: Sizing
    image_cost: ImageCost
    cost_source: str
    takes: frozenset[str] = frozenset()
    extra: Mapping[str, object] = field(default_factory=dict)
    qualities: Mapping[str, str] = field(default_factory=dict)
    max_n_per_call: int = 1
    output_formats: tuple[str, ...] = ()
    native_format: str = "png"
    transparent: bool = False
    prompt_limit: int | None = None
    token_rates: TokenRates | None = None
    partial_cost: Decimal | None = None
    retires_on: date | None = None
    substitute: bool = False
    revised_prompt: bool = False
    leaves: tuple[Size, ...] = ()
    allowed_losses: tuple[AllowedLoss, ...] = ()
    editing: Editing | None = None
    draws: bool = True
    cost_read_on: date = SOURCE_DATE

    @property
    def served_by(self) -> str:
        """The value of `X-Served-By`."""
        return f"{self.provider}/{self.upstream_model}"

    def upstream_quality(self, quality: str | None) -> str | None:
        """Return the upstream's name of a public quality; None if it has no levels."""
        return None if quality is None else self.qualities.get(quality)

    def costs(self) -> dict[CostKey, Decimal]:
        """Return every figure that its cost is made of, in USD."""
        if self.token_rates is not None:
            return {**self.image_cost.costs(), **self.token_rates.costs()}
        if self.editing is not None:
            return {**self.image_cost.costs(), PER_INPUT_IMAGE: self.editing.input_cost}
        return self.image_cost.costs()

    def at(self, costs: Costs) -> Route:
        """Return the route at other costs; figures that are not given, or not its own, stay."""
        own = self.costs()
        if all(costs.get(key, usd) == usd for key, usd in own.items()):
            return self
        editing, rates, partial_cost = self.editing, self.token_rates, self.partial_cost
        if rates is not None:
            new = rates.at(costs)
            if editing is not None:
                factor = new.input_image / rates.input_image
                editing = replace(editing, input_cost=editing.input_cost * factor)
            if partial_cost is not None:
                partial_cost *= new.image_out / rates.image_out
            rates = new
        elif editing is not None:
            input_cost = costs.get(PER_INPUT_IMAGE, editing.input_cost)
            editing = replace(editing, input_cost=input_cost)
        return replace(
            self,
            image_cost=self.image_cost.at(costs),
            token_rates=rates,
            editing=editing,
            partial_cost=partial_cost,
        )


@dataclass(frozen=True, slots=True)
class Model:
    """One public model id.

    Attributes:
        id: What callers send as `model`.
        key: Names the model in the price book; its bare and namespaced id share it.
        owned_by: The maker, as `GET /v1/models` shows it.
        takes: The optional parameters the model understands, as in `Route.takes`.
        quality_aliases: Accepted words for a quality, besides `auto`.
        p50_s: Expected median latency, used for estimates until enough real attempts exist.
        retires_on: The first day on which no provider's own host serves the model itself.
        successor: The public id to move to.
        routes: In order of preference, substitutes last.
    """

    id: str
    key: str
    name: str
    owned_by: str
    notes: str
    features: tuple[str, ...]
    family: Family
    sizes: SizeRule
    default_size: Size
    max_n: int
    prompt_limit: int
    p50_s: int
    p95_s: int
    routes: tuple[Route, ...]
    qualities: tuple[str, ...] = ()
    default_quality: str | None = None
    quality_aliases: Mapping[str, str] = field(default_factory=dict)
    takes: frozenset[str] = frozenset()
    retires_on: date | None = None
    successor: str | None = None

    @property
    def namespaced(self) -> bool:
        """Whether the id names a provider, as in `openai/gpt-image-1`."""
        return "/" in self.id

    @property
    def deadline_s(self) -> int:
        """Seconds from creation until a generation is failed and its hold released."""
        return max(MIN_DEADLINE_S, min(3 * self.p95_s, MAX_DEADLINE_S))

    @property
    def default_output_format(self) -> str | None:
        """Png on OpenAI's models; None means whatever the upstream sends."""
        return None if self.family is Family.OTHER else "png"

    @property
    def transparent(self) -> bool:
        """Whether the model knows backgrounds and any route can draw a transparent one."""
        return "background" in self.takes and any(route.transparent for route in self.routes)

    @property
    def has_partial_images(self) -> bool:
        """Whether any route shows an image while it is made."""
        return any(route.partial_cost is not None for route in self.routes)

    @property
    def max_inputs(self) -> int:
        """The most images that an edit may have by any route; 0 if the model cannot edit."""
        return max((route.editing.max_inputs for route in self.routes if route.editing), default=0)

    def edits_with(self, what: str) -> bool:
        """Return whether any route edits with a `mask`, or knows `input_fidelity`."""
        return any(route.editing and what in route.editing.takes for route in self.routes)

    @property
    def fixed_size(self) -> bool:
        """Whether there is only one size, so that the parameter means nothing."""
        return self.sizes.closed and len(self.sizes.listed) == 1

    @property
    def successor_name(self) -> str | None:
        """What to call the model to move to: a public id, else the upstream that stands in."""
        substitutes = (route.served_by for route in self.routes if route.substitute)
        return self.successor or next(substitutes, None)

    def status_on(self, today: date) -> Status:
        """Return where the model stands: deprecated ahead of its `retires_on`, then retired."""
        if self.retires_on is None:
            return Status.ACTIVE
        return Status.RETIRED if today >= self.retires_on else Status.DEPRECATED


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    """What routing needs to know of a configured provider.

    Attributes:
        official: Whether its base URL is the provider's own host, where retirements are real.
    """

    official: bool
