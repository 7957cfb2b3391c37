"""Google's models."""

from datetime import date
from decimal import Decimal

from gateway.catalog.build import DEFAULT_MAX_N, DEFAULT_PROMPT_LIMIT, under_ids
from gateway.catalog.costs import TokenRates, flat
from gateway.catalog.sizes import ListedSizes, ratios, size
from gateway.catalog.types import Family, Model, Route

FACTS = "Google AI pricing, read 2026-11-21"
IMAGEN_RETIRED = date(2026, 8, 17)

IMAGEN = Route(
    provider="gemini",
    upstream_model="imagen-4.0-generate-001",
    sizing=ratios(
        "aspectRatio",
        {
            "1:1": "1024x1024",
            "16:9": "1408x768",
            "9:16": "768x1408",
            "4:3": "1280x896",
            "3:4": "896x1280",
        },
    ),
    image_cost=flat("0.04"),
    cost_source=FACTS,
    takes=frozenset({"output_format", "output_compression"}),
    max_n_per_call=4,
    output_formats=("png", "jpeg"),
    retires_on=IMAGEN_RETIRED,
)
# Pixels by ratio as the Gemini API guide lists them.
GEMINI = Route(
    provider="gemini",
    upstream_model="gemini-2.5-flash-image",
    sizing=ratios(
        "aspectRatio",
        {
            "1:1": "1024x1024",
            "16:9": "1344x768",
            "9:16": "768x1344",
            "4:3": "1184x864",
            "3:4": "864x1184",
            "3:2": "1248x832",
            "2:3": "832x1248",
            "5:4": "1152x896",
            "4:5": "896x1152",
            "21:9": "1536x672",
        },
    ),
    image_cost=flat("0.039"),
    cost_source=FACTS,
    token_rates=TokenRates(text_in=Decimal("0.30"), image_out=Decimal(30)),
    substitute=True,
)


def models() -> list[Model]:
    """Return Imagen 4 under both ids."""
    model = Model(
        id="imagen-4",
        key="imagen-4",
        name="Imagen 4",
        owned_by="Google",
        notes="Excellent with text",
        features=("Text-in-Image",),
        family=Family.OTHER,
        sizes=ListedSizes.of(
            "1024x1024",
            "1024x768",
            "768x1024",
            "1024x576",
            "576x1024",
            "1152x864",
            "864x1152",
            "1344x768",
            "768x1344",
        ),
        default_size=size("1024x1024"),
        max_n=DEFAULT_MAX_N,
        prompt_limit=DEFAULT_PROMPT_LIMIT,
        p50_s=6,
        p95_s=18,
        routes=(IMAGEN, GEMINI),
        retires_on=IMAGEN_RETIRED,
    )
    return under_ids(model, namespaced="google/imagen-4")
