"""CSV files, NegBench's and others': what each row says, checked. Lists are Python literals; nothing is evaluated.

captions:   filepath, captions, often positive_objects and negative_objects
negcap:     filepath, caption, negative_captions
questions:  image_path, correct_answer, caption_0, caption_1, ..., often correct_answer_template
pairs:      filepath, caption, negative_caption
crepe:      image_id, caption, hard_negs, x, y, width, height (CREPE: Visual Genome's images, cut)

Columns come in any order and others are ignored, an index without a name too; the path of the image or clip is in
filepath or in image_path.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from etils import epath

from negjax.datasets.records import Record, check_answer, check_texts
from negjax.datasets.sources.crops import check_box
from negjax.datasets.sources.csv_files import CsvFile, Start
from negjax.datasets.sources.rows import Row, right_first
from negjax.errors import NegjaxError

PATHS = ("filepath", "image_path")
NEEDED = {
    "captions": ("captions",),
    "negcap": ("caption", "negative_captions"),
    "questions": ("correct_answer", "caption_0", "caption_1"),
    "pairs": ("caption", "negative_caption"),
    "crepe": ("image_id", "caption", "hard_negs", "x", "y", "width", "height"),
}
FIELDS = {
    "captions": ("captions",),
    "negcap": ("captions", "negated_captions"),
    "questions": ("question",),
    "pairs": ("question",),
    "crepe": ("question",),
}
OBJECTS = ("positive_objects", "negative_objects")
CREPE_FOLDERS = ("VG_100K", "VG_100K_2")  # Visual Genome's images come in two parts; a row does not say in which


def read_rows(
    path: epath.PathLike,
    kind: str,
    start: Start | None = None,
    rows: int | None = None,
    on_bad: Callable[[int, str], object] | None = None,
) -> Iterator[Row]:
    """The rows of a file of this kind (a key of NEEDED); a record's `id` is its row, counted from 0.

    start, rows: only so many, from there on. on_bad: is told of rows that cannot be understood, and why, which are then
    left out. Raises NegjaxError that names the file, the row (its id, and its line as an editor counts) and the column.
    """
    file = CsvFile(path)
    check_columns(file, kind)
    for place, cells in islice(file.rows(start), rows):
        try:
            row = read_row(file, place, cells, kind)
        except ValueError as error:
            if on_bad is None:
                raise NegjaxError(str(error)) from error
            on_bad(place.row, str(error))
            continue
        yield row


def read_row(file: CsvFile, place: Start, cells: Sequence[str], kind: str) -> Row:
    """The row of these cells, which begins there. Raises ValueError that names the file, the row and the column."""
    try:
        if len(cells) != len(file.columns):
            raise ValueError(f"{len(cells)} cells where the header has {len(file.columns)} columns")
        return row_of(dict(zip(file.columns, cells)), place.row, kind)
    except ValueError as error:
        raise ValueError(f"{file.path} row {place.row} (line {place.line}): {error}") from error


def path_column(columns: Sequence[str]) -> int:
    """Which column holds the path of the image or clip."""
    return next(columns.index(name) for name in PATHS if name in columns)


def check_columns(file: CsvFile, kind: str) -> None:
    """Raises NegjaxError when the file lacks a column that its kind needs, or has one twice."""
    path, columns = file.path, file.columns
    if repeated := [name for name in columns if name and columns.count(name) > 1]:
        raise NegjaxError(f"{path} has the column {repeated[0]!r} twice")
    absent = _absent(columns, kind)
    if kind == "questions":
        options = [name for name in columns if re.fullmatch(r"caption_\d+", name)]
        absent += [name for i in range(2, len(options)) if (name := f"caption_{i}") not in columns]
    if absent:
        fitting = [_flag(name) for name in NEEDED if not _absent(columns, name)]
        hint = f"; it looks like --kind {fitting[0]}" if fitting and fitting[0] != _flag(kind) else ""
        if len(columns) == 1 and (other := next((each for each in ";\t|" if each in columns[0]), "")):
            hint = f"; it looks separated by {other!r}: save it with commas"
        raise NegjaxError(
            f"{path} has no column {', '.join(absent)}, needed for --kind {_flag(kind)}; "
            f"it has: {', '.join(columns) or 'nothing'}{hint}"
        )


def _flag(kind: str) -> str:
    """What --kind takes a file of this kind."""
    return "pairs" if kind == "crepe" else kind


def _absent(columns: Sequence[str], kind: str) -> list[str]:
    path = [] if kind == "crepe" or set(PATHS) & set(columns) else [" or ".join(PATHS)]
    return path + [name for name in NEEDED[kind] if name not in columns]


def row_of(cells: Mapping[str, Any], row: int, kind: str) -> Row:
    """The row that these cells by column make; a list may be given as one, or as its Python literal.

    Raises ValueError that names the column.
    """
    if kind == "crepe":
        return _crepe(cells, row)
    file = next(cells[name] for name in PATHS if name in cells).strip()
    if not file:
        raise ValueError("column filepath or image_path is empty")
    record: Record = {"id": row}
    if kind == "questions":
        record |= _question(cells) | {"group": row}
    elif kind == "pairs":
        record |= right_first([cells["caption"], cells["negative_caption"]]) | {"group": row}
    elif kind == "negcap":
        record |= {"captions": [cells["caption"]], "negated_captions": _texts(cells, "negative_captions")}
    else:
        record |= {"captions": _texts(cells, "captions")}
    if "captions" in record:
        record |= {name: _objects(cells, name) for name in OBJECTS}
    return Row(row, file, record)


def _question(cells: Mapping[str, Any]) -> Record:
    options: list[str] = []
    while (name := f"caption_{len(options)}") in cells:
        options.append(cells[name])
    check_texts(options, "caption_0, ...")
    try:
        answer = _whole(cells["correct_answer"])
        check_answer(answer, options)
    except ValueError as error:
        raise ValueError(f"column correct_answer: {error}") from error
    kind = cells.get("correct_answer_template", "")
    return {"options": options, "answer": answer, "kind": "" if kind.lower() == "nan" else kind}


def _whole(cell: str) -> int:
    """The whole number that a cell holds; pandas writes 0.0 for 0 in a column that has gaps."""
    number = _number(cell)
    if not number.is_integer():
        raise ValueError(f"{cell!r} is not a whole number")
    return int(number)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise ValueError(f"{cell!r} is not a number") from error


def _crepe(cells: Mapping[str, Any], row: int) -> Row:
    image = cells["image_id"].strip()
    if not image:
        raise ValueError("column image_id is empty")
    try:
        x, y, width, height = (_number(cells[name]) for name in ("x", "y", "width", "height"))
    except ValueError as error:
        raise ValueError(f"columns x, y, width, height: {error}") from error
    box = check_box((x, y, width, height))
    options = [cells["caption"], *_texts(cells, "hard_negs")]
    return Row(row, f"{CREPE_FOLDERS[0]}/{image}.jpg", {"id": row, "group": row} | right_first(options), box)


def _texts(cells: Mapping[str, Any], name: str) -> list[str]:
    texts = _list(cells, name)
    if not texts:
        raise ValueError(f"column {name} is an empty list")
    return texts


def _objects(cells: Mapping[str, Any], name: str) -> list[str]:
    """The published files say [''] for none, and may lack the column."""
    if not cells.get(name, ""):
        return []
    objects = _list(cells, name)
    return [] if objects == [""] else objects


def _list(cells: Mapping[str, Any], name: str) -> list[str]:
    try:
        value = ast.literal_eval(cells[name]) if isinstance(cells[name], str) else cells[name]
        check_texts(value, name)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"column {name} is not a Python list of texts: {str(cells[name])[:60]!r}") from error
    return list(value)
