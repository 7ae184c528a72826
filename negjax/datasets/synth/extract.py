"""Stage 1, `negjax synth extract`: the objects that the captions of each image name, and those that they deny.

Labels, where there are any, take the place of what the captions name.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice
from pathlib import PurePosixPath
from typing import Any, Protocol

import numpy as np
from etils import epath

from negjax.datasets.labels.image_labels import ImageLabels, LabelFile
from negjax.datasets.sources.rows import INVALID, Row, RowSource, is_video
from negjax.datasets.sources.tars import TarMember
from negjax.datasets.synth.shards import (
    IMAGES_PER_SHARD,
    Share,
    StageRow,
    finish_input,
    is_to_make,
    shard_origin,
    shard_path,
    start_stage,
    write_shard,
)
from negjax.errors import NegjaxError
from negjax.runtime.progress import track_progress
from negjax.synthesis.extract import Extracted, extract


class CaptionReader(Protocol):
    """Says what captions name, instead of the lexicon."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it says depends on beside the captions, JSON-able."""

    def extract(self, images: Sequence[Sequence[str]]) -> list[list[Extracted]]:
        """What each caption of each image names."""


def run_extract(
    source: RowSource,
    out: epath.PathLike,
    *,
    labelled: bool = False,
    labels: LabelFile | None = None,
    reader: CaptionReader | None = None,
    share: Share = Share(),
    progress: bool = True,
) -> dict[str, Any]:
    """Runs the stage.

    Rows of one image must follow each other: together they are one row of the stage. Malformed rows are counted and
    left out.

    Args:
        source: the captions.
        out: the folder of all stages.
        labelled: take the objects from the columns positive_objects and negative_objects, which are then complete
            labels, instead of from the captions.
        labels: the objects of the images, instead of from the captions.
        reader: says what captions name; None for the lexicon.
        share: which shards this process makes.
        progress: whether to show progress.

    Returns:
        The facts of the input: shards, images, captions, images without one, clips, images without labels, malformed
        rows with the first explanation.

    Raises:
        NegjaxError: an image's rows do not follow each other, there are no rows, no image has labels, or a shard was
            edited and the source or the settings are others now.
    """
    settings = extract_settings(source, labelled, labels) | dict(reader.settings if reader else {})
    start_stage(out, "extract", settings)
    origin = shard_origin(settings)

    def make(shard: int, groups: Sequence[Sequence[Row]]) -> None:
        target = shard_path(out, "extract", shard)
        if share.has(shard) and is_to_make(target, origin):
            read = reader.extract([captions_of(group) for group in groups]) if reader else [None] * len(groups)
            described = [
                describe_image(group, labelled=labelled, labels=labels, found=found)
                for group, found in zip(groups, read)
            ]
            write_shard(target, described, "extract", origin)

    facts = walk_source(source, labelled, labels, make, progress)
    finish_input(out, facts)
    return facts


def walk_source(
    source: RowSource,
    labelled: bool,
    labels: LabelFile | None,
    use: Callable[[int, Sequence[Sequence[Row]]], object],
    progress: bool,
) -> dict[str, Any]:
    """Reads a source, and finds which images each shard of the stage holds.

    Args:
        source: the captions.
        labelled: as in `run_extract`.
        labels: as in `run_extract`.
        use: called with the number of each shard and the rows of each of its images.
        progress: whether to show progress.

    Returns:
        The facts of `run_extract`.

    Raises:
        NegjaxError: see `run_extract`.
    """
    malformed = list(labels.malformed) if labels else []
    seen = array("Q")
    captions = captionless = clips = shards = unlabelled = 0
    with track_progress(source.rows, "extract", progress) as advance:
        images = read_images(source, malformed, advance)
        while groups := list(islice(images, IMAGES_PER_SHARD)):
            seen.extend(_key(path_of(group[0])) for group in groups)
            counts = [sum(len(row.record["captions"]) for row in group) for group in groups]
            captions, captionless = captions + sum(counts), captionless + counts.count(0)
            clips += sum(is_video(group[0].path) for group in groups)
            unlabelled += sum(labels.find(path_of(group[0])) is None for group in groups) if labels else 0
            use(shards, groups)
            shards += 1
    if not shards:
        raise NegjaxError(f"{source.name} has no usable row; the first: {malformed[0] if malformed else 'none'}")
    if labels and unlabelled == len(seen):
        raise NegjaxError(f"--labels {labels.path} has labels of no image of {source.name}: their paths differ")
    _check_repeated(source, seen)
    return {
        "shards": shards,
        "images": len(seen),
        "captions": captions,
        "captionless": captionless,
        "clips": clips,
        "labelled": labels.complete if labels else labelled,
        "unlabelled": unlabelled,
        "malformed": len(malformed),
        "first_malformed": malformed[0] if malformed else "",
    }


