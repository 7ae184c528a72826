"""Labelled images for zero-shot classification: a folder of class folders, or a prepared TFDS data set.

A folder: each subfolder is a class, its images lie in it at any depth; classes are in the order of their names (in
that of numbers, where all names are numbers), images in the order of their paths. Hidden files and what file managers
leave behind are not looked at; any other file is taken for an image.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from negjax.datasets.sources.prompts import read_classnames, read_templates
from negjax.datasets.sources.rows import Row, RowSource
from negjax.errors import NegjaxError

LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
PREPARE = "prepare it with tfds.builder(NAME, file_format='array_record', data_dir=DIR).download_and_prepare()"


def folder_source(folder: epath.PathLike, classnames: str | None, templates: str) -> RowSource:
    """The images of a folder of class folders; a record's `label` is the place of its class.

    Raises NegjaxError when there is no such folder, it has no class folders, or names and templates do not fit.
    """
    root = epath.Path(folder)
    if not root.is_dir():
        raise NegjaxError(f"no folder {folder}: give the folder that holds a folder per class as --folder")
    classes = [path.name for path in root.iterdir() if not _is_litter(path.name) and path.is_dir()]
    if not classes:
        raise NegjaxError(f"{folder} has no subfolders: it must hold a folder per class, each with its images")
    numbers = all(name.isascii() and name.isdigit() for name in classes)
    classes.sort(key=lambda name: (int(name), name) if numbers else name)
    images = [(label, f"{name}/{file}") for label, name in enumerate(classes) for file in _files(root / name)]
    shown = {label for label, _ in images}
    empty = [name for label, name in enumerate(classes) if label not in shown]

    def read() -> Iterator[Row]:
        for number, (label, file) in enumerate(images):
            yield Row(number, file, {"id": number, "label": label})

    return RowSource(
        kind="folder",
        name=str(folder),
        file=root.name,
        sha256=hashlib.sha256("".join(f"{file}\n" for _, file in images).encode()).hexdigest(),
        media_root=str(folder),
        fields=("label",),
        task_kind="zeroshot",
        negated=False,
        read=read,
        find=lambda file: root / file,
        metadata=_prompts(classes, classnames, templates),
        notes=(f"no images of {len(empty)} classes ({', '.join(empty[:5])}), which stay classes",) if empty else (),
    )


def tfds_source(folder: epath.PathLike, split: str, classnames: str | None, templates: str) -> RowSource:
    """The images of a split of a TFDS data set that is prepared in a folder .../NAME/VERSION.

    Its one Image and one ClassLabel feature are taken. Raises NegjaxError when there are none or several, there is no
    such split, or its files can only be read with TensorFlow.
    """
    try:
        builder = tfds.builder_from_directory(folder)
    except Exception as error:  # whatever TFDS, protobuf and json raise for a folder that is none of theirs
        reason = " ".join(str(error).split())[:200]
        raise NegjaxError(f"{folder} holds no TFDS data set, it must be .../NAME/VERSION ({reason})") from error
    features, splits = builder.info.features or {}, list(builder.info.splits)
    image, label = _only(features, tfds.features.Image, folder), _only(features, tfds.features.ClassLabel, folder)
    if split not in splits:
        raise NegjaxError(f"--split {split}: {folder} has the splits {', '.join(splits) or 'of none'}")
    try:
        stored = builder.as_data_source(split=split, decoders={image: tfds.decode.SkipDecoding()})
    except NotImplementedError as error:
        form = builder.info.file_format.value
        raise NegjaxError(f"{folder} is stored as {form}, which only TensorFlow reads: {PREPARE}") from error
    classes = features[label].names

    def read() -> Iterator[Row]:
        for number in range(len(stored)):
            named = int(stored[number][label])
            if not 0 <= named < len(classes):
                raise NegjaxError(f"{folder} split {split}, row {number} has no label ({named}): take a labelled split")
            yield Row(number, str(number), {"id": number, "label": named})

    return RowSource(
        kind="folder",
        name=f"{folder} split {split}",
        file=f"{builder.info.full_name}:{split}",
        sha256=hashlib.sha256((epath.Path(folder) / "dataset_info.json").read_bytes()).hexdigest(),
        media_root=str(folder),
        fields=("label",),
        task_kind="zeroshot",
        negated=False,
        read=read,
        find=lambda file: _Stored(stored, int(file), image),
        metadata=_prompts(classes, classnames, templates),
    )


class _Stored:
    """The image of one row of a TFDS data source, as it is stored."""

    def __init__(self, source: Any, row: int, feature: str):
        self._source, self._row, self._feature = source, row, feature

    def read_bytes(self) -> bytes:
        return self._source[self._row][self._feature]

    def __str__(self) -> str:
        return f"row {self._row}"


def _files(folder: epath.Path) -> list[str]:
    """The files below a folder, as paths relative to it, in their order."""
    found = []
    for path in folder.iterdir():
        if _is_litter(path.name):
            continue
        found += [f"{path.name}/{file}" for file in _files(path)] if path.is_dir() else [path.name]
    return sorted(found)


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in LITTER


def _only(features: Any, kind: type, folder: epath.PathLike) -> str:
    found = [name for name, feature in features.items() if type(feature) is kind]
    if len(found) != 1:
        said = ", ".join(f"{name} ({type(feature).__name__})" for name, feature in features.items())
        raise NegjaxError(f"{folder} must have one {kind.__name__} feature, it has {len(found)}; its features: {said}")
    return found[0]


def _prompts(classes: list[str], classnames: str | None, templates: str) -> dict[str, Any]:
    return {"classnames": read_classnames(classnames, classes), "templates": read_templates(templates)}
