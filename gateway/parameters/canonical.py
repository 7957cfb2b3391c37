"""The stored form of a checked request: plain JSON, with every default resolved."""

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from gateway.catalog.registry import catalog
from gateway.catalog.sizes import size
from gateway.errors import ModelNotFoundError
from gateway.parameters.types import GenerationRequest, InputFile
from gateway.types import Operation


def to_canonical(request: GenerationRequest) -> dict[str, object]:
    """Return the request as JSON values."""
    stored: dict[str, object] = {
        "model": request.model.id,
        "requested_model": request.requested_model,
        "prompt": request.prompt,
        "n": request.n,
        "size": str(request.size),
        "quality": request.quality,
        "style": request.style,
        "response_format": request.response_format,
        "output_format": request.output_format,
        "output_compression": request.output_compression,
        "background": request.background,
        "moderation": request.moderation,
        "seed": request.seed,
        "user": request.user,
        "max_cost": None if request.max_cost is None else f"{request.max_cost:f}",
        "dropped": list(request.dropped),
        "stream": request.stream,
        "partial_images": request.partial_images,
    }
    if request.operation is not Operation.GENERATION:
        stored |= {
            "operation": request.operation.value,
            "inputs": [asdict(file) for file in request.inputs],
            "mask": None if request.mask is None else asdict(request.mask),
            "input_fidelity": request.input_fidelity,
        }
    return stored


def from_canonical(stored: Mapping[str, Any]) -> GenerationRequest:
    """Return the request that `to_canonical` stored.

    Raises:
        ModelNotFoundError: The model has left the catalog since.
    """
    model = catalog().find(stored["model"])
    if model is None:
        raise ModelNotFoundError(f"The model '{stored['model']}' no longer exists.", param="model")
    max_cost, mask = stored["max_cost"], stored.get("mask")
    return GenerationRequest(
        model=model,
        requested_model=stored["requested_model"],
        prompt=stored["prompt"],
        n=stored["n"],
        size=size(stored["size"]),
        quality=stored["quality"],
        style=stored["style"],
        response_format=stored["response_format"],
        output_format=stored["output_format"],
        output_compression=stored["output_compression"],
        background=stored["background"],
        moderation=stored["moderation"],
        seed=stored["seed"],
        user=stored["user"],
        max_cost=None if max_cost is None else Decimal(max_cost),
        dropped=tuple(stored["dropped"]),
        # Rows of version 0.1 have neither.
        stream=stored.get("stream", False),
        partial_images=stored.get("partial_images", 0),
        operation=Operation(stored.get("operation", Operation.GENERATION)),
        inputs=tuple(InputFile(**file) for file in stored.get("inputs", ())),
        mask=None if mask is None else InputFile(**mask),
        input_fidelity=stored.get("input_fidelity"),
    )