def extract_settings(source: RowSource, labelled: bool, labels: LabelFile | None) -> dict[str, Any]:
    """What the rows of the stage depend on; arguments as in `run_extract`."""
    return {
        "source": {name: value for name, value in source.describe().items() if name != "media_root"},
        "labelled": labelled,
        "labels": labels.sha256 if labels else "",
        "images_per_shard": IMAGES_PER_SHARD,
    }


def read_images(source: RowSource, malformed: list[str], advance: Callable[[int], object]) -> Iterator[list[Row]]:
    """The rows of each image, which follow each other.

    Args:
        source: where they are from.
        malformed: gets an explanation of each malformed row.
        advance: called with the number of rows just read.
    """

    def skip(reason: str, index: int, explanation: str) -> None:
        assert reason == INVALID
        malformed.append(explanation)

    def read() -> Iterator[Row]:
        for row in source.read(skip):
            advance(1)
            yield row

    for _, rows in groupby(read(), key=path_of):
        yield list(rows)


def captions_of(rows: Sequence[Row]) -> list[str]:
    """The different captions of an image, by its rows in the source."""
    return list(dict.fromkeys(chain.from_iterable(row.record["captions"] for row in rows)))


def describe_image(
    rows: Sequence[Row],
    *,
    labelled: bool = False,
    labels: LabelFile | None = None,
    found: Sequence[Extracted] | None = None,
) -> StageRow:
    """The row of an image in the stage: a pure function of its rows in the source, and of its labels.

    Objects that one caption affirms and another denies are in neither list, and so are those of labels.

    Args:
        rows: those of the image.
        labelled: as in `run_extract`.
        labels: as in `run_extract`.
        found: what each of `captions_of` names; None for what the lexicon finds.
    """
    path, captions = path_of(rows[0]), captions_of(rows)
    row: StageRow = {"id": rows[0].index, "filepath": path, "captions": captions}
    found = [extract(caption) for caption in captions] if found is None else found
    if not labelled and labels is None:
        return row | _from_captions(found)
    if labels is None:
        present, absent = (
            tuple(dict.fromkeys(chain.from_iterable(row.record.get(column, ()) for row in rows)))
            for column in ("positive_objects", "negative_objects")
        )
        return row | _from_labels(ImageLabels(present, absent), found)
    said = labels.find(path)
    return row | _from_labels(said or ImageLabels(), found) | {"remark": "" if said else "no labels"}


def _from_captions(found: Sequence[Extracted]) -> StageRow:
    """The columns of an image whose captions say what is there."""
    mentions = Counter(name for extracted in found for name in extracted.present)
    denied = list(dict.fromkeys(name for extracted in found for name in extracted.denied))
    mentioned = dict.fromkeys(name for extracted in found for name in extracted.mentioned)
    contradicted = mentions.keys() & set(denied)
    remarks = [extracted.remark for extracted in found if extracted.remark]
    if contradicted:
        remarks.append(f"captions contradict each other: {sorted(contradicted)[0]}")
    present = [name for name in mentions if name not in contradicted]
    denied = [name for name in denied if name not in contradicted]
    return {
        "positive_objects": present,
        "mentions": [mentions[name] for name in present],
        "denied_objects": denied,
        "other_names": [name for name in mentioned if name not in present and name not in denied],
        "remark": remarks[0] if remarks else "",
    }


def _from_labels(labels: ImageLabels, found: Sequence[Extracted]) -> StageRow:
    """The columns of an image with labels; no caption may deny what its own captions name."""
    contradicted = set(labels.present) & set(labels.absent)
    present = [name for name in labels.present if name not in contradicted]
    said_absent = dict.fromkeys(chain(labels.absent, *(extracted.denied for extracted in found)))
    named = {name for extracted in found for name in extracted.mentioned if name not in extracted.denied}
    doubtful = {*labels.unknown, *named, *contradicted}
    return {
        "positive_objects": present,
        "mentions": [1] * len(present),
        "denied_objects": [name for name in said_absent if name not in doubtful and name not in present],
        "other_names": sorted(doubtful.difference(present)),
        "remark": "",
    }


def path_of(row: Row) -> str:
    """The path by which `MediaRoot` finds the image of a row: of one in TARS/00000.tar, 00000/NAME below TARS."""
    return f"{PurePosixPath(row.media.tar).stem}/{row.media.name}" if isinstance(row.media, TarMember) else row.path


def _key(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _check_repeated(source: RowSource, seen: array) -> None:
    keys, counts = np.unique(np.frombuffer(seen, np.uint64), return_counts=True)
    if repeated := int((counts > 1).sum()):
        key = int(keys[counts > 1][0])
        path = next(path for row in source.read(lambda *_: None) if _key(path := path_of(row)) == key)
        raise NegjaxError(
            f"{source.name}: the rows of {repeated:,} images do not follow each other (one is {path}): sort the file "
            "by its column of paths, so that all captions of an image are known together"
        )
