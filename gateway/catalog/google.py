"""Google's models."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from gateway.catalog.build import (
    ordinary_model,
    under_ids,
)
from gateway.catalog.costs import MILLION, TokenRates, flat, token_rates
from gateway.catalog.sizes import ListedSizes, Menu, ratios
from gateway.catalog.types import AllowedLoss, Editing, Model, Route

FACTS = "Google AI pricing, read 2026-11-21"
# On the Gemini API; Vertex AI, another host, is asked as long as it answers.
IMAGEN_RETIRED = date(2026, 8, 17)
FLASH = "gemini-2.5-flash-image"
# Of one inline image at Vertex AI; the Gemini API counts all of a call together (Google's guides,
# read 2026-11-21).
INLINE_BYTES = 7_000_000

# Pixels by ratio as the Gemini API's guides list them, read 2026-11-21.
IMAGEN_PIXELS = {
    "1:1": "1024x1024",
    "16:9": "1408x768",
    "9:16": "768x1408",
    "4:3": "1280x896",
    "3:4": "896x1280",
}
FLASH_PIXELS = {
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
}
GEMINI_3_PIXELS = {
    "1:1": "1024x1024",
    "16:9": "1376x768",
    "9:16": "768x1376",
    "4:3": "1200x896",
    "3:4": "896x1200",
    "3:2": "1264x848",
    "2:3": "848x1264",
    "5:4": "1152x928",
    "4:5": "928x1152",
    "21:9": "1584x672",
}
GEMINI_3_PIXELS_2K = {
    ratio: "x".join(str(2 * int(edge)) for edge in text.split("x"))
    for ratio, text in GEMINI_3_PIXELS.items()
}
GEMINI_3_1K = ratios("aspectRatio", GEMINI_3_PIXELS, imageSize="1K")
GEMINI_3_2K = ratios("aspectRatio", GEMINI_3_PIXELS_2K, imageSize="2K")

IMAGEN_SIZES = (
    "1024x1024",
    "1024x768",
    "768x1024",
    "1024x576",
    "576x1024",
    "1152x864",
    "864x1152",
    "1344x768",
    "768x1344",
)
SMALLER_SIZES = ("1024x768", "768x1024", "1280x720", "720x1280", "1024x576", "576x1024")
LARGE_SIZES = (
    "1536x1024",
    "1024x1536",
    "1792x1024",
    "1024x1792",
    "1920x1080",
    "1080x1920",
    "2560x1440",
    "1440x2560",
)


def _imagen(upstream: str, usd: str) -> Route:
    return Route(
        provider="gemini",
        upstream_model=upstream,
        sizing=ratios("aspectRatio", IMAGEN_PIXELS),
        image_cost=flat(usd),
        cost_source=FACTS,
        takes=frozenset({"output_format", "output_compression"}),
        max_n_per_call=4,
        output_formats=("png", "jpeg"),
        retires_on=IMAGEN_RETIRED,
        # Vertex AI rewrites prompts and says how.
        revised_prompt=True,
    )


def _gemini(
    upstream: str,
    usd: str,
    sizing: Menu,
    *,
    rates: TokenRates,
    editing: Editing | None = None,
    substitute: bool = False,
    losses: tuple[AllowedLoss, ...] = (),
) -> Route:
    """Return the route of a Gemini model, which draws one image a call and bills tokens."""
    return Route(
        provider="gemini",
        upstream_model=upstream,
        sizing=sizing,
        image_cost=flat(usd),
        cost_source=FACTS,
        token_rates=rates,
        editing=editing,
        substitute=substitute,
        allowed_losses=losses,
    )


def _editing(max_inputs: int, *, tokens: int, rates: TokenRates) -> Editing:
    """Return what a Gemini model takes; `tokens` are the most that it counts for an image."""
    return Editing(
        max_inputs=max_inputs,
        input_cost=tokens * (rates.image_in or rates.text_in) / MILLION,
        max_bytes=INLINE_BYTES,
    )


FLASH_RATES = token_rates(text_in="0.30", image_in="0.30", image_out="30", text_out="2.50")
FLASH_SIZING = ratios("aspectRatio", FLASH_PIXELS)
IN_PLACE_OF_IMAGEN = _gemini(FLASH, "0.039", FLASH_SIZING, rates=FLASH_RATES, substitute=True)
# 258 tokens for each tile of 768 x 768 pixels: 36 tiles of 4096 x 4096; larger images are reduced.
GEMINI = _gemini(
    FLASH,
    "0.039",
    FLASH_SIZING,
    rates=FLASH_RATES,
    editing=_editing(3, tokens=36 * 258, rates=FLASH_RATES),
)
# 1K and 2K images are 1,120 tokens alike; as many at most are counted for one sent along.
PRO_RATES = token_rates(text_in="2", image_in="2", image_out="120", text_out="12")
PRO = _gemini(
    "gemini-3-pro-image",
    "0.134",
    Menu(GEMINI_3_1K.options + GEMINI_3_2K.options),
    rates=PRO_RATES,
    editing=_editing(14, tokens=1_120, rates=PRO_RATES),
    losses=(
        AllowedLoss(
            "images are sold at one price whatever the length of the prompt, "
            "and a prompt near the limit costs more than the margin",
            up_to=Decimal("0.002"),
        ),
    ),
)
FLASH_3_1_RATES = token_rates(text_in="0.50", image_in="0.50", image_out="60", text_out="3")
FLASH_3_1 = _gemini(
    "gemini-3.1-flash-image",
    "0.0672",
    GEMINI_3_1K,
    rates=FLASH_3_1_RATES,
    editing=_editing(14, tokens=1_120, rates=FLASH_3_1_RATES),
)


def _model(
    name: str,
    title: str,
    routes: tuple[Route, ...],
    *,
    notes: str,
    sizes: ListedSizes,
    latency_s: tuple[int, int],
    features: tuple[str, ...] = ("Text-in-Image",),
    retires_on: date | None = None,
) -> list[Model]:
    """Return a model under both ids; `latency_s` is its usual P50 and P95."""
    model = ordinary_model(
        name,
        title,
        routes,
        owned_by="Google",
        notes=notes,
        features=features,
        latency_s=latency_s,
        sizes=sizes,
    )
    successor = None if retires_on is None else FLASH
    model = replace(model, retires_on=retires_on, successor=successor)
    return under_ids(model, namespaced=f"google/{name}")


def _imagen_model(
    name: str,
    title: str,
    routes: tuple[Route, ...],
    *,
    notes: str,
    latency_s: tuple[int, int],
    features: tuple[str, ...] = ("Text-in-Image",),
) -> list[Model]:
    return _model(
        name,
        title,
        routes,
        notes=notes,
        sizes=ListedSizes.of(*IMAGEN_SIZES),
        latency_s=latency_s,
        features=features,
        retires_on=IMAGEN_RETIRED,
    )


def _native(pixels: Mapping[str, str], *further: str) -> ListedSizes:
    return ListedSizes.of(*pixels.values(), *further)


def models() -> list[Model]:
    """Return Imagen 4 and the Gemini image models, each under both ids.

    No model that costs as little as Imagen 4 Fast sells for could stand in for it.
    """
    return [
        *_imagen_model(
            "imagen-4",
            "Imagen 4",
            (_imagen("imagen-4.0-generate-001", "0.04"), IN_PLACE_OF_IMAGEN),
            notes="Excellent with text",
            latency_s=(6, 18),
        ),
        *_imagen_model(
            "imagen-4-fast",
            "Imagen 4 Fast",
            (_imagen("imagen-4.0-fast-generate-001", "0.02"),),
            notes="Quick and inexpensive; on Vertex AI only",
            latency_s=(3, 9),
            features=("Fast",),
        ),
        *_imagen_model(
            "imagen-4-ultra",
            "Imagen 4 Ultra",
            (_imagen("imagen-4.0-ultra-generate-001", "0.06"), IN_PLACE_OF_IMAGEN),
            notes="Follows prompts closely",
            latency_s=(9, 27),
        ),
        *_model(
            FLASH,
            "Gemini 2.5 Flash Image",
            (GEMINI,),
            notes="Versatile and quick",
            sizes=_native(FLASH_PIXELS, *SMALLER_SIZES),
            latency_s=(8, 25),
        ),
        *_model(
            "gemini-3.1-flash-image",
            "Gemini 3.1 Flash Image",
            (FLASH_3_1,),
            notes="Detailed, good with text",
            sizes=_native(GEMINI_3_PIXELS, *SMALLER_SIZES),
            latency_s=(12, 40),
        ),
        *_model(
            "gemini-3-pro-image",
            "Gemini 3 Pro Image",
            (PRO,),
            notes="Best with text and complex scenes, up to 2K",
            sizes=_native(
                GEMINI_3_PIXELS, *SMALLER_SIZES, *LARGE_SIZES, *GEMINI_3_PIXELS_2K.values()
            ),
            latency_s=(20, 60),
            features=("Text-in-Image", "HD"),
        ),
    ]
