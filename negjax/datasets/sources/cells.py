"""The cells of a table, by column: texts, numbers, and lists, as Python or JSON writes them. Nothing is evaluated.

A cell with a value means what it means in a CSV file: a number is its digits, and no value is an empty text.
"""

import ast
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from negjax.datasets.json_text import parse_json
from negjax.datasets.records import check_texts

Cells = Mapping[str, Any]
"""A row's cells by column: strings in a CSV file, any value in the other formats and in a WebDataset sample."""

STRING_LITERAL = re.compile(
    r"""'{3}(?:[^\\]|\\.)*?'{3}|"{3}(?:[^\\]|\\.)*?"{3}|'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+\"""", re.DOTALL
)
JSON_LIST = re.compile(r'\s*\[\s*"')
PATH_COLUMNS = ("filepath", "image_path", "image")


def media_path(cells: Cells) -> str:
    """The path of the image or clip; raises ValueError if there is none."""
    column = next((name for name in PATH_COLUMNS if name in cells), "")
    path = text(cells, column).strip() if column else ""
    if not path:
        raise ValueError("column filepath or image_path is empty")
    return path


def text(cells: Cells, column: str) -> str:
    """The text in a cell, also that of a number; raises ValueError, which names the column, if there is none."""
    cell = cells[column]
    if not isinstance(cell, str):
        if _has_no_value(cell):
            return ""
        if not isinstance(cell, bool | int | float | Decimal):
            raise ValueError(f"column {column} holds {_describe(cell)} where a text belongs")
        return str(cell)
    if not cell.isascii():  # a cell of JSON may hold half a character
        check_texts([cell], f"column {column}")
    return cell


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
    cell = cells.get(column)
    if not cell or _has_no_value(cell):
        return []
    listed = _text_list(cells, column)
    return [] if listed == [""] else listed


def _text_list(cells: Cells, column: str) -> list[str]:
    cell = "" if _has_no_value(cells[column]) else cells[column]
    try:
        value = _parse_list(cell) if isinstance(cell, str) else cell
        check_texts(value, column)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"column {column} is not a Python or JSON list of texts: {str(cell)[:60]!r}") from error
    if isinstance(cell, str) and len(STRING_LITERAL.findall(cell)) != len(value):
        raise ValueError(
            f"column {column} has texts without a comma between them, as NumPy prints an array: {cell[:60]!r}; write "
            "lists to the file, with array.tolist(), or json.dumps(array.tolist())"
        )
    return list(value)


def _parse_list(cell: str) -> Any:
    """The value of a JSON list or a Python literal."""
    if JSON_LIST.match(cell):
        try:
            return parse_json(cell)
        except ValueError:
            pass  # a Python list whose first text has an apostrophe begins like this too
    return ast.literal_eval(cell.strip())


def _has_no_value(cell: Any) -> bool:
    """Whether a cell is None or NaN, as pandas writes gaps."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _describe(cell: Any) -> str:
    """What a cell holds that is no text, for errors."""
    if isinstance(cell, Mapping):
        return f"an object with the keys {', '.join(cell) or '(none)'}"[:80]
    return "a list" if isinstance(cell, Sequence) and not isinstance(cell, bytes) else f"a {type(cell).__name__}"
