"""How any set is written: ArrayRecord shards whose rows keep their order, then TFDS's metadata. No TensorFlow.

The shards hold what TFDS's own builders write, record for record, so plain TFDS reads a set. Its builders write all
shards in one process and from the start; here a shard can be written by any process and kept.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.dataset_info import DatasetIdentity
from tensorflow_datasets.core.file_adapters import ArrayRecordFileAdapter
from tensorflow_datasets.proto import tf_example_pb2

from negjax.datasets.records import ENCODED, TEXT_LISTS, TEXTS, Record, columns, complete
from negjax.datasets.stored.reading import LENGTHS, VERSION
from negjax.errors import NegjaxError
from negjax.tokenizers.clip import Tokenizer

SPLIT = "rows"  # not "all", TFDS's own word for all splits: it cannot read a split of that name
MODULUS = 2**256


@dataclass(frozen=True)
class SetSpec:
    """What the records of a set are. name: of the set. fields, metadata: see `store.write_set`."""

    name: str
    fields: tuple[str, ...]
    metadata: Mapping[str, Any]

    @property
    def features(self) -> tfds.features.FeaturesDict:
        types = {name: tfds.features.Sequence(tfds.features.Text()) for name in TEXT_LISTS}
        types |= {name: tfds.features.Text() for name in TEXTS}
        clips = self.metadata["media_type"] == "video"
        types |= {"media": tfds.features.Tensor(shape=(), dtype=np.object_) if clips else tfds.features.Image()}
        names = ["id", "group", "media", "media_sha256", *columns(self.fields)]
        return tfds.features.FeaturesDict({name: types.get(name, np.int64) for name in names})


@dataclass(frozen=True)
class Shard:
    """What a file of records holds.

    content: the sum of the records' sha256, modulo 2^256: each holds its id, so order counts, and how rows are split
    over shards does not. lengths: tokens of each row's longest text by column.
    """

    rows: int
    bytes: int
    content: int
    lengths: Mapping[str, Sequence[int]]


def shard_path(folder: epath.Path, name: str, number: int, shards: int) -> epath.Path:
    """Where a shard of the set `name` lies in the folder that the set is written in."""
    return folder / name / VERSION / f"{name}-{SPLIT}.array_record-{number:05d}-of-{shards:05d}"


def write_shard(
    path: epath.Path,
    form: SetSpec,
    examples: Iterable[Mapping[str, Any]],
    on_row: Callable[[], object] | None = None,
) -> Shard:
    """Writes a file of records; the id of a row is its place among the examples, where they do not say it.

    Raises NegjaxError when a row is not valid, or an id does not come after the one before it.
    """
    lengths: dict[str, list[int]] = {name: [] for name in columns(form.fields) if name in ENCODED}
    features, tokenizer = form.features, Tokenizer()
    rows, content, last = 0, 0, -1

    def records() -> Iterator[tuple[int, bytes]]:
        nonlocal rows, content, last
        for row, example in enumerate(examples):
            try:
                record = complete(example, row, form.fields, form.metadata)
                if record["id"] <= last:
                    raise ValueError(f"its id does not come after {last}, the id before it")
            except (ValueError, TypeError) as error:
                raise NegjaxError(f"set {form.name}, row {example.get('id', row)}: {error}") from error
            record["media_sha256"] = hashlib.sha256(record["media"]).hexdigest()
            for name, longest in lengths.items():
                longest.append(max(tokenizer.lengths(record[name]), default=0))
            rows, content, last = rows + 1, (content + _digest(record)) % MODULUS, record["id"]
            yield row, _serialize(features, record)
            if on_row:
                on_row()

    path.parent.mkdir(parents=True, exist_ok=True)
    ArrayRecordFileAdapter.write_examples(path, records())
    return Shard(rows, path.stat().length, content, lengths)


def finish(folder: epath.Path, form: SetSpec, shards: Sequence[Shard]) -> None:
    """Makes a set of the shards that lie in the folder, by `shard_path`.

    The set's metadata gets `content`, see `Shard`. Raises NegjaxError when there are no rows.
    """
    if not any(shard.rows for shard in shards):
        raise NegjaxError(f"set {form.name}: there are no rows to write")
    place = folder / form.name / VERSION
    template = tfds.core.ShardedFileTemplate(
        data_dir=place, dataset_name=form.name, split=SPLIT, filetype_suffix="array_record"
    )
    content = sum(shard.content for shard in shards) % MODULUS
    split = tfds.core.SplitInfo(
        name=SPLIT,
        shard_lengths=[shard.rows for shard in shards],
        num_bytes=sum(shard.bytes for shard in shards),
        filename_template=template,
    )
    info = tfds.core.DatasetInfo(
        builder=DatasetIdentity(form.name, tfds.core.Version(VERSION), str(place), module_name=__name__),
        description="Written by negjax.",
        features=form.features,
        metadata=tfds.core.MetadataDict({**form.metadata, "content": f"{content:064x}"}),
    )
    info.set_file_format("array_record")
    info.set_splits(tfds.core.SplitDict([split]))
    info.write_to_directory(place)
    _save_lengths(place / LENGTHS, shards)


def _digest(record: Record) -> int:
    said = {name: value for name, value in record.items() if name != "media"}
    return int.from_bytes(hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest())


def _serialize(features: tfds.features.FeaturesDict, record: Record) -> bytes:
    """Columns in alphabetical order: protobuf's own order differs from one process to the next."""
    raw = features.serialize_example(record)
    return tf_example_pb2.Example.FromString(raw).SerializeToString(deterministic=True)


def _save_lengths(path: epath.Path, shards: Sequence[Shard]) -> None:
    """As np.savez, less the time of day: the same set has the same bytes."""
    with path.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        for name in shards[0].lengths:
            values = np.concatenate([np.array(shard.lengths[name], np.int16) for shard in shards])
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, values)
