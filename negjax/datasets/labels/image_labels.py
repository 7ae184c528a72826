"""What labels say of the images of a collection, whichever file they come from."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath, PurePosixPath
from typing import Any

from etils import epath

from negjax.datasets.sources.media_root import MediaRoot, plain_path
from negjax.datasets.sources.rows import Row, RowSource, SkipRow
from negjax.datasets.sources.table_source import SHARD_ROWS


@dataclass(frozen=True)
class ImageLabels:
    """What labels say of an image.

    Attributes:
        present: the names of the objects that are there.
        absent: of those that labels say are not there.
        unknown: of those that labels leave open: neither affirmed nor denied.
    """

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelFile:
    """The labels of a file or folder.

    Attributes:
        path: the file or folder, as the user gave it.
        sha256: of its content, and of how it was read.
        images: path of an image, as the file spells it -> its labels.
        complete: whether an object that an image is not labelled with is not there.
        malformed: what was left out, and why, a line each.
        notes: remarks for the user about how the labels were read.
    """

    path: epath.PathLike
    sha256: str
    images: Mapping[str, ImageLabels]
    complete: bool = True
    malformed: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def _by_path(self) -> dict[str, ImageLabels]:
        return {plain_path(path): labels for path, labels in self.images.items()}

    @cached_property
    def _by_name(self) -> dict[str, ImageLabels]:
        """By file names, where no two images have the same."""
        counts = Counter(PurePosixPath(path).name for path in self._by_path)
        named = ((PurePosixPath(path).name, labels) for path, labels in self._by_path.items())
        return {name: labels for name, labels in named if counts[name] == 1}

    def find(self, path: str) -> ImageLabels | None:
        """The labels of an image by its path, or by its file name alone; None if there are none."""
        spelled = plain_path(path)
        return self._by_path.get(spelled) or self._by_name.get(PurePosixPath(spelled).name)


def label_source(labels: LabelFile, media_root: epath.PathLike) -> RowSource:
    """The labelled images as a source of rows without captions.

    Args:
        labels: the labels.
        media_root: the folder of the images; see `MediaRoot`.
    """
    paths = tuple(labels.images)
    starts = range(0, len(paths), SHARD_ROWS)
    return RowSource(
        kind="labels",
        name=str(labels.path),
        file=PurePath(labels.path).name,
        sha256=labels.sha256,
        media_root=str(media_root),
        fields=("objects",),
        shards=tuple(LabelShard(start, paths[start : start + SHARD_ROWS]) for start in starts),
        find_media=MediaRoot(media_root).find,
    )


@dataclass(frozen=True)
class LabelShard:
    """Consecutive labelled images. first: the row of the first one. paths: of the images."""

    first: int
    paths: tuple[str, ...]

    @property
    def rows(self) -> int:
        return len(self.paths)

    def read(self, skip: SkipRow) -> Iterator[Row]:
        for index, path in enumerate(self.paths, self.first):
            record: dict[str, Any] = {"captions": []}
            yield Row(index, path, record)
