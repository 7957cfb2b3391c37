"""The price book: every list price with what it leaves, costs, a cell's history, and as CSV."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from billing.console.finance.topups import FinanceView
from billing.selectors.pricebook import Book, cell_history, list_books
from billing.selectors.prices import PublishedPrice
from billing.services.accounts import PLATFORM_CURRENCY
from billing.services.prices import PLATFORM_BOOK
from core.clock import now
from core.spreadsheets import csv_line
from gateway.services.pricebook.book import BookRow, list_costs, models_by_key, read_book
from gateway.services.pricebook.sheets import COLUMNS, INFORMATION

HISTORY: Final = 200
TEXT_LENGTH: Final = 100
KINDS: Final[Mapping[str, Promise]] = {
    "": pgettext_lazy("price book", "Sale"),
    "cost": pgettext_lazy("price book", "Cost"),
}
PLATFORM: Final = Book(PLATFORM_BOOK, PLATFORM_CURRENCY)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a cell's price: `phase` is `scheduled`, `active` or `past`."""

    published: PublishedPrice
    phase: str


class PricesView(FinanceView):
    """The price book."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show one book, or what images cost us."""
        books = list_books()
        if PLATFORM not in books:
            books = [PLATFORM, *books]
        text = _text(request)
        context = {
            "books": books,
            "book": _book(books, request),
            "kinds": KINDS.items(),
            "kind": "cost" if request.GET.get("kind") == "cost" else "",
            "text": text,
        }
        if context["kind"] == "cost":
            costs = list_costs(now=now())
            context["costs"] = [one for one in costs if text in one.model.id.lower()]
        else:
            context["rows"] = _rows(_book(books, request), text)
        return render(request, "console/finance/prices.html", context)


class PricesCsvView(FinanceView):
    """The book as a file, with the columns that an import takes."""

    def get(self, request: HttpRequest) -> StreamingHttpResponse:
        """Return a line for each price in force or to come."""
        book = _book([PLATFORM, *list_books()], request)
        return StreamingHttpResponse(
            _lines(_rows(book, _text(request))),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="prices-{book.name}.csv"'},
        )


class PriceHistoryView(FinanceView):
    """Every version of one cell of a book."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them.

        Raises:
            Http404: The cell has never had a price.
        """
        asked = {
            name: request.GET.get(name, "") for name in ("book", "model_key", "size", "quality")
        }
        moment = now()
        versions = _versions(cell_history(**asked, limit=HISTORY), moment)
        if not versions:
            raise Http404
        model = models_by_key().get(asked["model_key"])
        context = {
            **asked,
            "versions": versions,
            "currency": versions[0].published.price.currency,
            "model_id": "" if model is None else model.id,
        }
        return render(request, "console/finance/price_history.html", context)


def _rows(book: Book, text: str) -> list[BookRow]:
    rows = read_book(book=book, now=now())
    return [one for one in rows if text in one.published.price.model_key or text in one.model_id]


def _text(request: HttpRequest) -> str:
    return request.GET.get("q", "").strip().lower()[:TEXT_LENGTH]


def _book(books: Sequence[Book], request: HttpRequest) -> Book:
    name = request.GET.get("book", PLATFORM_BOOK)
    found = next((book for book in books if book.name == name), None)
    if found is None:
        raise Http404
    return found


def _versions(found: Sequence[PublishedPrice], moment: datetime) -> list[Version]:
    versions = []
    phase = "active"
    for one in found:
        if one.price.active_from > moment:
            versions.append(Version(one, "scheduled"))
        else:
            versions.append(Version(one, phase))
            phase = "past"
    return versions


def _lines(rows: Sequence[BookRow]) -> Iterator[str]:
    yield csv_line([*COLUMNS, *INFORMATION])
    for row in rows:
        price, least = row.published.price, row.least
        yield csv_line(
            [
                row.model_id,
                price.size,
                price.quality,
                price.currency,
                f"{price.amount.normalize():f}",
                f"{price.input_amount.normalize():f}",
                price.unit,
                f"{price.base_amount.normalize():f}",
                price.base_pixels,
                price.active_from.isoformat(),
                price.source,
                price.price_book,
                price.id,
                price.source_date.isoformat(),
                row.published.created_by,
                f"{row.markup.normalize():f}",
                f"{row.sale.normalize():f}",
                "" if least is None else f"{least.cost.normalize():f}",
                "" if least is None else f"{least.gain.normalize():f}",
            ]
        )
