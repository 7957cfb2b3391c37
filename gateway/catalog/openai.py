"""OpenAI's GPT image models."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from gateway.catalog.build import FREE_SIZES, under_ids
from gateway.catalog.costs import MILLION, PerImage, PerOutputToken, TokenRates, token_rates
from gateway.catalog.sizes import Grid, ListedSizes, Menu, Size, SizeRule, named_sizes, size
from gateway.catalog.types import AllowedLoss, Editing, Family, Model, Route

FACTS = "OpenAI pricing and image guide, read 2026-11-21"
AZURE_FACTS = "Azure OpenAI pricing and model retirements, read 2026-11-21"
FLARE = "gpt-image-2.5-flare"

GPT_PROMPT_LIMIT = 32_000
GPT_TAKES = frozenset({"background", "moderation", "output_format", "output_compression", "user"})
GPT_FORMATS = ("png", "webp", "jpeg")
# Each streamed partial image adds as many output tokens, says the image guide.
PARTIAL_TOKENS = 100
GPT_QUALITIES = ("low", "medium", "high")
GPT_ALIASES = {"standard": "medium", "hd": "high"}
NEW_QUALITIES = (*GPT_QUALITIES, "xhigh", "max")

SQUARE = "1024x1024"
GPT_SIZES = (SQUARE, "1536x1024", "1024x1536")
GPT_WIDE = tuple(size(text) for text in GPT_SIZES[1:])

DALL_E_RETIRED = date(2026, 5, 12)
GPT_IMAGE_1_RETIRED = date(2026, 10, 23)
GPT_IMAGE_1_5_RETIRES = date(2026, 12, 1)
# The models that Azure has, by their last day there.
AZURE_RETIRES = {
    # Gone too, on a day that is not published; it is OpenAI's here.
    "dall-e-3": DALL_E_RETIRED,
    "gpt-image-1": date(2026, 10, 23),
    "gpt-image-1-mini": date(2027, 4, 7),
    "gpt-image-1.5": date(2026, 12, 16),
    "gpt-image-2": date(2027, 10, 21),
    FLARE: date(2027, 9, 9),
    "gpt-image-2.5-sunburst": date(2027, 9, 9),
}

FREE_GRID = Grid(
    multiple=FREE_SIZES.multiple,
    min_edge=FREE_SIZES.multiple,
    max_edge=FREE_SIZES.max_edge,
    min_pixels=FREE_SIZES.min_pixels,
    max_pixels=FREE_SIZES.max_pixels,
    max_ratio=FREE_SIZES.max_ratio,
    encode="size",
)

NEW_RATES = token_rates(
    text_in="5", cached_text_in="1.25", image_in="8", cached_image_in="2", image_out="30"
)
COST_2 = PerOutputToken({"low": 16, "medium": 48, "high": 96}, NEW_RATES.image_out)
COST_2_5 = PerOutputToken(
    {"low": 16, "medium": 24, "high": 48, "xhigh": 64, "max": 96}, NEW_RATES.image_out
)


# The most tokens of one image sent along to the gpt-image-1 family (image guide): 65, 129 for each
# tile of 512 pixels, and at high fidelity 4,160 if it is square and 6,240 if it is not. Four tiles
# are the most if the edges are scaled down to 2048 and 512 pixels, as reported. The later models
# work at high fidelity alone; their count is not published, and taken to be the same, as is a
# mask's.
LOW_FIDELITY_TOKENS = 65 + 4 * 129
HIGH_FIDELITY_TOKENS = LOW_FIDELITY_TOKENS + 6240


def same(qualities: Iterable[str]) -> dict[str, str]:
    """Name each quality as the upstream's own."""
    return {quality: quality for quality in qualities}


def _cells(prices: Mapping[str, tuple[str, str]]) -> PerImage:
    """Price (square, wide) by quality."""
    cells: dict[tuple[Size | None, str | None], Decimal] = {}
    for quality, (square, wide) in prices.items():
        cells[(size(SQUARE), quality)] = Decimal(square)
        for shape in GPT_WIDE:
            cells[(shape, quality)] = Decimal(wide)
    return PerImage(cells)


def _editing(rates: TokenRates, *, low: bool = False, knows_fidelity: bool = False) -> Editing:
    """Return how a GPT image model edits, `low` if at no more than low fidelity."""
    tokens = LOW_FIDELITY_TOKENS if low else HIGH_FIDELITY_TOKENS
    return Editing(
        max_inputs=16,
        input_cost=tokens * (rates.image_in or rates.text_in) / MILLION,
        takes=frozenset({"mask", "input_fidelity"} if knows_fidelity else {"mask"}),
    )


