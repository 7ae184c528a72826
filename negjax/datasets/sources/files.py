"""Sets of images and clips that lie in a folder, and of what a CSV or JSON file says of them."""

import hashlib
from pathlib import PurePath

from etils import epath

from negjax.datasets.sources.csv_files import CsvFile
from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.pairs import read_pairs
from negjax.datasets.sources.rows import MediaFile, RowSource
from negjax.datasets.sources.tables import CREPE_FOLDERS, FIELDS, read_rows
from negjax.errors import NegjaxError

KINDS = ("captions", "questions", "pairs")


def csv_source(kind: str, csv: epath.PathLike, media_root: epath.PathLike) -> RowSource:
    """A CSV file of kind "captions", "questions" or "pairs" (see `tables`), CREPE's among the pairs.

    Raises NegjaxError when there is no such kind, file or folder.
    """
    if kind not in KINDS:
        raise NegjaxError(f"--kind {kind}: of a CSV file there are {', '.join(KINDS)}")
    root = MediaRoot(media_root)
    table = "crepe" if kind == "pairs" and "hard_negs" in CsvFile(csv).columns else kind
    first, second = CREPE_FOLDERS

    def find(file: str) -> MediaFile | None:
        place = root.find(file)
        return root.find(file.replace(first, second, 1)) if place is None and table == "crepe" else place

    return RowSource(
        kind=kind,
        name=str(csv),
        file=PurePath(csv).name,
        sha256=sha256_of(csv),
        media_root=str(media_root),
        fields=FIELDS[table],
        task_kind={"captions": "retrieval", "pairs": "pairs"}.get(kind, ""),
        negated=None,
        read=lambda: read_rows(csv, table),
        find=find,
        metadata={"crops": True} if table == "crepe" else {},
    )


def json_source(json: epath.PathLike, media_root: epath.PathLike) -> RowSource:
    """A JSON file of pairs (see `pairs`). Raises NegjaxError for anything wrong with it, or when there is no folder."""
    root = MediaRoot(media_root)
    fields, rows = read_pairs(json)
    return RowSource(
        kind="pairs",
        name=str(json),
        file=PurePath(json).name,
        sha256=sha256_of(json),
        media_root=str(media_root),
        fields=fields,
        task_kind="pairs",
        negated=None,
        read=lambda: iter(rows),
        find=root.find,
        metadata={"crops": True} if rows[0].box else {},
    )


def sha256_of(path: epath.PathLike) -> str:
    try:
        with epath.Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error
