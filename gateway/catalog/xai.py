"""xAI's models."""

from datetime import date
from decimal import Decimal

from gateway.catalog.build import DEFAULT_MAX_N, DEFAULT_PROMPT_LIMIT, under_ids
from gateway.catalog.costs import PerImage
from gateway.catalog.sizes import Ask, ListedSizes, Menu, Size, ratios, size
from gateway.catalog.types import Editing, Family, Model, Route

FACTS = "xAI pricing, read 2026-11-21"
# xAI names no day: this is the one on which its documentation was read without the model.
GROK_2_SUPERSEDED = date(2026, 11, 21)
QUALITY_RETIRED = date(2026, 11, 2)
ONLY_SIZE = "1024x768"
# What an image sent along costs is known of related models. How many are taken and in which formats
# is not documented: three and no webp, as reported.
EDITING = Editing(max_inputs=3, input_cost=Decimal("0.002"), formats=("png", "jpeg"))
QUALITY_ALIASES = {"standard": "medium", "hd": "high"}
# What can be cut from the ratios below with a margin: the pixels xAI sends are reported by users,
# not published. The larger 2k images have no published price.
SIZES = ListedSizes.of(
    "1024x1024",
    "1024x768",
    "768x1024",
    "1152x768",
    "768x1152",
    "1280x720",
    "720x1280",
    "1024x512",
    "512x1024",
)
IMAGINE_SIZING = ratios(
    "aspect_ratio",
    {
        "1:1": "1024x1024",
        "4:3": "1280x896",
        "3:4": "896x1280",
        "3:2": "1296x864",
        "2:3": "864x1296",
        "16:9": "1408x768",
        "9:16": "768x1408",
        "2:1": "1408x704",
        "1:2": "704x1408",
    },
    resolution="1k",
)


def _per_image(**usd_by_quality: str) -> PerImage:
    """Price by quality, `any` for a model without; the answer says what was charged."""
    cells: dict[tuple[Size | None, str | None], Decimal] = {
        (None, None if quality == "any" else quality): Decimal(usd)
        for quality, usd in usd_by_quality.items()
    }
    return PerImage(cells, bills="dollars")


def _route(
    upstream: str,
    cost: PerImage,
    *,
    sizing: Menu = IMAGINE_SIZING,
    retires_on: date | None = None,
    substitute: bool = False,
    editing: Editing | None = EDITING,
) -> Route:
    qualities = {quality: quality for _size, quality in cost.cells if quality is not None}
    return Route(
        provider="xai",
        upstream_model=upstream,
        sizing=sizing,
        image_cost=cost,
        cost_source=FACTS,
        takes=frozenset({"user"}),
        qualities=qualities,
        max_n_per_call=10,
        native_format="jpeg",
        retires_on=retires_on,
        substitute=substitute,
        editing=editing,
        # The Imagine models answer with an empty text in its place.
        revised_prompt=upstream == "grok-2-image",
    )


def _model(
    name: str,
    title: str,
    routes: tuple[Route, ...],
    *,
    notes: str,
    latency_s: tuple[int, int],
    sizes: ListedSizes = SIZES,
    retires_on: date | None = None,
    successor: str | None = None,
) -> list[Model]:
    qualities = tuple(routes[0].qualities)
    model = Model(
        id=name,
        key=name,
        name=title,
        owned_by="xAI",
        notes=notes,
        features=("Photorealistic",),
        family=Family.OTHER,
        sizes=sizes,
        default_size=sizes.listed[0],
        max_n=DEFAULT_MAX_N,
        prompt_limit=DEFAULT_PROMPT_LIMIT,
        p50_s=latency_s[0],
        p95_s=latency_s[1],
        routes=routes,
        qualities=qualities,
        default_quality="medium" if qualities else None,
        quality_aliases=QUALITY_ALIASES if qualities else {},
        takes=frozenset({"user"}),
        retires_on=retires_on,
        successor=successor,
    )
    return under_ids(model, namespaced=f"xai/{name}")


def _grok_2() -> list[Model]:
    own = _route(
        "grok-2-image",
        _per_image(any="0.07"),
        sizing=Menu((Ask(size(ONLY_SIZE), {}),)),
        retires_on=GROK_2_SUPERSEDED,
        editing=None,
    )
    imagine = _route("grok-imagine-image", _per_image(any="0.02"), substitute=True, editing=None)
    return _model(
        "grok-2-image",
        "Grok 2 Image",
        (own, imagine),
        notes="Photorealistic style",
        latency_s=(10, 30),
        sizes=ListedSizes.of(ONLY_SIZE),
        retires_on=GROK_2_SUPERSEDED,
        successor="grok-imagine-image",
    )


def _imagine() -> list[Model]:
    pro = _route("grok-imagine-image-pro", _per_image(any="0.05"))
    pro_instead = _route("grok-imagine-image-pro", _per_image(any="0.05"), substitute=True)
    quality = _route(
        "grok-imagine-image-quality", _per_image(any="0.05"), retires_on=QUALITY_RETIRED
    )
    return [
        *_model(
            "grok-imagine-image",
            "Grok Imagine",
            (_route("grok-imagine-image", _per_image(any="0.02")),),
            notes="Fast and cheap",
            latency_s=(5, 15),
        ),
        *_model(
            "grok-imagine-image-pro",
            "Grok Imagine Pro",
            (pro,),
            notes="More detail",
            latency_s=(8, 25),
        ),
        *_model(
            "grok-imagine-image-quality",
            "Grok Imagine Quality",
            (quality, pro_instead),
            notes="More detail",
            latency_s=(8, 25),
            retires_on=QUALITY_RETIRED,
            successor="grok-imagine-image-pro",
        ),
        *_model(
            "grok-imagine-image-2.0",
            "Grok Imagine 2.0",
            # Of high only the end of the reported range of prices is known.
            (_route("grok-imagine-image-2.0", _per_image(low="0.04", medium="0.06", high="0.08")),),
            notes="Three qualities",
            latency_s=(8, 25),
        ),
    ]


def models() -> list[Model]:
    """Return xAI's models under both ids."""
    return [*_grok_2(), *_imagine()]
