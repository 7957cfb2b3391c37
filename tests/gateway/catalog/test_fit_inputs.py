"""What the routes that edit take, and what they refuse."""

from dataclasses import replace

import pytest

from gateway.catalog.fit import can_serve, fit
from gateway.catalog.registry import catalog
from gateway.catalog.sizes import Size
from gateway.catalog.types import Route
from gateway.errors import UnsupportedValueError
from gateway.parameters.generation import parse_generation
from gateway.parameters.types import GenerationRequest, InputFile
from gateway.types import Operation

MODEL = "flux-2-pro"


def file(**changes: object) -> InputFile:
    given = {
        "content_type": "image/png",
        "sha256": "0" * 64,
        "size_bytes": 1_000,
        "width": 2048,
        "height": 2048,
    }
    return InputFile(**{**given, **changes})  # type: ignore[arg-type]  # a test's short form


def edit_of(model_id: str, *files: InputFile, **fields: object) -> GenerationRequest:
    request = parse_generation({"model": model_id, "prompt": "a cat"}, default_model=None)
    return replace(request, operation=Operation.EDIT, inputs=files, **fields)  # type: ignore[arg-type]  # as above


def first_route(model_id: str) -> Route:
    model = catalog().find(model_id)
    assert model is not None
    return model.routes[0]


@pytest.mark.parametrize(
    ("files", "fields", "message"),
    [
        ((file(width=2049),), {}, "more than 4194304 pixels"),
        ((file(size_bytes=20_000_001),), {}, "more than 20000000 bytes"),
        ((file(),) * 9, {}, "more than 8 images"),
        ((file(),), {"mask": file()}, "takes a mask"),
    ],
)
def test_what_a_route_does_not_take_is_refused(files, fields, message):
    request, route = edit_of(MODEL, *files, **fields), first_route(MODEL)

    assert not can_serve(request, route)
    with pytest.raises(UnsupportedValueError, match=message):
        fit(request, route, 1)


def test_the_largest_images_that_a_price_is_for_are_taken():
    request = edit_of(MODEL, *[file()] * 8)

    assert can_serve(request, first_route(MODEL))


def test_a_route_that_only_edits_draws_nothing_of_a_prompt_alone():
    model = catalog().find("flux-kontext-pro")
    assert model is not None
    drawing = parse_generation({"model": model.id, "prompt": "a cat"}, default_model=None)
    small = edit_of(model.id, file(width=64, height=64))

    assert [can_serve(drawing, route) for route in model.routes] == [True, False]
    assert [can_serve(small, route) for route in model.routes] == [True, True]
    assert [can_serve(edit_of(model.id, file(), file()), route) for route in model.routes] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("sent", "size", "expected"),
    [
        ((1024, 1024), "1024x1024", True),
        ((1920, 1080), "1344x768", True),
        ((4000, 3000), "1024x768", True),
        ((1920, 1080), "1024x1024", False),
        ((1000, 1000), "1024x1024", False),
        ((1000, 1000), "512x512", True),
    ],
)
def test_an_edit_that_keeps_the_shape_must_cover_the_size(sent, size, expected):
    image = file(width=sent[0], height=sent[1])
    request = replace(edit_of("sd-3.5-medium", image), size=Size(*map(int, size.split("x"))))
    route = first_route("sd-3.5-medium")

    assert can_serve(request, route) is expected
    if not expected:
        with pytest.raises(UnsupportedValueError, match="edits keep its shape") as raised:
            fit(request, route, 1)
        assert raised.value.param == "size"


def test_an_upstream_of_square_images_leaves_others_to_the_next():
    own, *substitutes = catalog().find("dall-e-2").routes  # type: ignore[union-attr]  # it is there
    wide, square = (edit_of("dall-e-2", file(width=width, height=64)) for width in (96, 64))

    assert can_serve(square, own)
    assert not can_serve(wide, own)
    assert any(can_serve(wide, route) for route in substitutes)
