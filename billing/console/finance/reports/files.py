"""Reports as files: CSV for programs, XLSX for spreadsheets."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from django.http import FileResponse, Http404, StreamingHttpResponse
from django.http.response import HttpResponseBase

from billing.money import to_decimal
from core.spreadsheets import csv_line
from core.workbooks import Column, write_workbook

KINDS: Final = ("csv", "xlsx")
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def report_file(
    kind: str, *, name: str, columns: Sequence[Column], rows: Iterable[Sequence[object]]
) -> HttpResponseBase:
    """Return a report as `csv` or `xlsx`; micros in columns of amounts become currency units.

    Args:
        kind: Of the file.
        name: Of the file, without its ending; what is before the first dash names the sheet.
        columns: What each cell is.
        rows: Read one by one, while they are sent or written.

    Raises:
        Http404: There is no such kind.
    """
    if kind not in KINDS:
        raise Http404
    cells = _in_units(columns, rows)
    if kind == "xlsx":
        book = write_workbook(columns, cells, name=name.partition("-")[0])
        return FileResponse(
            book,
            as_attachment=True,
            filename=f"{name}.xlsx",
            content_type=_XLSX,
            headers={"Cache-Control": "private, no-store"},
        )
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "Cache-Control": "private, no-store",
    }
    return StreamingHttpResponse(
        _lines(columns, cells), content_type="text/csv; charset=utf-8", headers=headers
    )


def _in_units(
    columns: Sequence[Column], rows: Iterable[Sequence[object]]
) -> Iterator[Sequence[object]]:
    amounts = {at for at, column in enumerate(columns) if column.kind == "amount"}
    for row in rows:
        yield [
            to_decimal(cell) if at in amounts and isinstance(cell, int) else cell
            for at, cell in enumerate(row)
        ]


def _lines(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield csv_line(column.name for column in columns)
    for row in rows:
        yield csv_line(cell.isoformat() if isinstance(cell, datetime) else cell for cell in row)
