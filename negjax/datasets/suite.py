"""All sets of a suite, made where they are not there yet: `negjax data suite`."""

from collections.abc import Iterator
from pathlib import PurePath

from etils import epath

from negjax.config import SetSource, Suite
from negjax.datasets.build.evaluation_set import build_from_csv, build_from_folder, build_from_json
from negjax.datasets.derive.build import derive_set
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.stored.store import set_names
from negjax.errors import NegjaxError


def make_suite(
    suite: Suite,
    files: epath.PathLike,
    media_root: epath.PathLike,
    data_dir: epath.PathLike,
    *,
    skip_missing: bool = False,
    progress: bool = True,
) -> Iterator[tuple[str, list[str]]]:
    """Makes the sets of the suite, those of files first; for each its name and what there is to say of it.

    files: the folder of the CSV and JSON files, found at any depth. A set that is in data_dir already stays as it is.
    Raises NegjaxError as the builders do, and for a file that is not there.
    """
    for name, each in sorted(suite.tasks.items(), key=lambda item: bool(item[1].source)):
        if name in set_names(data_dir):
            yield name, ["is there already"]
        elif each.source:
            made = derive_set(DeriveRequest(each.kind), each.source, name, data_dir, progress=progress)
            yield name, [f"{made.rows:,} rows that show {made.images:,} images", *made.notes]
        else:
            yield name, _build(each, files, media_root, name, data_dir, skip_missing, progress)


def _build(
    each: SetSource,
    files: epath.PathLike,
    media_root: epath.PathLike,
    name: str,
    data_dir: epath.PathLike,
    skip_missing: bool,
    progress: bool,
) -> list[str]:
    if each.kind == "folder":
        built = build_from_folder(
            epath.Path(media_root) / each.file,
            name,
            data_dir,
            classnames=each.classnames or None,
            templates=each.templates,
            skip_missing=skip_missing,
            progress=progress,
        )
    else:
        path = _find(epath.Path(files), each.file)
        if PurePath(each.file).suffix == ".json":
            built = build_from_json(path, media_root, name, data_dir, skip_missing=skip_missing, progress=progress)
        else:
            built = build_from_csv(
                each.kind, path, media_root, name, data_dir, skip_missing=skip_missing, progress=progress
            )
    return [f"{built.written:,} rows", *built.notes]


def _find(folder: epath.Path, file: str) -> epath.Path:
    """The file of this name in the folder or, if there is only one, anywhere below it but in hidden folders."""
    if (folder / file).is_file():
        return folder / file
    found = []
    for place, folders, _ in folder.walk():
        folders[:] = [name for name in folders if not name.startswith(".")]
        if (place / file).is_file():
            found.append(place / file)
    if len(found) != 1:
        what = "is not below" if not found else f"is {len(found)} times below"
        raise NegjaxError(f"{file} {what} {folder}: give the folder that holds it as --files")
    return found[0]
