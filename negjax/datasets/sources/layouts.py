"""The layouts of tables of captions and questions, as NegBench publishes them: which columns, and what they mean.

captions:   filepath, captions, often positive_objects and negative_objects; or one text in caption or in title,
            as open_clip's users have it, or in text, as Hugging Face's data sets
negcap:     filepath, caption, negative_captions
questions:  image_path, correct_answer, caption_0, caption_1, ..., often correct_answer_template
pairs:      filepath, caption, negative_caption

Columns come in any order, and others are ignored, such as an index without a name. The path of the image or clip is in
filepath or in image_path. A CSV file has such a table (`table_source`), and so has the .json of a WebDataset sample
(`webdataset`). Another layout is one file like `crepe`, and one line in `table`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from negjax.datasets.records import Record, check_answer
from negjax.datasets.sources.cells import PATH_COLUMNS, Cells, media_path, objects, text, texts, whole_number
from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import Row, question_with_correct_first

OBJECT_COLUMNS = ("positive_objects", "negative_objects")
KIND_COLUMN = "correct_answer_template"
OPTION_COLUMN = re.compile(r"caption_\d+")


@dataclass(frozen=True)
class TableLayout:
    """A table that `negjax data build` understands.

    Attributes:
        kind: The `--kind` it is given as.
        columns: Columns that it must have, besides the path of the image or clip. Columns that it may have are in
            `table.is_read`.
        fields: Fields of a set built from it, keys of `records.COLUMNS`.
        read_row: Makes the row with an index of its cells; raises ValueError that names the column.
        task_kind: As in `RowSource`.
        marker: A column that only this layout of its kind has; "" for the kind's usual layout.
        has_path: Whether the path of the image or clip is in a column.
        media_root: Finds the images below a folder.
        metadata: Further metadata of the set.
    """

    kind: str
    columns: tuple[str, ...]
    fields: tuple[str, ...]
    read_row: Callable[[Cells, int], Row]
    task_kind: str = ""
    marker: str = ""
    has_path: bool = True
    media_root: type[MediaRoot] = MediaRoot
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def absent_columns(self, columns: Sequence[str]) -> list[str]:
        """The required columns that are not among these."""
        path = ["filepath or image_path"] if self.has_path and not set(PATH_COLUMNS) & set(columns) else []
        return path + [name for name in self.columns if name not in columns]

    def absent_options(self, columns: Sequence[str]) -> list[str]:
        """The columns of options that are skipped among these: caption_2 where there is a caption_3."""
        if "caption_0" not in self.columns:
            return []
        count = len([name for name in columns if OPTION_COLUMN.fullmatch(name)])
        return [name for i in range(2, count) if (name := f"caption_{i}") not in columns]


def _read_captions(cells: Cells, index: int) -> Row:
    return Row(index, media_path(cells), {"id": index, "captions": texts(cells, "captions"), **_objects(cells)})


def _read_one_caption(column: str) -> Callable[[Cells, int], Row]:
    """Reads rows whose caption is a plain text in this column, or whose captions are a list in it."""

    def read(cells: Cells, index: int) -> Row:
        captions = texts(cells, column) if isinstance(cells[column], list) else [text(cells, column)]
        return Row(index, media_path(cells), {"id": index, "captions": captions, **_objects(cells)})

    return read


def _read_negated_captions(cells: Cells, index: int) -> Row:
    path = media_path(cells)
    captions = {"captions": [text(cells, "caption")], "negated_captions": texts(cells, "negative_captions")}
    return Row(index, path, {"id": index, **captions, **_objects(cells)})


def _read_question(cells: Cells, index: int) -> Row:
    return Row(index, media_path(cells), {"id": index, **_question(cells), "group": index})


def _read_pair(cells: Cells, index: int) -> Row:
    question = question_with_correct_first([text(cells, "caption"), text(cells, "negative_caption")])
    return Row(index, media_path(cells), {"id": index, **question, "group": index})


def _objects(cells: Cells) -> Record:
    return {name: objects(cells, name) for name in OBJECT_COLUMNS}


def _question(cells: Cells) -> Record:
    options: list[str] = []
    while (name := f"caption_{len(options)}") in cells:
        options.append(text(cells, name))
    try:
        answer = whole_number(text(cells, "correct_answer"))
        check_answer(answer, options)
    except ValueError as error:
        raise ValueError(f"column correct_answer: {error}") from error
    kind = text(cells, KIND_COLUMN) if KIND_COLUMN in cells else ""
    return {"options": options, "answer": answer, "kind": "" if kind.lower() == "nan" else kind}


CAPTIONS_LAYOUT = TableLayout("captions", ("captions",), ("captions",), _read_captions, "retrieval")
CAPTION_LAYOUT, TITLE_LAYOUT, TEXT_LAYOUT = (
    TableLayout("captions", (name,), ("captions",), _read_one_caption(name), "retrieval", marker=name)
    for name in ("caption", "title", "text")
)
NEGCAP_LAYOUT = TableLayout(
    "negcap", ("caption", "negative_captions"), ("captions", "negated_captions"), _read_negated_captions, "train"
)
QUESTIONS_LAYOUT = TableLayout("questions", ("correct_answer", "caption_0", "caption_1"), ("question",), _read_question)
PAIRS_LAYOUT = TableLayout("pairs", ("caption", "negative_caption"), ("question",), _read_pair, "pairs")
