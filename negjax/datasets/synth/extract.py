"""Stage 1, `negjax synth extract`: the objects that the captions of each image name, and those that they deny."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from etils import epath

from negjax.datasets.sources.rows import INVALID, Row, RowSource
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
from negjax.synthesis.extract import extract


def run_extract(
    source: RowSource, out: epath.PathLike, *, labelled: bool = False, share: Share = Share(), progress: bool = True
) -> dict[str, Any]:
    """Runs the stage.

    Rows of one image must follow each other: together they are one row of the stage. Malformed rows are counted and
    left out.

    Args:
        source: the captions.
        out: the folder of all stages.
        labelled: take the objects from the columns positive_objects and negative_objects, which are then complete
            labels, instead of from the captions.
        share: which shards this process makes.
        progress: whether to show progress.

    Returns:
        The facts of the input: shards, images, captions, malformed rows with the first explanation.

    Raises:
        NegjaxError: an image's rows do not follow each other, there are no rows, or a shard was edited and the
            source or the settings are others now.
    """
    origin = {name: value for name, value in source.describe().items() if name != "media_root"}
    settings = {"source": origin, "labelled": labelled, "images_per_shard": IMAGES_PER_SHARD}
    start_stage(out, "extract", settings)
    stage_origin = shard_origin(settings)
    malformed: list[str] = []
    seen: list[int] = []
    captions = shards = 0
    with track_progress(source.rows, "extract", progress) as advance:
        images = _images(source, malformed, advance)
        while rows := list(islice(images, IMAGES_PER_SHARD)):
            seen += [_key(path_of(group[0])) for group in rows]
            captions += sum(len(row.record["captions"]) for group in rows for row in group)
            target = shard_path(out, "extract", shards)
            if share.has(shards) and is_to_make(target, stage_origin):
                write_shard(target, [describe_image(group, labelled) for group in rows], "extract", stage_origin)
            shards += 1
    if not shards:
        raise NegjaxError(f"{source.name} has no usable row; the first: {malformed[0] if malformed else 'none'}")
    _check_repeated(source, seen)
    facts = {
        "shards": shards,
        "images": len(seen),
        "captions": captions,
        "labelled": labelled,
        "malformed": len(malformed),
        "first_malformed": malformed[0] if malformed else "",
    }
    finish_input(out, facts)
    return facts


def describe_image(rows: Sequence[Row], labelled: bool) -> StageRow:
    """The row of an image in the stage: a pure function of its rows in the source.

    Objects that one caption affirms and another denies are in neither list.
    """
    captions = list(dict.fromkeys(chain.from_iterable(row.record["captions"] for row in rows)))
    row: StageRow = {"id": rows[0].index, "filepath": path_of(rows[0]), "captions": captions, "remark": ""}
    if labelled:
        names = list(dict.fromkeys(chain.from_iterable(row.record["positive_objects"] for row in rows)))
        return row | {"positive_objects": names, "mentions": [1] * len(names), "denied_objects": [], "other_names": []}
    found = [extract(caption) for caption in captions]
    mentions = Counter(name for extracted in found for name in extracted.present)
    denied = list(dict.fromkeys(name for extracted in found for name in extracted.denied))
    mentioned = dict.fromkeys(name for extracted in found for name in extracted.mentioned)
    contradicted = mentions.keys() & set(denied)
    remarks = [extracted.remark for extracted in found if extracted.remark]
    if contradicted:
        remarks.append(f"captions contradict each other: {sorted(contradicted)[0]}")
    present = [name for name in mentions if name not in contradicted]
    denied = [name for name in denied if name not in contradicted]
    return row | {
        "positive_objects": present,
        "mentions": [mentions[name] for name in present],
        "denied_objects": denied,
        "other_names": [name for name in mentioned if name not in present and name not in denied],
        "remark": remarks[0] if remarks else "",
    }


def path_of(row: Row) -> str:
    """The path by which `MediaRoot` finds the image of a row: of one in TARS/00000.tar, 00000/NAME below TARS."""
    return f"{PurePosixPath(row.media.tar).stem}/{row.media.name}" if isinstance(row.media, TarMember) else row.path


def _images(source: RowSource, malformed: list[str], advance: Any) -> Iterator[list[Row]]:
    """The rows of each image."""

    def skip(reason: str, index: int, explanation: str) -> None:
        assert reason == INVALID
        malformed.append(explanation)

    def read() -> Iterator[Row]:
        for row in source.read(skip):
            advance(1)
            yield row

    for _, rows in groupby(read(), key=path_of):
        yield list(rows)


def _key(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _check_repeated(source: RowSource, seen: list[int]) -> None:
    keys, counts = np.unique(np.array(seen, np.uint64), return_counts=True)
    if repeated := int((counts > 1).sum()):
        key = int(keys[counts > 1][0])
        path = next(path for row in source.read(lambda *_: None) if _key(path := path_of(row)) == key)
        raise NegjaxError(
            f"{source.name}: the rows of {repeated:,} images do not follow each other (one is {path}): sort the file "
            "by its column of paths, so that all captions of an image are known together"
        )
