"""The cells of a table, by column: texts, numbers, and lists written as Python literals. Nothing is evaluated."""

import ast
from collections.abc import Mapping
from typing import Any

from negjax.datasets.records import check_texts

Cells = Mapping[str, Any]
"""A row's cells by column: strings in a CSV file, any JSON value in a WebDataset sample."""

PATH_COLUMNS = ("filepath", "image_path")


def media_path(cells: Cells) -> str:
    """The path of the image or clip; raises ValueError if it is empty."""
    path = next(cells[name] for name in PATH_COLUMNS if name in cells).strip()
    if not path:
        raise ValueError("column filepath or image_path is empty")
    return path


def whole_number(cell: str) -> int:
    """The integer in a cell (pandas writes 0.0 for 0 in a column with gaps); raises ValueError if there is none."""
    value = number(cell)
    if not value.is_integer():
        raise ValueError(f"{cell!r} is not a whole number")
    return int(value)


def number(cell: str) -> float:
    """The number in a cell; raises ValueError if there is none."""
    try:
        return float(cell)
    except ValueError as error:
        raise ValueError(f"{cell!r} is not a number") from error


def texts(cells: Cells, column: str) -> list[str]:
    """The list of texts in a cell; raises ValueError, which names the column, if it is empty or malformed."""
    listed = _text_list(cells, column)
    if not listed:
        raise ValueError(f"column {column} is an empty list")
    return listed


def objects(cells: Cells, column: str) -> list[str]:
    """The names of objects in a cell; the published files write [''] for none, and may lack the column."""
    if not cells.get(column, ""):
        return []
    listed = _text_list(cells, column)
    return [] if listed == [""] else listed


def _text_list(cells: Cells, column: str) -> list[str]:
    try:
        value = ast.literal_eval(cells[column]) if isinstance(cells[column], str) else cells[column]
        check_texts(value, column)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"column {column} is not a Python list of texts: {str(cells[column])[:60]!r}") from error
    return list(value)
