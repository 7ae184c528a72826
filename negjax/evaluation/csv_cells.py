"""Cells of CSV files that spreadsheets show as they are: a text that would be a formula gets an apostrophe.

Spreadsheets calculate a cell that begins with one of = + - @ (also in full width), and skip white space before it.
Source: OWASP, CSV Injection.
"""

import re

_FORMULA = re.compile("'*(\\s*[=+\\-@＝＋－＠]|[\t\r\n])")


def to_cell(text: str) -> str:
    """The text as a cell; `from_cell` gives it back."""
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(cell: str) -> str:
    """The text of a cell that `to_cell` made."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell
