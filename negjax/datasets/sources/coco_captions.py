"""COCO's files of captions, captions_*.json.

{"images": [{"id", "file_name", ...}, ...], "annotations": [{"image_id", "caption", ...}, ...], ...}

An image is one row, with its captions in the order of their annotations; images without captions are left out.
Source: cocodataset.org, Data format.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import Any

from etils import epath

from negjax.datasets.sources.layouts import CAPTIONS_LAYOUT
from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import INVALID, Row, RowSource, SkipRow
from negjax.datasets.sources.table_file import file_sha256
from negjax.datasets.sources.table_source import MOST_SHARDS, SHARD_ROWS
from negjax.errors import NegjaxError, naming_malformed

COCO_KEYS = {"images", "annotations"}
TITLE = "COCO's captions"


def coco_source(
    path: epath.PathLike, content: Mapping[str, Any], media_root: epath.PathLike, shard_rows: int
) -> RowSource:
    """The source of kind "captions" from the content of a file.

    Args:
        path: The file.
        content: What it holds, an object with COCO_KEYS.
        media_root: Folder in which the images are found; see `MediaRoot`.
        shard_rows: As in `table_source`.

    Raises:
        NegjaxError: The file has no captions, an annotation is of an image that it does not list, or an image is
            listed twice.
    """
    root = MediaRoot(media_root)
    with naming_malformed(path):
        captions = _captions_by_image(path, content)
        left_out = sum(image["id"] not in captions for image in content["images"])
        images = [(image["file_name"], captions[image["id"]]) for image in content["images"] if image["id"] in captions]
    every = shard_rows or max(SHARD_ROWS, -(-len(images) // MOST_SHARDS))
    note = f"{left_out:,} of {len(content['images']):,} images have no captions and are left out"
    return RowSource(
        kind=CAPTIONS_LAYOUT.kind,
        name=str(path),
        file=PurePath(path).name,
        sha256=file_sha256(path),
        media_root=str(media_root),
        fields=CAPTIONS_LAYOUT.fields,
        shards=tuple(
            CocoShard(str(path), first, tuple(islice(images, first, first + every)))
            for first in range(0, len(images), every)
        ),
        task_kind=CAPTIONS_LAYOUT.task_kind,
        find_media=root.find,
        notes=(note,) if left_out else (),
    )


@dataclass(frozen=True)
class CocoShard:
    """Consecutive images of a file. first: the row of the first one. images: the name and the captions of each."""

    path: str
    first: int
    images: tuple[tuple[str, list[str]], ...]

    @property
    def rows(self) -> int:
        return len(self.images)

    def read(self, skip: SkipRow) -> Iterator[Row]:
        for index, (file_name, captions) in enumerate(self.images, self.first):
            try:
                yield CAPTIONS_LAYOUT.read_row({"filepath": file_name, "captions": captions}, index)
            except ValueError as error:
                skip(INVALID, index, f"{self.path} image {file_name}: {error}")


def _captions_by_image(path: epath.PathLike, content: Mapping[str, Any]) -> dict[Any, list[str]]:
    """The captions of each image that has some, by its id."""
    listed = {image["id"] for image in content["images"]}
    if len(listed) < len(content["images"]):
        raise NegjaxError(f"{path} lists {len(content['images']) - len(listed)} images twice, by their id: correct it")
    captions: dict[Any, list[str]] = {}
    for annotation in content["annotations"]:
        if annotation.get("caption") is None:
            what = "boxes of objects" if "bbox" in annotation else f"annotations with {', '.join(annotation)}"
            raise NegjaxError(
                f"{path} holds {what[:80]}, no captions: give COCO's captions_*.json of the same images, or a CSV file "
                "with captions as --csv"
            )
        if annotation["image_id"] not in listed:
            raise NegjaxError(f"{path} has a caption of image {annotation['image_id']}, but no such image: correct it")
        captions.setdefault(annotation["image_id"], []).append(annotation["caption"])
    if not captions:
        raise NegjaxError(f"{path} has no captions (no annotations)")
    return captions
