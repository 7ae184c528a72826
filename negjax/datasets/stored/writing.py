"""Writes stored sets: ArrayRecord shards whose rows keep their order, then TFDS's metadata. No TensorFlow.

The shards are identical to those of TFDS's builders, record for record, so plain TFDS reads a set. TFDS's builders
write all shards in one process and in one go; here any process can write a shard, and complete shards are kept.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.dataset_info import DatasetIdentity
from tensorflow_datasets.core.file_adapters import ArrayRecordFileAdapter
from tensorflow_datasets.proto import tf_example_pb2

from negjax.datasets.records import TEXT_COLUMNS, TEXT_LISTS, Record, columns, complete_record
from negjax.datasets.stored.set_checksums import write_set_checksums
from negjax.datasets.stored.stored_set import VERSION
from negjax.datasets.stored.text_lengths import LENGTHS_FILE, TextCounter, joined, write_lengths
from negjax.errors import NegjaxError

SPLIT = "rows"  # not "all", which TFDS reserves for all splits: it cannot read a split of that name
CONTENT_MODULUS = 2**256


@dataclass(frozen=True)
class SetSpec:
    """Name, `fields` and `metadata` of a set, as in `store.write_set`; they determine the format of its records."""

    name: str
    fields: tuple[str, ...]
    metadata: Mapping[str, Any]

    @property
    def features(self) -> tfds.features.FeaturesDict:
        """The TFDS features of a record."""
        types = {name: tfds.features.Sequence(tfds.features.Text()) for name in TEXT_LISTS}
        types |= {name: tfds.features.Text() for name in TEXT_COLUMNS}
        clips = self.metadata["media_type"] == "video"
        types |= {"media": tfds.features.Tensor(shape=(), dtype=np.object_) if clips else tfds.features.Image()}
        names = ["id", "group", "media", "media_sha256", *columns(self.fields)]
        return tfds.features.FeaturesDict({name: types.get(name, np.int64) for name in names})


@dataclass(frozen=True)
class WrittenShard:
    """Statistics of a file of records.

    Attributes:
        rows: Number of records.
        bytes: Size of the file in bytes.
        content: Sum of the records' sha256, modulo 2^256. It depends on the order of the records, which hold their id,
            but not on how they are split over shards.
        ids: The ids of the first and of the last record; () without records.
        lengths: Tokens of its texts, as `text_lengths.TextCounter` counts them.
    """

    rows: int
    bytes: int
    content: int
    ids: Sequence[int]
    lengths: Mapping[str, Sequence[int]]


def shard_path(folder: epath.Path, name: str, index: int, count: int) -> epath.Path:
    """The file of shard `index` of `count` of a set, in the folder that the set is written in."""
    return folder / name / VERSION / f"{name}-{SPLIT}.array_record-{index:05d}-of-{count:05d}"


def write_shard(
    path: epath.Path,
    spec: SetSpec,
    examples: Iterable[Mapping[str, Any]],
    on_row: Callable[[], object] | None = None,
) -> WrittenShard:
    """Writes a file of records.

    Args:
        path: The file.
        spec: The set of the records.
        examples: As in `store.write_set`; a row's `id` is its index among them, unless it has one.
        on_row: Called after each row.

    Raises:
        NegjaxError: A row is invalid, or ids are not ascending.
    """
    lengths = TextCounter(spec.fields)
    rows, content, first, last = 0, 0, -1, -1

    def records() -> Iterator[tuple[int, bytes]]:
        nonlocal rows, content, first, last
        for index, example in enumerate(examples):
            try:
                record = complete_record(example, index, spec.fields, spec.metadata)
                if record["id"] <= last:
                    raise ValueError(f"its id does not come after {last}, the id before it")
            except (ValueError, TypeError) as error:
                raise NegjaxError(f"set {spec.name}, row {example.get('id', index)}: {error}") from error
            record["media_sha256"] = hashlib.sha256(record["media"]).hexdigest()
            lengths.add(record)
            rows, content, last = rows + 1, (content + record_digest(record)) % CONTENT_MODULUS, record["id"]
            first = first if rows > 1 else last
            yield index, serialize(record)
            if on_row:
                on_row()

    path.parent.mkdir(parents=True, exist_ok=True)
    ArrayRecordFileAdapter.write_examples(path, records())
    return WrittenShard(rows, path.stat().length, content, (first, last) if rows else (), lengths.counts)


def finish_set(folder: epath.Path, spec: SetSpec, shards: Sequence[WrittenShard]) -> None:
    """Writes the metadata that turn the shards in a folder into a set.

    Args:
        folder: The folder of the shards, named by `shard_path`.
        spec: The set; its metadata get `content`, the sum of the shards'.
        shards: The statistics of all shards, in order.

    Raises:
        NegjaxError: There are no rows.
    """
    if not any(shard.rows for shard in shards):
        raise NegjaxError(f"set {spec.name}: there are no rows to write")
    data_dir = folder / spec.name / VERSION
    template = tfds.core.ShardedFileTemplate(
        data_dir=data_dir, dataset_name=spec.name, split=SPLIT, filetype_suffix="array_record"
    )
    content = sum(shard.content for shard in shards) % CONTENT_MODULUS
    split = tfds.core.SplitInfo(
        name=SPLIT,
        shard_lengths=[shard.rows for shard in shards],
        num_bytes=sum(shard.bytes for shard in shards),
        filename_template=template,
    )
    info = tfds.core.DatasetInfo(
        builder=DatasetIdentity(spec.name, tfds.core.Version(VERSION), str(data_dir), module_name=__name__),
        description="Written by negjax.",
        features=spec.features,
        metadata=tfds.core.MetadataDict({**spec.metadata, "content": f"{content:064x}"}),
    )
    info.set_file_format("array_record")
    info.set_splits(tfds.core.SplitDict([split]))
    info.write_to_directory(data_dir)
    write_lengths(data_dir / LENGTHS_FILE, joined([shard.lengths for shard in shards]))
    paths = [shard_path(folder, spec.name, index, len(shards)) for index in range(len(shards))]
    write_set_checksums(data_dir, {path.name: shard.ids for path, shard in zip(paths, shards)})


def record_digest(record: Record) -> int:
    """The sha256 of a record, in which `media_sha256` stands for the media."""
    columns_without_media = {name: value for name, value in record.items() if name != "media"}
    return int.from_bytes(hashlib.sha256(json.dumps(columns_without_media, sort_keys=True).encode()).digest())


def serialize(record: Record) -> bytes:
    """The record as TFDS stores it, as a `tf.train.Example`, several times as fast as TFDS's own serializer.

    Its columns are sorted: protobuf's own order differs from one process to the next.

    Args:
        record: Columns that `records.complete_record` has checked.
    """
    example = tf_example_pb2.Example()
    for name, value in record.items():
        feature = example.features.feature[name]
        if isinstance(value, int):
            feature.int64_list.value.append(value)
            continue
        feature.bytes_list.SetInParent()  # also of an empty list
        texts = value if isinstance(value, list | tuple) else [value]
        feature.bytes_list.value.extend(text.encode() if isinstance(text, str) else text for text in texts)
    return example.SerializeToString(deterministic=True)
