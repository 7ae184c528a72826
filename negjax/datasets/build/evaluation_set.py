"""Builds evaluation sets from published files: `negjax data build`.

A source is read twice: to survey and check all of it, and to write it.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from etils import epath

from negjax.datasets.build.media_check import find_broken
from negjax.datasets.build.outcome import BuiltSet, decide_negated, empty_text_notes
from negjax.datasets.build.same_image import merge_rows
from negjax.datasets.build.set_images import SetImages, shard_images
from negjax.datasets.build.skipped import SkippedRows, explain_reasons
from negjax.datasets.build.survey import Survey, survey_source
from negjax.datasets.records import Record
from negjax.datasets.sources.crops import cut
from negjax.datasets.sources.option_kinds import option_kinds, option_layout
from negjax.datasets.sources.rows import BROKEN, INVALID, MISSING, MediaFile, RowSource, read_media, refuse_row
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.stored.store import check_free, write_set
from negjax.errors import NegjaxError
from negjax.media.decoding import decode
from negjax.runtime.progress import track_progress


def build_from_csv(
    kind: str, csv: epath.PathLike, media_root: epath.PathLike, name: str, data_dir: epath.PathLike, **choices: Any
) -> BuiltSet:
    """Builds a set from a CSV file; see `table_source` and `build_evaluation_set`."""
    return build_evaluation_set(table_source(kind, csv, media_root), name, data_dir, **choices)


def build_evaluation_set(
    source: RowSource,
    name: str,
    data_dir: epath.PathLike,
    *,
    skip_missing: bool = False,
    overwrite: bool = False,
    negated: bool | None = None,
    progress: bool = True,
) -> BuiltSet:
    """Builds the set DATA_DIR/NAME from a source.

    All rows are read and all media decoded before anything is written. Media are stored byte for byte, or cropped to
    PNG where a row refers to a box.

    Rows of a retrieval source that name one image become one record: the first row, with the captions of all.

    Args:
        source: What to build the set from.
        name: Name of the set.
        data_dir: The folder of sets.
        skip_missing: Skip rows with missing or broken media, and name them in the metadata.
        overwrite: Replace a set of this name.
        negated: Whether the texts negate; None for True if most captions, or an option of most questions, have a
            negation word.
        progress: Whether to show progress.

    Raises:
        NegjaxError: Something is wrong with the arguments, the source or the media.
    """
    if source.task_kind == "train":
        raise NegjaxError(f"{source.name} (--kind {source.kind}) is for training sets only: use --train")
    check_free(data_dir, name, overwrite=overwrite)
    survey = survey_source(source)
    media_type = survey.media_type(source.name)
    skipped = SkippedRows.none((MISSING, BROKEN, INVALID), "file")
    explanations = explain_reasons(source, media_type) | {INVALID: "their benchmark does not count them"}
    media = _check_media(source, survey, skipped, explanations, skip_missing, progress)

    layout = option_layout(source.file, survey.question_forms, survey.negated_options)
    what = "questions" if survey.question_forms else "captions"
    is_negated, notes = decide_negated(source, negated, survey.texts, survey.negated_texts, what)
    metadata = {
        "task_kind": source.task_kind or ("binary_mcq" if 2 in survey.option_counts else "mcq"),
        "negated": is_negated,
        "media_type": media_type,
        **source.metadata,
        "source": source.describe(),
        "skipped": skipped.by_reason,
    }
    merged = {index for later in survey.later_rows.values() for index, path in later.rows if path in media}
    written = sum(len(survey.rows[path]) for path in media) - len(merged)
    with track_progress(written, f"writing {name}", progress) as done:
        folder = write_set(
            data_dir,
            name,
            lambda: _read_records(source, survey, media, layout, merged),
            source.fields,
            metadata,
            lambda: done(1),
            overwrite=overwrite,
        )
    if merged:
        notes.append(
            f"{written + len(merged):,} rows name {written:,} {media_type}s: each is one record with the captions of "
            "all its rows"
        )
    images = SetImages(source)  # of which an evaluation set has one shard
    images.add(shard_images(survey.matches))
    notes += images.notes(survey.matches.dropped, media_type) + skipped.notes(source, explanations)
    notes += empty_text_notes(sum(path in media for path in survey.empty_texts))
    return BuiltSet(folder, source.rows, written, skipped.counts(), (*source.notes, *notes))


def _check_media(
    source: RowSource,
    survey: Survey,
    skipped: SkippedRows,
    explanations: dict[str, str],
    skip_missing: bool,
    progress: bool,
) -> dict[str, MediaFile]:
    """The media that exist and can be decoded, by path; counts the rows of all others in `skipped`.

    explanations: those of the reasons in `skipped`; the one of BROKEN is extended by the fault of the first file.
    """
    or_skip = "or skip such rows with --skip-missing"
    for row in survey.invalid:
        skipped.add(INVALID, *row)
    missing = survey.rows_of(survey.rows.keys() - survey.media.keys())
    for row in missing:
        skipped.add(MISSING, *row)
    if missing and not skip_missing:
        remedy = f"give the folder in which its path, or the end of its path, exists as --media-root, {or_skip}"
        raise skipped.refusal(MISSING, source, explanations[MISSING], remedy)

    faults = find_broken(survey.media, survey.media_type(source.name), survey.boxes, source.name, progress)
    broken = survey.rows_of(faults)
    for row in broken:
        skipped.add(BROKEN, *row)
    if broken:
        explanations[BROKEN] += f" ({faults[broken[0].path]})"
        if not skip_missing:
            raise skipped.refusal(BROKEN, source, explanations[BROKEN], f"fix these files, {or_skip}")
    media = {path: file for path, file in survey.media.items() if path not in faults}
    if not media:
        what = f"no {survey.media_type(source.name)} of its {source.rows} rows"
        raise NegjaxError(f"{source.name}: {what} exists below {source.media_root} and can be decoded")
    return media


def _read_records(
    source: RowSource, survey: Survey, media: Mapping[str, MediaFile], layout: Sequence[str], merged: Set[int]
) -> Iterator[Record]:
    """The records of the set.

    Args:
        source: The source.
        survey: Its survey, whose `matches` count the media that are stored whole.
        media: The usable images and clips by path.
        layout: The kinds of options by position; empty if unknown.
        merged: The indices of the rows that join the record of an earlier one.
    """
    for row in source.read(refuse_row):
        if not row.valid or row.path not in media or row.index in merged:
            continue
        data = read_media(media[row.path])
        if not row.box:
            survey.matches.add_copy(media[row.path], len(data))
        record = merge_rows(row, survey.later_rows.get(row.index), source.name) | {
            "media": cut(decode(data, row.path), row.box) if row.box else data
        }
        if layout:
            record["option_kinds"] = option_kinds(layout, record["answer"], record["kind"])
        yield record
