"""From a NegBench CSV file and a folder of images to a set: `negjax data build`."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from etils import epath

from negjax.datasets.media_root import MediaRoot
from negjax.datasets.records import ENCODED, Record
from negjax.datasets.store import check_free, write_set
from negjax.datasets.tables import read_rows
from negjax.errors import NegjaxError
from negjax.media.images import decode
from negjax.runtime.metrics import counter

FIELDS = {"captions": ("captions",), "negcap": ("captions", "negated_captions"), "questions": ("question",)}
NAMED = 20  # so many of the rows that are left out are named in the metadata

RowFile = tuple[int, str]


@dataclass(frozen=True)
class Built:
    """What became of a table's `rows`: `missing` and `broken` ones were left out. `notes` are for people."""

    folder: epath.Path
    rows: int
    missing: int
    broken: int
    notes: tuple[str, ...]

    @property
    def written(self) -> int:
        """Rows of the set."""
        return self.rows - self.missing - self.broken


@dataclass
class _Survey:
    """The rows of each file that a table names; how many options its questions have; files of empty texts."""

    files: dict[str, list[int]] = field(default_factory=dict)
    options: int = 0
    empty: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(len(rows) for rows in self.files.values())

    def rows_of(self, files: Iterable[str]) -> list[RowFile]:
        return sorted((row, file) for file in files for row in self.files[file])


def build_from_csv(
    kind: str,
    csv: epath.PathLike,
    media_root: epath.PathLike,
    name: str,
    data_dir: epath.PathLike,
    *,
    skip_missing: bool = False,
    overwrite: bool = False,
    negated: bool | None = None,
    progress: bool = True,
) -> Built:
    """Makes the set DATA_DIR/NAME of a file of kind "captions", "negcap" or "questions" (see `tables`).

    All rows are read and all images decoded before anything is written; images are stored byte for byte. Rows
    whose file is missing or cannot be decoded end the build, or with skip_missing they are left out, counted
    and named in the metadata.
    negated: whether the texts negate; None to tell by the kind and NegBench's file names.
    Raises NegjaxError for anything wrong with the arguments, the table or the images.
    """
    if kind not in FIELDS:
        raise NegjaxError(f"--kind {kind}: there are {', '.join(FIELDS)}")
    check_free(data_dir, name, overwrite=overwrite)
    root = MediaRoot(media_root)
    survey = _survey(csv, kind)
    places = {file: place for file in survey.files if (place := root.find(file))}
    missing = survey.rows_of(survey.files.keys() - places.keys())
    if missing and not skip_missing:
        raise _refusal(csv, survey, missing, f"files that are not below {media_root}")
    reasons = _broken(places, progress)
    broken = survey.rows_of(reasons)
    if broken and not skip_missing:
        raise _refusal(csv, survey, broken, f"images that cannot be decoded ({reasons[broken[0][1]]})")
    whole = {file: place for file, place in places.items() if file not in reasons}
    if not whole:
        raise NegjaxError(f"{csv}: no row of {survey.rows} has a whole image below {media_root}")
    task_kind, negated, notes = _task(kind, csv, survey, negated)
    metadata = {
        "task_kind": task_kind,
        "negated": negated,
        "source": {
            "kind": kind,
            "csv": str(csv),
            "csv_sha256": _sha256(csv),
            "media_root": str(media_root),
        },
        "skipped": {"missing": _named(missing), "broken": _named(broken)},
    }
    with counter(survey.rows - len(missing) - len(broken), f"writing {name}", progress) as done:
        folder = write_set(
            data_dir,
            name,
            lambda: _examples(csv, kind, whole),
            FIELDS[kind],
            metadata,
            lambda: done(1),
            overwrite=overwrite,
        )
    if empty := sum(file in whole for file in survey.empty):
        notes.append(f"empty captions: {empty}, kept and scored like the others")
    if missing:
        notes.append(f"left out {len(missing)} of {survey.rows} rows: their files are not below {media_root}")
    if broken:
        reason = reasons[broken[0][1]]
        notes.append(f"left out {len(broken)} of {survey.rows} rows: their images cannot be decoded ({reason})")
    return Built(folder, survey.rows, len(missing), len(broken), tuple(notes))


def _survey(csv: epath.PathLike, kind: str) -> _Survey:
    """Reads the whole table, so that a bad row is found before anything is written."""
    survey = _Survey()
    for row in read_rows(csv, kind):
        survey.files.setdefault(row.file, []).append(row.record["id"])
        survey.options = len(row.record.get("options", ()))
        texts = [text for name in ENCODED for text in row.record.get(name, ())]
        survey.empty += [row.file for text in texts if not text.strip()]
    if not survey.files:
        raise NegjaxError(f"{csv} has no rows below its header")
    return survey


def _broken(places: Mapping[str, epath.Path], progress: bool) -> dict[str, str]:
    """The files that cannot be decoded, and why not."""
    threads = ThreadPoolExecutor(os.cpu_count())
    reasons = {}
    try:
        with counter(len(places), "checking images", progress) as done:
            for file, reason in zip(places, threads.map(_why_broken, places.values())):
                if reason:
                    reasons[file] = reason
                done(1)
    finally:
        threads.shutdown(cancel_futures=True)  # or Ctrl-C would wait for all of them
    return reasons


def _why_broken(place: epath.Path) -> str | None:
    try:
        decode(place.read_bytes(), str(place))
    except (NegjaxError, OSError) as error:
        return str(error)
    return None


def _task(kind: str, csv: epath.PathLike, survey: _Survey, negated: bool | None) -> tuple[str, bool, list[str]]:
    """Task kind, whether it is negated, and a note where that was told by the file's name."""
    if kind == "negcap":
        return "train", True, []
    if survey.options > 2:
        return "mcq", True, []
    task_kind = "binary_mcq" if kind == "questions" else "retrieval"
    if negated is not None:
        return task_kind, negated, []
    stem = PurePath(csv).name.lower()
    if "negat" in stem or (kind == "captions" and "rephrased" in stem):
        return task_kind, True, [f"taken for a negated task because of the file's name, {PurePath(csv).name}"]
    return task_kind, False, []


def _examples(csv: epath.PathLike, kind: str, whole: Mapping[str, epath.Path]) -> Iterator[Record]:
    for row in read_rows(csv, kind):
        if row.file in whole:
            yield row.record | {"media": whole[row.file].read_bytes()}


def _refusal(csv: epath.PathLike, survey: _Survey, rows: list[RowFile], what: str) -> NegjaxError:
    row, file = rows[0]
    return NegjaxError(
        f"{csv}: {len(rows)} of {survey.rows} rows name {what}, the first is row {row}, {file}; "
        "mend this, or leave such rows out with --skip-missing"
    )


def _named(rows: list[RowFile]) -> dict[str, Any]:
    return {"count": len(rows), "first": [{"row": row, "file": file} for row, file in rows[:NAMED]]}


def _sha256(path: epath.PathLike) -> str:
    return hashlib.sha256(epath.Path(path).read_bytes()).hexdigest()
