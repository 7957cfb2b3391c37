"""The check that no image is sold below its cost, and that every size can be drawn."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from gateway.catalog.check import check_catalog, may_serve
from gateway.catalog.costs import flat
from gateway.catalog.prices import ListPrice
from gateway.catalog.registry import Catalog, catalog
from gateway.catalog.sizes import named_sizes, size
from gateway.catalog.types import AllowedLoss, Model, Route

MARKUP = Decimal("0.05")


def model(model_id: str) -> Model:
    found = catalog().find(model_id)
    assert found is not None, model_id
    return found


def test_shipped_catalog_has_no_findings():
    assert check_catalog(MARKUP) == []


def test_check_finds_a_planted_loss():
    flux = model("flux-dev")
    dear = replace(flux.routes[0], image_cost=flat("0.0263"))
    planted = Catalog([replace(flux, routes=(dear,))])

    findings = check_catalog(MARKUP, models=planted)

    assert len(findings) == len(flux.sizes.listed)
    assert "flux-dev by bfl/flux-dev: 1024x1024 costs up to 0.0263 USD" in findings[0]


def test_check_accepts_a_loss_up_to_its_bound():
    flux = model("flux-dev")
    loss = AllowedLoss("launch offer", up_to=Decimal("0.00005"))
    dear = replace(flux.routes[0], image_cost=flat("0.0263"), allowed_losses=(loss,))
    assert check_catalog(MARKUP, models=Catalog([replace(flux, routes=(dear,))])) == []

    dearer = replace(dear, image_cost=flat("0.02631"))
    assert check_catalog(MARKUP, models=Catalog([replace(flux, routes=(dearer,))]))


def test_check_finds_a_loss_after_a_price_change():
    cheap = ListPrice("flux-dev", None, None, Decimal("0.01"), "image", "test")
    findings = check_catalog(
        MARKUP, models=Catalog([model("flux-dev")]), prices=lambda _key: [cheap]
    )
    assert any("fal" in finding for finding in findings)


def test_check_finds_a_size_out_of_reach():
    flux = model("flux-dev")
    small = replace(flux.routes[0], sizing=named_sizes("512x512"))
    findings = check_catalog(MARKUP, models=Catalog([replace(flux, routes=(small,))]))
    assert "flux-dev by bfl/flux-dev: cannot reach 1024x768" in findings


def test_check_takes_a_size_that_is_left_to_a_route_that_reaches_it():
    flux = model("flux-dev")
    small = replace(flux.routes[0], sizing=named_sizes("512x512"), leaves=flux.sizes.listed)
    assert (
        check_catalog(MARKUP, models=Catalog([replace(flux, routes=(small, flux.routes[1]))])) == []
    )
    assert len(check_catalog(MARKUP, models=Catalog([replace(flux, routes=(small,))]))) == 2


def test_check_covers_every_size_and_quality_with_prompts_at_their_limit():
    priced = replace(model("gpt-image-1.5"), successor=None)
    strict = replace(priced.routes[0], allowed_losses=())

    def findings(checked: Route) -> list[str]:
        return check_catalog(MARKUP, models=Catalog([replace(priced, routes=(checked,))]))

    # 32,000 letters cost 0.16 USD, more than the margin of any image; ten cost nearly nothing.
    assert len(findings(strict)) == len(priced.sizes.listed) * len(priced.qualities) == 9
    assert findings(replace(strict, prompt_limit=10)) == []


def test_check_finds_gpt_image_2_too_dear_for_dall_e_3():
    dall_e_3 = model("dall-e-3")
    dear = replace(
        model("gpt-image-2").routes[0], qualities={"standard": "medium", "hd": "high"},
        allowed_losses=(),
    )  # fmt: skip
    assert check_catalog(
        MARKUP, models=Catalog([replace(dall_e_3, routes=(dear,), successor=None)])
    )


def test_route_may_serve_at_its_price_and_not_below():
    flux = model("flux-dev")
    [route] = (route for route in flux.routes if route.provider == "bfl")
    square = size("1024x1024")
    assert may_serve(flux, route, square, None, sale_usd=Decimal("0.025"))
    assert not may_serve(flux, route, square, None, sale_usd=Decimal("0.0249"))


def test_command_reports_and_fails(capsys):
    call_command("check_catalog")
    assert "sound" in capsys.readouterr().out
    with pytest.raises(CommandError, match="findings"):
        call_command("check_catalog", "--markup", "-0.5")
