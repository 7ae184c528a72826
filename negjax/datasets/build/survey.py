"""A source read once from end to end, before anything is written: what it names, and what its texts are like."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from negjax.datasets.sources.crops import Box
from negjax.datasets.sources.option_kinds import Form
from negjax.datasets.records import ENCODED
from negjax.datasets.sources.rows import Row, RowFile, RowSource, check_one_form, is_video
from negjax.errors import NegjaxError
from negjax.language.negation import is_negated


@dataclass
class Survey:
    """What a source holds.

    rows: of it. files: the rows that name each file. boxes: of those rows that ask for a part of it. invalid: rows that
    the benchmark leaves out. forms: how many questions there are of each form. options: the first row with each number
    of options. negated: in how many questions the option at each place negates. asked: questions or captions, and
    negating: those of them that hold a negation word. empty: the file of each empty text.
    """

    rows: int = 0
    files: dict[str, list[int]] = field(default_factory=dict)
    boxes: dict[str, list[tuple[int, Box]]] = field(default_factory=dict)
    invalid: list[RowFile] = field(default_factory=list)
    forms: Counter[Form] = field(default_factory=Counter)
    options: dict[int, RowFile] = field(default_factory=dict)
    negated: list[int] = field(default_factory=list)
    asked: int = 0
    negating: int = 0
    empty: list[str] = field(default_factory=list)

    def rows_of(self, files: Iterable[str]) -> list[RowFile]:
        """The distinct rows that name one of these files, in order."""
        return sorted({(row, file) for file in files for row in self.files[file]})

    def media_type(self, name: str) -> str:
        """What the files are, image or video. Raises NegjaxError that names the source for both, or boxes of clips."""
        clips = self.rows_of(file for file in self.files if is_video(file))
        if not clips:
            return "image"
        row, clip = clips[0]
        if images := self.rows_of(file for file in self.files if not is_video(file)):
            raise NegjaxError(
                f"{name} names clips (row {row}, {clip}) and images (row {images[0][0]}, {images[0][1]}): "
                "a set holds either, make one of each"
            )
        if self.boxes:
            raise NegjaxError(f"{name} row {row}: {clip} is a clip, but boxes are cut from images")
        return "video"


def survey(source: RowSource) -> Survey:
    """Reads the whole source. Raises NegjaxError for a bad row, for questions of several forms, or without rows."""
    found = Survey()
    for row in source.read():
        found.rows = row.number + 1
        if not row.valid:
            found.invalid.append((row.number, row.file))
            continue
        found.files.setdefault(row.file, []).append(row.number)
        if row.box:
            found.boxes.setdefault(row.file, []).append((row.number, row.box))
        _read_texts(found, row)
    check_one_form(source.name, found.options)
    if not found.files:
        raise NegjaxError(f"{source.name} has no {'valid ' if found.invalid else ''}rows to make a set of")
    return found


def _read_texts(found: Survey, row: Row) -> None:
    record = row.record
    if "options" in record:
        options = record["options"]
        found.options.setdefault(len(options), (row.number, row.file))
        found.forms[(len(options), record["answer"], record["kind"])] += 1
        found.negated += [0] * (len(options) - len(found.negated))
        negated = [is_negated(text) for text in options]
        for place, each in enumerate(negated):
            found.negated[place] += each
        found.asked += 1
        found.negating += any(negated)
    for text in record.get("captions", ()):
        found.asked += 1
        found.negating += is_negated(text)
    found.empty += [row.file for name in ENCODED for text in record.get(name, ()) if not text.strip()]
