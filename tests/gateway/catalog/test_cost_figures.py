"""The figures that costs are made of: those of the price book replace the catalog's."""

from decimal import Decimal

from billing.models import PriceUnit
from gateway.catalog.check import worst_cost
from gateway.catalog.costs import PER_IMAGE_OUT, CostKey
from gateway.catalog.registry import catalog
from gateway.services.pricebook.costs import all_routes, cost_rows

TEN_DECIMALS = Decimal("1e-10")


def test_figures_make_up_the_whole_cost():
    for model in catalog().models():
        for route in model.routes:
            assert route.at(route.costs()) is route
            doubled = route.at({key: 2 * usd for key, usd in route.costs().items()})
            for wanted in model.sizes.listed:
                for quality in model.qualities or (None,):
                    for inputs in (0, 1):
                        cell = (wanted, quality)
                        cost = worst_cost(model, route, *cell, inputs=inputs)
                        other = worst_cost(model, doubled, *cell, inputs=inputs)
                        assert other == (None if cost is None else 2 * cost), (route, cell)
            if route.partial_cost is not None:
                assert doubled.partial_cost == 2 * route.partial_cost


def test_one_figure_changes_what_it_is_the_price_of():
    model = catalog().find("gpt-image-2")
    assert model is not None
    route, key = model.routes[0], CostKey("text_in_1m")
    usage = {"input_tokens": 1000, "output_tokens": 1000}

    dearer = route.at({key: Decimal(7), CostKey("image", "1x1"): Decimal(9)})

    assert route.token_rates is not None
    assert dearer.token_rates is not None
    assert route.token_rates.usage_usd(usage) == Decimal("0.035")
    assert dearer.token_rates.usage_usd(usage) == Decimal("0.037")
    assert dearer.image_cost == route.image_cost
    assert route.at({PER_IMAGE_OUT: Decimal(60)}).image_cost != route.image_cost


def test_each_route_has_one_cost_whichever_model_it_serves():
    figures: dict[tuple[str, CostKey], Decimal] = {}
    for route in all_routes():
        for key, usd in route.costs().items():
            assert figures.setdefault((route.served_by, key), usd) == usd, route.served_by
            assert usd == usd.quantize(TEN_DECIMALS)

    rows = cost_rows()

    assert len(rows) == len(figures)
    assert {row.unit for row in rows} == set(PriceUnit.values)
