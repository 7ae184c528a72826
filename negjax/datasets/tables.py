"""NegBench's CSV files: what each row says, checked. Lists are Python literals; nothing is ever evaluated.

captions:   filepath, captions, often positive_objects and negative_objects
negcap:     filepath, caption, negative_captions
questions:  image_path, correct_answer, caption_0, caption_1, ..., often correct_answer_template

Columns come in any order and others are ignored; the image's path is in filepath or in image_path.
"""

import ast
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etils import epath

from negjax.datasets.records import Record, check_answer, check_texts
from negjax.errors import NegjaxError

PATHS = ("filepath", "image_path")
NEEDED = {
    "captions": ("captions",),
    "negcap": ("caption", "negative_captions"),
    "questions": ("correct_answer", "caption_0", "caption_1"),
}
OBJECTS = ("positive_objects", "negative_objects")


@dataclass(frozen=True)
class Row:
    """A row of a table: where its image is said to be, and its record without the image."""

    file: str
    record: Record


def read_rows(path: epath.PathLike, kind: str) -> Iterator[Row]:
    """The rows of a NegBench file of this kind (a key of NEEDED); a record's `id` is its row, counted from 0.

    Raises NegjaxError that names the file, the row (its id, and its line as an editor counts) and the column.
    """
    try:
        with epath.Path(path).open("rb") as file:
            yield from _read(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), path, kind)
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise NegjaxError(f"{path} is not UTF-8 text ({error.reason}): save it as UTF-8") from error


def _read(text: io.TextIOWrapper, path: epath.PathLike, kind: str) -> Iterator[Row]:
    reader, row = csv.reader(text, strict=True), -1
    try:
        columns: list[str] = next(reader, [])
        _check_columns(columns, path, kind)
        for row, cells in enumerate(filter(None, reader)):
            line = reader.line_num - sum(cell.count("\n") for cell in cells)
            try:
                if len(cells) != len(columns):
                    raise ValueError(f"{len(cells)} cells where the header has {len(columns)} columns")
                parsed = _row(dict(zip(columns, cells)), row, kind)
            except ValueError as error:
                raise NegjaxError(f"{path} row {row} (line {line}): {error}") from error
            yield parsed
    except csv.Error as error:
        raise NegjaxError(f"{path} row {row + 1} (line {reader.line_num}): {error}") from error


def _check_columns(columns: Sequence[str], path: epath.PathLike, kind: str) -> None:
    if repeated := [name for name in columns if columns.count(name) > 1]:
        raise NegjaxError(f"{path} has the column {repeated[0]!r} twice")
    absent = _absent(columns, kind)
    if kind == "questions":
        options = [name for name in columns if re.fullmatch(r"caption_\d+", name)]
        absent += [name for i in range(2, len(options)) if (name := f"caption_{i}") not in columns]
    if absent:
        other = [name for name in NEEDED if not _absent(columns, name)]
        hint = f"; it looks like --kind {other[0]}" if other and other[0] != kind else ""
        raise NegjaxError(
            f"{path} has no column {', '.join(absent)}, needed for --kind {kind}; "
            f"it has: {', '.join(columns) or 'nothing'}{hint}"
        )


def _absent(columns: Sequence[str], kind: str) -> list[str]:
    path = [] if set(PATHS) & set(columns) else [" or ".join(PATHS)]
    return path + [name for name in NEEDED[kind] if name not in columns]


def _row(cells: dict[str, str], row: int, kind: str) -> Row:
    file = next(cells[name] for name in PATHS if name in cells).strip()
    if not file:
        raise ValueError("column filepath or image_path is empty")
    record: Record = {"id": row}
    if kind == "questions":
        record |= _question(cells) | {"group": row}
    elif kind == "negcap":
        record |= {"captions": [cells["caption"]], "negated_captions": _texts(cells, "negative_captions")}
    else:
        record |= {"captions": _texts(cells, "captions")}
    if kind != "questions":
        record |= {name: _objects(cells, name) for name in OBJECTS}
    return Row(file, record)


def _question(cells: dict[str, str]) -> Record:
    options: list[str] = []
    while (name := f"caption_{len(options)}") in cells:
        options.append(cells[name])
    try:
        answer = int(cells["correct_answer"])
        check_answer(answer, options)
    except ValueError as error:
        raise ValueError(f"column correct_answer: {error}") from error
    return {"options": options, "answer": answer, "kind": cells.get("correct_answer_template", "")}


def _texts(cells: dict[str, str], name: str) -> list[str]:
    texts = _list(cells, name)
    if not texts:
        raise ValueError(f"column {name} is an empty list")
    return texts


def _objects(cells: dict[str, str], name: str) -> list[str]:
    """The published files say [''] for none, and may lack the column."""
    if not cells.get(name, ""):
        return []
    objects = _list(cells, name)
    return [] if objects == [""] else objects


def _list(cells: dict[str, str], name: str) -> list[str]:
    try:
        value = ast.literal_eval(cells[name])
        check_texts(value, name)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"column {name} is not a Python list of texts: {cells[name][:60]!r}") from error
    return list(value)
