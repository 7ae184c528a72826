"""A folder of class folders as a source of labelled images, for zero-shot classification.

Each subfolder is a class, and its images are in it at any depth. Classes are ordered by name (by number, where all
names are numbers), images by path. Hidden files and what file managers leave behind are ignored; any other file is
taken for an image.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from etils import epath

from negjax.datasets.sources.prompts import classification_metadata
from negjax.datasets.sources.rows import Row, RowSource, SkipRow
from negjax.errors import NegjaxError
from negjax.runtime.paths import to_path

IGNORED_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def folder_source(folder: epath.PathLike, classnames: str | None, templates: str) -> RowSource:
    """Opens a folder of class folders; a record's `label` is the index of its class.

    Args:
        folder: The folder.
        classnames: See `prompts.read_classnames`.
        templates: See `prompts.read_templates`.

    Raises:
        NegjaxError: The folder does not exist or has no class folders, or names or templates do not fit.
    """
    root = to_path(folder, "--folder")
    if not root.is_dir():
        raise NegjaxError(f"folder {folder} not found: give the folder that holds a folder per class as --folder")
    classes = [path.name for path in root.iterdir() if not _is_ignored(path.name) and path.is_dir()]
    if not classes:
        raise NegjaxError(f"{folder} has no subfolders: it must hold a folder per class, each with its images")
    numbered = all(name.isascii() and name.isdigit() for name in classes)
    classes.sort(key=lambda name: (int(name), name) if numbered else name)
    images = [(label, f"{name}/{path}") for label, name in enumerate(classes) for path in _list_files(root / name)]
    labels = {label for label, _ in images}
    empty = [name for label, name in enumerate(classes) if label not in labels]
    return RowSource(
        kind="folder",
        name=str(folder),
        file=root.name,
        sha256=hashlib.sha256("".join(f"{path}\n" for _, path in images).encode()).hexdigest(),
        media_root=str(folder),
        fields=("label",),
        shards=(FolderShard(str(root), tuple(images)),),
        task_kind="zeroshot",
        negated=False,
        metadata=classification_metadata(classes, classnames, templates),
        notes=(f"no images of {len(empty)} classes ({', '.join(empty[:5])}), which stay classes",) if empty else (),
    )


@dataclass(frozen=True)
class FolderShard:
    """The images of a folder of class folders, each with its label and its path below the folder."""

    folder: str
    images: tuple[tuple[int, str], ...]

    @property
    def rows(self) -> int:
        return len(self.images)

    def read(self, skip: SkipRow) -> Iterator[Row]:
        root = epath.Path(self.folder)
        for index, (label, path) in enumerate(self.images):
            yield Row(index, path, {"id": index, "label": label}, media=root / path)


def _list_files(folder: epath.Path) -> list[str]:
    """The files below a folder, as sorted paths relative to it."""
    paths = []
    for path in folder.iterdir():
        if _is_ignored(path.name):
            continue
        paths += [f"{path.name}/{file}" for file in _list_files(path)] if path.is_dir() else [path.name]
    return sorted(paths)


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in IGNORED_FILES
