"""Tables as XLSX workbooks: real numbers, dates and times, in constant memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Any, Final

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

# A sheet has 1,048,576 rows; what is more goes on to another one.
ROWS_A_SHEET: Final = 1_000_000
_WIDTHS: Final = {"amount": 18, "date": 12, "moment": 20, "count": 10, "share": 10, "text": 24}
_FORMATS: Final = {
    "amount": "#,##0.00####",
    "date": "yyyy-mm-dd",
    "moment": "yyyy-mm-dd hh:mm:ss",
    "count": "#,##0",
    "share": "0.0%",
    "text": "@",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, and what is in it: `text amount date moment count share`."""

    name: str
    kind: str = "text"


def write_workbook(
    columns: Sequence[Column], rows: Iterable[Sequence[object]], *, name: str
) -> IO[bytes]:
    """Write rows to a temporary file, which is gone once closed; it stands at its beginning.

    Text is never taken for a formula or a link. Times are written in UTC, as spreadsheets know no
    zones. A cell of None stays empty.

    Args:
        columns: Their names are the first row of every sheet.
        rows: Cells in the order of the columns; read one by one.
        name: Of the sheet; at most 28 characters.
    """
    file = TemporaryFile()  # noqa: SIM115 - the caller's
    with Workbook(file, {"constant_memory": True}) as book:
        formats = {kind: book.add_format({"num_format": one}) for kind, one in _FORMATS.items()}
        heading = book.add_format({"bold": True, "bottom": 1})
        sheet = _open_sheet(book, columns, name, heading)
        line = 0
        for row in rows:
            if line == ROWS_A_SHEET:
                name_of_next = f"{name} {len(book.worksheets()) + 1}"
                sheet, line = _open_sheet(book, columns, name_of_next, heading), 0
            line += 1
            for at, (column, value) in enumerate(zip(columns, row, strict=True)):
                _write_cell(sheet, (line, at), value, formats[column.kind])
    file.seek(0)
    return file


def _open_sheet(book: Workbook, columns: Sequence[Column], name: str, heading: object) -> Worksheet:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    for at, column in enumerate(columns):
        sheet.set_column(at, at, _WIDTHS[column.kind])
        sheet.write_string(0, at, column.name, heading)
    return sheet


def _write_cell(sheet: Worksheet, place: tuple[int, int], value: object, form: Any) -> None:  # noqa: ANN401 - a library's
    match value:
        case None:
            return
        case datetime():
            sheet.write_datetime(*place, value.astimezone(UTC).replace(tzinfo=None), form)
        case date():
            sheet.write_datetime(*place, value, form)
        case int() | Decimal():
            sheet.write_number(*place, value, form)
        case _:
            sheet.write_string(*place, str(value), form)
