"""Builds all sets of a suite that do not exist yet: `negjax data suite`."""

from collections.abc import Iterator
from pathlib import PurePath

from etils import epath

from negjax.config import SetSource, Suite
from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.derive.build import derive_set
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.sources.class_folders import folder_source
from negjax.datasets.sources.json_files import holds_benchmark, json_source
from negjax.datasets.sources.rows import RowSource
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.stored.store import set_names
from negjax.errors import NegjaxError
from negjax.runtime.paths import to_path


def build_suite(
    suite: Suite,
    files: epath.PathLike,
    media_root: epath.PathLike,
    data_dir: epath.PathLike,
    *,
    skip_missing: bool = False,
    progress: bool = True,
) -> Iterator[tuple[str, list[str]]]:
    """Builds the sets of a suite, those of files first; a set that exists stays as it is.

    Args:
        suite: The sets.
        files: The folder of the CSV and JSON files, at any depth.
        media_root: The folder of the images and clips.
        data_dir: The data folder.
        skip_missing: As in `build_evaluation_set`.
        progress: Whether to show progress.

    Yields:
        The name of each set, and remarks for the user.

    Raises:
        NegjaxError: A set cannot be built, or its file is not found.
    """
    for name, entry in sorted(suite.tasks.items(), key=lambda item: bool(item[1].source)):
        if name in set_names(data_dir):
            yield name, ["exists already"]
        elif entry.source:
            derived = derive_set(DeriveRequest(entry.kind), entry.source, name, data_dir, progress=progress)
            yield name, [f"{derived.rows:,} rows that show {derived.images:,} images", *derived.notes]
        else:
            source = _open_source(entry, files, media_root)
            built = build_evaluation_set(source, name, data_dir, skip_missing=skip_missing, progress=progress)
            yield name, [f"{built.written:,} rows", *built.notes]


def _open_source(entry: SetSource, files: epath.PathLike, media_root: epath.PathLike) -> RowSource:
    """The source of a set that is built from a file or a folder of images."""
    suffix = PurePath(entry.file).suffix
    if entry.split and (entry.kind == "folder" or suffix not in (".json", ".jsonl")):
        raise NegjaxError(f"split {entry.split!r} of {entry.file}: only JSON benchmarks have splits, leave it out")
    if entry.kind == "folder":
        return folder_source(to_path(media_root) / entry.file, entry.classnames or None, entry.templates)
    path = _find_file(to_path(files), entry.file)
    if suffix == ".json" or (suffix == ".jsonl" and holds_benchmark(path)):
        return json_source(path, media_root, entry.split)
    return table_source(entry.kind, path, media_root)


def _find_file(folder: epath.Path, name: str) -> epath.Path:
    """The file of this name in the folder or, if there is only one, anywhere below it but in hidden folders."""
    if (folder / name).is_file():
        return folder / name
    paths = []
    for parent, folders, _ in folder.walk():
        folders[:] = [below for below in folders if not below.startswith(".")]
        if (parent / name).is_file():
            paths.append(parent / name)
    if len(paths) != 1:
        what = f"is {len(paths)} times below" if paths else "not found below"
        raise NegjaxError(f"{name} {what} {folder}: give the folder that holds it as --files")
    return paths[0]
