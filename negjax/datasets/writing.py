"""The TFDS builder that writes any set: one ArrayRecord file, rows in the order they come, no TensorFlow."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.writer import ExampleWriter
from tensorflow_datasets.proto import tf_example_pb2

from negjax.datasets.reading import LENGTHS, VERSION
from negjax.datasets.records import ENCODED, TEXT_LISTS, TEXTS, Record, columns, complete
from negjax.errors import NegjaxError
from negjax.tokenizer import Tokenizer

SPLIT = "rows"  # not "all", TFDS's own word for all splits: it cannot read a split of that name


class Builder(tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Writes examples to data_dir/name/VERSION: the records as TFDS does, and the lengths of their texts.

    The set's metadata gets `content`, a sha256 over all records.
    """

    VERSION = tfds.core.Version(VERSION)
    code_path = None  # where TFDS would look for checksums of downloads, with a package that it does not install

    def __init__(
        self,
        data_dir: epath.PathLike,
        name: str,
        examples: Iterable[Mapping[str, Any]],
        fields: Sequence[str],
        metadata: Mapping[str, Any],
        on_row: Callable[[], object] | None,
    ):
        self.name = name
        self._examples, self._fields, self._on_row = examples, fields, on_row
        self._metadata = tfds.core.MetadataDict(metadata)
        self._lengths: dict[str, list[int]] = {name: [] for name in columns(fields) if name in ENCODED}
        super().__init__(data_dir=data_dir, file_format="array_record")

    def write(self) -> None:
        """Raises NegjaxError when a row is not valid or there are none."""
        tfds.disable_progress_bar()
        self.download_and_prepare()
        _save(epath.Path(self.data_dir) / LENGTHS, self._lengths)

    def _info(self) -> tfds.core.DatasetInfo:
        types = {name: tfds.features.Sequence(tfds.features.Text()) for name in TEXT_LISTS}
        types |= {name: tfds.features.Text() for name in TEXTS}
        clips = self._metadata["media_type"] == "video"
        types |= {"media": tfds.features.Tensor(shape=(), dtype=np.object_) if clips else tfds.features.Image()}
        names = ["id", "group", "media", "media_sha256", *columns(self._fields)]
        return _Info(
            builder=self,
            description="Written by negjax.",
            features=tfds.features.FeaturesDict({name: types.get(name, np.int64) for name in names}),
            metadata=self._metadata,
        )

    def _shard_iterators_per_split(self, dl_manager: Any) -> Mapping[str, Sequence[Callable[[], Iterator[Any]]]]:
        return {SPLIT: [self._records]}

    def _records(self) -> Iterator[tuple[int, Record]]:
        tokenizer, content, last = Tokenizer(), hashlib.sha256(), -1
        for row, example in enumerate(self._examples):
            try:
                record = complete(example, row, self._fields, self._metadata)
                if record["id"] <= last:
                    raise ValueError(f"its id does not come after {last}, the id before it")
            except (ValueError, TypeError) as error:
                raise NegjaxError(f"set {self.name}, row {example.get('id', row)}: {error}") from error
            last = record["id"]
            record["media_sha256"] = hashlib.sha256(record["media"]).hexdigest()
            said = {name: value for name, value in record.items() if name != "media"}
            content.update(json.dumps(said, sort_keys=True).encode())
            for name, longest in self._lengths.items():
                longest.append(max(tokenizer.lengths(record[name]), default=0))
            yield row, record
            record.clear()  # TFDS counts the examples in the end and keeps them all until then
            if self._on_row:
                self._on_row()
        if last < 0:
            raise NegjaxError(f"set {self.name}: there are no rows to write")
        self._metadata["content"] = content.hexdigest()

    def _example_writer(self) -> ExampleWriter:
        return _SameBytes(self.info.file_format)

    def _log_download_bytes(self) -> None:
        """Nothing: TFDS would print of downloads."""

    def _log_download_done(self) -> None:
        """Nothing, likewise."""


class _SameBytes(ExampleWriter):
    """Writes columns in alphabetical order: protobuf's own order differs from one process to the next."""

    def write(self, path: epath.Path, examples: Iterable[tuple[int, bytes]]) -> Any:
        in_order = (
            (key, tf_example_pb2.Example.FromString(raw).SerializeToString(deterministic=True)) for key, raw in examples
        )
        return super().write(path=path, examples=in_order)


class _Info(tfds.core.DatasetInfo):
    def initialize_from_bucket(self) -> None:
        """Nothing: TFDS would look for a set of this name that Google publishes, and litter /tmp."""


def _save(path: epath.Path, lengths: Mapping[str, Sequence[int]]) -> None:
    """As np.savez, less the time of day: the same set has the same bytes."""
    with path.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        for name, values in lengths.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.array(values, np.int16))
