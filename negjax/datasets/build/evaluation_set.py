"""From files of others to a set: `negjax data build`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etils import epath

from negjax.datasets.build.checking import undecodable
from negjax.datasets.sources.crops import cut
from negjax.datasets.sources.folders import folder_source
from negjax.datasets.sources.option_kinds import layout, option_kinds
from negjax.datasets.records import Record
from negjax.datasets.sources.rows import MediaFile, RowFile, RowSource
from negjax.datasets.sources.files import csv_source, json_source
from negjax.datasets.stored.store import check_free, write_set
from negjax.datasets.build.survey import Survey, survey
from negjax.errors import NegjaxError
from negjax.media.images import decode
from negjax.runtime.progress import track_progress

NAMED = 20  # so many of the rows that are left out are named in the metadata


@dataclass(frozen=True)
class Built:
    """What became of a source's `rows`. `written`: records of the set. Left out were those with `missing` or `broken`
    media, `invalid` ones (which the benchmark does not count, or which cannot be understood), `unasked` ones (for
    whose image there is no question), and `unsure` ones (for which none is surely theirs). `notes`: for people.
    """

    folder: epath.Path
    rows: int
    written: int
    missing: int
    broken: int
    invalid: int
    notes: tuple[str, ...]
    unasked: int = 0
    unsure: int = 0


def build_from_csv(
    kind: str, csv: epath.PathLike, media_root: epath.PathLike, name: str, data_dir: epath.PathLike, **choices: Any
) -> Built:
    """Makes a set of a CSV file of kind "captions", "questions" or "pairs"; see `tables` and `build`."""
    return build(csv_source(kind, csv, media_root), name, data_dir, **choices)


def build_from_json(
    json: epath.PathLike, media_root: epath.PathLike, name: str, data_dir: epath.PathLike, **choices: Any
) -> Built:
    """Makes a set of a benchmark of pairs in its JSON file; see `pairs` and `build`."""
    return build(json_source(json, media_root), name, data_dir, **choices)


def build_from_folder(
    folder: epath.PathLike,
    name: str,
    data_dir: epath.PathLike,
    *,
    classnames: str | None = None,
    templates: str = "openai",
    **choices: Any,
) -> Built:
    """Makes a zero-shot set of a folder of class folders; see `folders`, `prompts` and `build`."""
    return build(folder_source(folder, classnames, templates), name, data_dir, **choices)


def build(
    source: RowSource,
    name: str,
    data_dir: epath.PathLike,
    *,
    skip_missing: bool = False,
    overwrite: bool = False,
    negated: bool | None = None,
    progress: bool = True,
) -> Built:
    """Makes the set DATA_DIR/NAME of a source; `sources` and `folders` have them.

    All rows are read and all media decoded before anything is written; media are stored byte for byte, or cut out as
    PNG where a row asks for a box. Rows whose file is missing or cannot be decoded end the build, or with skip_missing
    they are left out, counted and named in the metadata.
    negated: whether the texts negate; None to tell by the texts: whether most captions, or one option of most
    questions, hold a negation word.
    Raises NegjaxError for anything wrong with the arguments, the source or the media.
    """
    check_free(data_dir, name, overwrite=overwrite)
    found = survey(source)
    media_type = found.media_type(source.name)
    places = {file: place for file in found.files if (place := source.find(file))}
    missing = found.rows_of(found.files.keys() - places.keys())
    if missing and not skip_missing:
        where = "give the folder in which its path, or the end of its path, is found as --media-root"
        raise _refusal(source, found, missing, f"files that are not below {source.media_root}", where)
    reasons = undecodable(places, found.boxes, source.name, progress)
    broken = found.rows_of(reasons)
    if broken and not skip_missing:
        what = f"{media_type}s that cannot be decoded ({reasons[broken[0][1]]})"
        raise _refusal(source, found, broken, what, "mend this")
    whole = {file: place for file, place in places.items() if file not in reasons}
    if not whole:
        raise NegjaxError(f"{source.name}: no row of {found.rows} has a whole {media_type} below {source.media_root}")
    task_kind, negates, notes = _task(source, found, negated)
    metadata = {
        "task_kind": task_kind,
        "negated": negates,
        "media_type": media_type,
        **source.metadata,
        "source": {
            "kind": source.kind,
            "file": source.file,
            "sha256": source.sha256,
            "rows": found.rows,
            "media_root": source.media_root,
        },
        "skipped": {"missing": _named(missing), "broken": _named(broken), "invalid": _named(found.invalid)},
    }
    kinds = layout(source.file, found.forms, found.negated) if source.kind == "questions" else ()
    written = sum(len(found.files[file]) for file in whole)
    with track_progress(written, f"writing {name}", progress) as done:
        folder = write_set(
            data_dir,
            name,
            lambda: _examples(source, whole, kinds),
            source.fields,
            metadata,
            lambda: done(1),
            overwrite=overwrite,
        )
    notes += source.notes
    if empty := sum(file in whole for file in found.empty):
        notes += (f"empty captions: {empty}, kept and scored like the others",)
    if found.invalid:
        notes += (f"left out {len(found.invalid)} of {found.rows} rows, which the benchmark does not count",)
    if missing:
        notes += (f"left out {len(missing)} of {found.rows} rows: their files are not below {source.media_root}",)
    if broken:
        reason = reasons[broken[0][1]]
        notes += (f"left out {len(broken)} of {found.rows} rows: their {media_type}s cannot be decoded ({reason})",)
    return Built(folder, found.rows, written, len(missing), len(broken), len(found.invalid), notes)


def _task(source: RowSource, found: Survey, negated: bool | None) -> tuple[str, bool, tuple[str, ...]]:
    """Task kind, whether it is negated, and a note where that was told by the texts."""
    task_kind = source.task_kind or ("binary_mcq" if 2 in found.options else "mcq")
    if negated is not None:
        return task_kind, negated, ()
    if source.negated is not None:
        return task_kind, source.negated, ()
    share = found.negating / found.asked
    what = f"{share:.0%} of its {'questions' if found.forms else 'captions'} hold a negation word"
    told = "negated" if share > 0.5 else "affirmative"
    return task_kind, share > 0.5, (f"taken for {told}: {what}; data build --negated tells otherwise",)


def _examples(source: RowSource, whole: Mapping[str, MediaFile], kinds: Sequence[str]) -> Iterator[Record]:
    for row in source.read():
        if not row.valid or row.file not in whole:
            continue
        media = whole[row.file].read_bytes()
        record = row.record | {"media": cut(decode(media, row.file), row.box) if row.box else media}
        if kinds:
            record["option_kinds"] = option_kinds(kinds, record["answer"], record["kind"])
        yield record


def _refusal(source: RowSource, found: Survey, rows: list[RowFile], what: str, remedy: str) -> NegjaxError:
    row, file = rows[0]
    return NegjaxError(
        f"{source.name}: {len(rows)} of {found.rows} rows name {what}, the first is row {row}, {file}; "
        f"{remedy}, or leave such rows out with --skip-missing"
    )


def _named(rows: list[RowFile]) -> dict[str, Any]:
    return {"count": len(rows), "first": [{"row": row, "file": file} for row, file in rows[:NAMED]]}
