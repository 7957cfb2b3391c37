"""Helpers shared by the files of the catalog."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from gateway.catalog.sizes import FreeSizes, ListedSizes, SizeRule, size
from gateway.catalog.types import Family, Model, Route

FACT_DATE = "2026-11-21"

DEFAULT_PROMPT_LIMIT = 4_000
DEFAULT_MAX_N = 8

# The sizes of at most one megapixel, all on a grid of 32: what megapixel-priced upstreams draw
# without costing more than the list price of one image.
ONE_MEGAPIXEL_SIZES = ListedSizes.of(
    "1024x1024",
    "1024x768",
    "768x1024",
    "1024x576",
    "576x1024",
    "1152x896",
    "896x1152",
    "1216x832",
    "832x1216",
    "1344x768",
    "768x1344",
    "512x512",
)

# gpt-image-2 and later; read from OpenAI's SDK and, for the area, several public gateways,
# 2026-11-21. The list is what documentation shows and the catalog check prices.
FREE_SIZES = FreeSizes(
    multiple=16,
    min_pixels=655_360,
    max_pixels=8_294_400,
    max_edge=3840,
    max_ratio=3,
    listed=tuple(
        size(text)
        for text in (
            "1024x1024",
            "1536x1024",
            "1024x1536",
            "1792x1024",
            "1024x1792",
            "2048x2048",
            "2560x1440",
            "1440x2560",
            "3840x2160",
            "2160x3840",
            "2880x2880",
            "1024x640",
            "816x816",
            "1408x480",
            "3840x1280",
        )
    ),
)


def ordinary_model(  # noqa: PLR0913 - what models differ in
    name: str,
    title: str,
    routes: tuple[Route, ...],
    *,
    owned_by: str,
    notes: str,
    features: tuple[str, ...],
    latency_s: tuple[int, int],
    sizes: SizeRule = ONE_MEGAPIXEL_SIZES,
    takes: Collection[str] = (),
) -> Model:
    """Return a model of no special family, under its bare id; `latency_s` is its P50 and P95.

    What else sets it apart is for `dataclasses.replace`.
    """
    return Model(
        id=name,
        key=name,
        name=title,
        owned_by=owned_by,
        notes=notes,
        features=features,
        family=Family.OTHER,
        sizes=sizes,
        default_size=size("1024x1024"),
        max_n=DEFAULT_MAX_N,
        prompt_limit=DEFAULT_PROMPT_LIMIT,
        p50_s=latency_s[0],
        p95_s=latency_s[1],
        routes=routes,
        takes=frozenset(takes),
    )


def under_ids(model: Model, *, namespaced: str, bare_routes: Iterable[Route] = ()) -> list[Model]:
    """Return the model under its namespaced and its bare id.

    Args:
        model: Under its bare id.
        namespaced: The other id.
        bare_routes: The routes of the bare id, if they come in another order.
    """
    bare = tuple(bare_routes) or model.routes
    return [replace(model, id=namespaced), replace(model, routes=bare)]