def _prompt_loss(rates: TokenRates) -> AllowedLoss:
    return AllowedLoss(
        "images are sold at one price whatever the length of the prompt, "
        "and a prompt near the limit costs more than the margin",
        up_to=rates.prompt_usd(GPT_PROMPT_LIMIT),
    )


def _partial_cost(rates: TokenRates) -> Decimal:
    return PARTIAL_TOKENS * rates.image_out / MILLION


def flare_route(
    qualities: Mapping[str, str],
    *,
    losses: tuple[AllowedLoss, ...],
    sizing: Grid | Menu = FREE_GRID,
    edits: bool = True,
) -> Route:
    """Return the route that stands in for a retired model of OpenAI's, `edits` if that could."""
    return Route(
        provider="openai",
        upstream_model=FLARE,
        sizing=sizing,
        image_cost=COST_2_5,
        cost_source=FACTS,
        takes=GPT_TAKES,
        qualities=qualities,
        max_n_per_call=10,
        output_formats=GPT_FORMATS,
        transparent=True,
        token_rates=NEW_RATES,
        partial_cost=_partial_cost(NEW_RATES),
        substitute=True,
        allowed_losses=losses,
        editing=_editing(NEW_RATES) if edits else None,
    )


def _gpt_route(
    upstream: str,
    cost: PerImage | PerOutputToken,
    rates: TokenRates,
    *,
    retires_on: date | None = None,
    losses: tuple[AllowedLoss, ...] = (),
    editing: Editing | None = None,
) -> Route:
    qualities = same(NEW_QUALITIES if cost is COST_2_5 else GPT_QUALITIES)
    return Route(
        provider="openai",
        upstream_model=upstream,
        sizing=FREE_GRID if isinstance(cost, PerOutputToken) else named_sizes(*GPT_SIZES),
        image_cost=cost,
        cost_source=FACTS,
        takes=GPT_TAKES,
        qualities=qualities,
        max_n_per_call=10,
        output_formats=GPT_FORMATS,
        transparent=True,
        token_rates=rates,
        partial_cost=_partial_cost(rates),
        retires_on=retires_on,
        allowed_losses=(*losses, _prompt_loss(rates)),
        editing=editing or _editing(rates),
    )


def azure_route(route: Route, **changes: object) -> Route:
    """Return the same upstream as a deployment of that name at Azure, which has no webp.

    That it takes none either is not documented of edits, only of the images it makes.
    """
    editing = route.editing and replace(route.editing, formats=("png", "jpeg"))
    moved = replace(
        route,
        editing=editing,
        provider="azure_openai",
        output_formats=tuple(name for name in route.output_formats if name != "webp"),
        cost_source=AZURE_FACTS,
        retires_on=AZURE_RETIRES[route.upstream_model],
    )
    return replace(moved, **changes)  # type: ignore[arg-type]  # field names given by this module


def _gpt_model(
    name: str,
    title: str,
    routes: tuple[Route, ...],
    *,
    notes: str,
    latency_s: tuple[int, int],
    sizes: SizeRule,
    retires_on: date | None = None,
) -> list[Model]:
    model = Model(
        id=name,
        key=name,
        name=title,
        owned_by="OpenAI",
        notes=notes,
        features=("Multi-image", "Text-in-Image"),
        family=Family.GPT_IMAGE,
        sizes=sizes,
        default_size=size(SQUARE),
        max_n=10,
        prompt_limit=GPT_PROMPT_LIMIT,
        p50_s=latency_s[0],
        p95_s=latency_s[1],
        routes=routes,
        qualities=tuple(routes[0].qualities),
        default_quality="medium",
        quality_aliases=GPT_ALIASES,
        takes=GPT_TAKES,
        retires_on=retires_on,
        successor=FLARE if retires_on else None,
    )
    return under_ids(model, namespaced=f"openai/{name}")


