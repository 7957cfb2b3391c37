"""Lines of CSV files that people open in spreadsheets."""

import csv
import io
from collections.abc import Iterable
from typing import Final

# What makes a spreadsheet take a cell for a formula.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_line(cells: Iterable[object]) -> str:
    """Write one line; texts are marked so that a spreadsheet shows them and does not compute."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([plain_cell(cell) for cell in cells])
    return text.getvalue()


def plain_cell(value: object) -> object:
    """Return a cell that a spreadsheet shows as it is."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
