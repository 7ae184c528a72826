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
import csv
import io
import re
from collections.abc import Iterator, Sequence

from etils import epath

from negjax.datasets.crops import check_box
from negjax.datasets.records import Record, check_answer, check_texts
from negjax.datasets.rows import Row, right_first
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


def read_columns(path: epath.PathLike) -> list[str]:
    """The names of a CSV file's columns."""
    with _open(path) as text:
        try:
            return next(csv.reader(text, strict=True), [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise NegjaxError(f"{path}: its first line is not one of a CSV file ({error})") from error


def read_rows(path: epath.PathLike, kind: str) -> Iterator[Row]:
    """The rows of a file of this kind (a key of NEEDED); a record's `id` is its row, counted from 0.

    Raises NegjaxError that names the file, the row (its id, and its line as an editor counts) and the column.
    """
    try:
        with _open(path) as text:
            yield from _read(text, path, kind)
    except UnicodeDecodeError as error:
        raise NegjaxError(f"{path} is not UTF-8 text ({error.reason}): save it as UTF-8") from error


def _open(path: epath.PathLike) -> io.TextIOWrapper:
    try:
        return io.TextIOWrapper(epath.Path(path).open("rb"), encoding="utf-8-sig", newline="")
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error


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
    if repeated := [name for name in columns if name and columns.count(name) > 1]:
        raise NegjaxError(f"{path} has the column {repeated[0]!r} twice")
    absent = _absent(columns, kind)
    if kind == "questions":
        options = [name for name in columns if re.fullmatch(r"caption_\d+", name)]
        absent += [name for i in range(2, len(options)) if (name := f"caption_{i}") not in columns]
    if absent:
        fitting = [_flag(name) for name in NEEDED if not _absent(columns, name)]
        hint = f"; it looks like --kind {fitting[0]}" if fitting and fitting[0] != _flag(kind) else ""
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


def _row(cells: dict[str, str], row: int, kind: str) -> Row:
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


def _question(cells: dict[str, str]) -> Record:
    options: list[str] = []
    while (name := f"caption_{len(options)}") in cells:
        options.append(cells[name])
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


def _crepe(cells: dict[str, str], row: int) -> Row:
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