def _gpt_image_1() -> list[Model]:
    rates = token_rates(
        text_in="5", cached_text_in="1.25", image_in="10", cached_image_in="2.5", image_out="40"
    )
    cost = _cells({"low": (".011", ".016"), "medium": (".042", ".063"), "high": (".167", ".25")})
    flat = AllowedLoss(
        "the list price is one for every size and quality, and large high-quality images cost more",
        up_to=Decimal("0.0505") + rates.prompt_usd(GPT_PROMPT_LIMIT),
        sizes=GPT_WIDE,
        qualities=("high",),
    )
    own = _gpt_route(
        "gpt-image-1",
        cost,
        rates,
        retires_on=GPT_IMAGE_1_RETIRED,
        losses=(flat,),
        editing=_editing(rates, knows_fidelity=True),
    )
    flare = flare_route(same(GPT_QUALITIES), losses=(_prompt_loss(NEW_RATES),))
    return _gpt_model(
        "gpt-image-1",
        "GPT Image 1",
        (own, azure_route(own), flare),
        notes="Newest, high quality",
        latency_s=(15, 45),
        sizes=ListedSizes.of(*GPT_SIZES),
        retires_on=GPT_IMAGE_1_RETIRED,
    )


def _gpt_image_1_mini() -> list[Model]:
    rates = token_rates(
        text_in="2", cached_text_in="0.20", image_in="2.5", cached_image_in="0.25", image_out="8"
    )
    cost = _cells({"low": (".005", ".006"), "medium": (".011", ".015"), "high": (".036", ".052")})
    small = AllowedLoss(
        "no current model draws this for less, and prompts are not billed apart",
        up_to=Decimal("0.00063") + NEW_RATES.prompt_usd(GPT_PROMPT_LIMIT),
        sizes=(size(SQUARE),),
        qualities=("low",),
    )
    # One step down from the name: at its own prices this model has no equal any more.
    flare = flare_route(
        {"low": "low", "medium": "low", "high": "medium"},
        losses=(small, _prompt_loss(NEW_RATES)),
    )
    own = _gpt_route(
        "gpt-image-1-mini",
        cost,
        rates,
        retires_on=GPT_IMAGE_1_5_RETIRES,
        editing=_editing(rates, low=True),
    )
    return _gpt_model(
        "gpt-image-1-mini",
        "GPT Image 1 mini",
        (own, azure_route(own), flare),
        notes="Small and cheap",
        latency_s=(10, 30),
        sizes=ListedSizes.of(*GPT_SIZES),
        retires_on=AZURE_RETIRES["gpt-image-1-mini"],
    )


def _gpt_image_1_5() -> list[Model]:
    rates = token_rates(
        text_in="5",
        cached_text_in="1.25",
        image_in="8",
        cached_image_in="2",
        image_out="32",
        text_out="10",
    )
    cost = _cells({"low": (".009", ".013"), "medium": (".034", ".05"), "high": (".133", ".20")})
    own = _gpt_route(
        "gpt-image-1.5",
        cost,
        rates,
        retires_on=GPT_IMAGE_1_5_RETIRES,
        editing=_editing(rates, knows_fidelity=True),
    )
    flare = flare_route(same(GPT_QUALITIES), losses=(_prompt_loss(NEW_RATES),))
    return _gpt_model(
        "gpt-image-1.5",
        "GPT Image 1.5",
        (own, azure_route(own), flare),
        notes="High quality",
        latency_s=(15, 45),
        sizes=ListedSizes.of(*GPT_SIZES),
        retires_on=AZURE_RETIRES["gpt-image-1.5"],
    )


def _current() -> list[Model]:
    rows = (
        ("gpt-image-2", "GPT Image 2", COST_2, "Free sizes, up to 4K", (20, 60)),
        (
            "gpt-image-2-2026-04-21",
            "GPT Image 2 (2026-04-21)",
            COST_2,
            "Snapshot of GPT Image 2",
            (20, 60),
        ),
        (FLARE, "GPT Image 2.5 Flare", COST_2_5, "Free sizes, five qualities, fast", (12, 40)),
        (
            "gpt-image-2.5-sunburst",
            "GPT Image 2.5 Sunburst",
            COST_2_5,
            "Free sizes, five qualities",
            (15, 50),
        ),
    )
    found = []
    for name, title, cost, notes, latency_s in rows:
        own = _gpt_route(name, cost, NEW_RATES)
        # A snapshot is a version of a deployment at Azure, not a model.
        routes = (own, azure_route(own)) if name in AZURE_RETIRES else (own,)
        found += _gpt_model(name, title, routes, notes=notes, latency_s=latency_s, sizes=FREE_SIZES)
    return found


def models() -> list[Model]:
    """Return OpenAI's GPT image models under both ids."""
    return [
        *_gpt_image_1(),
        *_gpt_image_1_mini(),
        *_gpt_image_1_5(),
        *_current(),
    ]
