"""Surveys a source before anything is written: the images and clips it names, and statistics of its texts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from negjax.datasets.build.media_matches import MediaMatches
from negjax.datasets.build.same_image import LaterRows
from negjax.datasets.records import ENCODED
from negjax.datasets.sources.boxes import BoxXYWH
from negjax.datasets.sources.media_root import plain_path
from negjax.datasets.sources.option_kinds import QuestionForm
from negjax.datasets.sources.rows import (
    MediaFile,
    Row,
    RowRef,
    RowSource,
    check_option_counts,
    is_gif,
    is_video,
    locate_media,
    refuse_row,
)
from negjax.errors import NegjaxError
from negjax.language.negation import is_negated


@dataclass
class Survey:
    """The content of a source, as far as a build must know it in advance.

    Attributes:
        matches: The files that the paths are found as.
        rows: Path of an image or clip -> the indices of the rows that name it.
        media: Path -> the image or clip, for those that exist.
        boxes: Path -> the boxes that rows refer to, each with the index of its row.
        invalid: Rows that the benchmark does not count; they are in none of the other attributes.
        question_forms: Number of questions of each form.
        option_counts: Number of options -> the first row with that number.
        negated_options: For each option position, the number of questions with a negation word there.
        texts: Number of captions and questions.
        negated_texts: Number of captions and questions with a negation word.
        empty_texts: The path of the row of each empty text.
        later_rows: In a retrieval source, index of the first row of an image -> its later rows, which join its record.
    """

    matches: MediaMatches
    rows: dict[str, list[int]] = field(default_factory=dict)
    media: dict[str, MediaFile] = field(default_factory=dict)
    boxes: dict[str, list[tuple[int, BoxXYWH]]] = field(default_factory=dict)
    invalid: list[RowRef] = field(default_factory=list)
    question_forms: Counter[QuestionForm] = field(default_factory=Counter)
    option_counts: dict[int, RowRef] = field(default_factory=dict)
    negated_options: list[int] = field(default_factory=list)
    texts: int = 0
    negated_texts: int = 0
    empty_texts: list[str] = field(default_factory=list)
    later_rows: dict[int, LaterRows] = field(default_factory=dict)

    def rows_of(self, paths: Iterable[str]) -> list[RowRef]:
        """The distinct rows that name one of these paths, in order."""
        return sorted({RowRef(row, path) for path in paths for row in self.rows[path]})

    def media_type(self, name: str) -> str:
        """ "image" or "video"; a GIF beside clips is a clip.

        Raises:
            NegjaxError: The source, which the error names, has both, or boxes of clips.
        """
        clips = self.rows_of(path for path in self.rows if is_video(path))
        if not clips:
            return "image"
        row, clip = clips[0]
        if images := self.rows_of(path for path in self.rows if not (is_video(path) or is_gif(path))):
            raise NegjaxError(
                f"{name} names clips (row {row}, {clip}) and images (row {images[0].row}, {images[0].path}): "
                "a set holds one or the other, so build a set of each"
            )
        if self.boxes:
            raise NegjaxError(f"{name} row {row}: {clip} is a clip, but boxes are cut from images")
        return "video"


def survey_source(source: RowSource) -> Survey:
    """Reads a source completely.

    Raises:
        NegjaxError: A row is malformed, two paths are found as one file, questions have several numbers of options, or
            there are no rows.
    """
    survey, first_rows = Survey(MediaMatches(source.name, source.media_root)), dict[str, int]()
    for row in source.read(refuse_row):
        if not row.valid:
            survey.invalid.append(row.ref)
            continue
        if row.path not in survey.rows and (media := locate_media(row, source.find_media)):
            survey.media[row.path] = media
            survey.matches.add(row, media)
        if source.task_kind == "retrieval":
            first = first_rows.setdefault(plain_path(row.path), row.index)
            if first != row.index:
                survey.later_rows.setdefault(first, LaterRows()).add(row)
        survey.rows.setdefault(row.path, []).append(row.index)
        if row.box:
            survey.boxes.setdefault(row.path, []).append((row.index, row.box))
        _count_texts(survey, row)
    check_option_counts(source.name, survey.option_counts)
    if not survey.rows:
        raise NegjaxError(f"{source.name} has no {'valid ' if survey.invalid else ''}rows to make a set of")
    return survey


def _count_texts(survey: Survey, row: Row) -> None:
    record = row.record
    if "options" in record:
        options = record["options"]
        survey.option_counts.setdefault(len(options), row.ref)
        survey.question_forms[(len(options), record["answer"], record["kind"])] += 1
        survey.negated_options += [0] * (len(options) - len(survey.negated_options))
        negated = [is_negated(text) for text in options]
        for position, option_negated in enumerate(negated):
            survey.negated_options[position] += option_negated
        survey.texts += 1
        survey.negated_texts += any(negated)
    for text in record.get("captions", ()):
        survey.texts += 1
        survey.negated_texts += is_negated(text)
    survey.empty_texts += [row.path for column in ENCODED for text in record.get(column, ()) if not text.strip()]
