"""A stored set, opened for reading at random, without TensorFlow."""

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from google.protobuf.message import DecodeError
from tensorflow_datasets.proto import tf_example_pb2

from negjax.datasets.records import ENCODED, TEXT_COLUMNS, TEXT_LISTS, Record, columns
from negjax.datasets.stored.set_checksums import RowPlaces, SetChecksums
from negjax.datasets.stored.text_lengths import ANSWER, LENGTHS_FILE, TextLengths, lengths_of, read_lengths
from negjax.datasets.stored.tfds_folder import open_builder
from negjax.errors import NegjaxError

VERSION = "1.0.0"
CHECKED_FILES = ("dataset_info.json", "features.json", "metadata.json")  # when a set is opened
_LAZY = ("_source", "_lengths", "_answers", "_lock")  # cannot be pickled, or are read again
REQUIRED_METADATA = {"task_kind", "negated", "altered", "fields"}


class StoredSet:
    """A set: `set[i]` is row i, a dict of str, int, bytes and lists, with the media still encoded.

    Cheap to open, fit for `grain.MapDataset.source`; can be pickled, and read by several threads at once. Open one
    with `store.open_set`.

    Attributes:
        name: Name of the set.
        path: Its folder, DATA_DIR/NAME/1.0.0.
        metadata: The metadata that its builder recorded (`task_kind`, `negated`, `media_type`, `source`, ...).
        fields: Keys of `records.COLUMNS`.
        bytes: Size of its records in bytes.
    """

    _source: Any
    _lengths: dict[str, TextLengths] | None
    _answers: np.ndarray | None
    _lock: threading.Lock

    def __init__(self, data_dir: epath.PathLike, name: str):
        self.name = name
        self.path = epath.Path(data_dir) / name / VERSION
        try:
            self._checksums = SetChecksums.read(self.path)
            if self._checksums is not None:
                self._checksums.check(*CHECKED_FILES)
            info = open_builder(self.path).info
            self.bytes = sum(split.num_bytes for split in info.splits.values())
            self._rows = info.splits.total_num_examples
            files = [path for split in info.splits.values() for path in split.filepaths]
            on_disk = sum(path.stat().length for path in files)
            shards = [path.name for path in files]
            if self._checksums is not None:
                self._checksums.check(*shards)
            counts = [count for split in info.splits.values() for count in split.shard_lengths]
            self._places = RowPlaces.of(shards, counts, self._checksums)
            self.metadata: dict[str, Any] = dict(info.metadata or {})
        except NegjaxError:
            raise
        except Exception as error:  # TFDS, protobuf and json raise many types for truncated or altered files
            raise self._damaged(error) from error
        if on_disk != self.bytes:
            raise self._damaged(f"its records have {on_disk} bytes instead of {self.bytes}")
        if absent := REQUIRED_METADATA - set(self.metadata):
            raise self._damaged(f"metadata.json lacks {', '.join(sorted(absent))}")
        self.fields: tuple[str, ...] = tuple(self.metadata["fields"])
        self._columns = ["id", "group", "media", "media_sha256", *columns(self.fields)]
        self._reset()

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, index: int) -> Record:
        row = range(len(self))[index]
        try:
            self._check_shard(self._places.shard_of(row))
            features = tf_example_pb2.Example.FromString(self.source().data_source[row]).features.feature
            record = {name: _column_value(name, features[name]) for name in self._columns}
            self._places.check_id(row, record["id"])
        except (RuntimeError, DecodeError) as error:  # ArrayRecord raises the first for a wrong checksum
            raise self._damaged(f"{self._places.shards[self._places.shard_of(row)]}: {error}") from error
        except (ValueError, IndexError) as error:
            raise self._damaged(error) from error
        return record

    def __repr__(self) -> str:
        return f"StoredSet({self.name}, {len(self)} rows)"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in _LAZY}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    def rows(self, indices: Iterable[int] | None = None) -> Iterator[Record]:
        """Reads the rows with these indices, in that order; all rows by default."""
        return (self[index] for index in (range(len(self)) if indices is None else indices))

    def source(self) -> Any:
        """TFDS's random-access source of this set: texts as bytes, media encoded as they are stored."""
        with self._lock:
            if self._source is None:
                builder = open_builder(self.path)
                as_stored = {"media": tfds.decode.SkipDecoding()}
                self._source = builder.as_data_source(split="all", decoders=as_stored)
        return self._source

    def lengths(self, column: str) -> TextLengths:
        """How many tokens the texts of a column have: "captions", "negated_captions" or "options".

        Raises:
            NegjaxError: The set has no such column, or is damaged.
        """
        if self._lengths is None:
            try:
                if self._checksums is not None:
                    self._checksums.check(LENGTHS_FILE)
                arrays = read_lengths(self.path / LENGTHS_FILE)
                self._answers = arrays.get(ANSWER)
                self._lengths = {name: lengths_of(arrays, name) for name in ENCODED if name in arrays}
            except Exception as error:  # NumPy and zipfile raise many types for a truncated file
                raise self._damaged(f"{LENGTHS_FILE}: {error}") from error
        if column not in self._lengths:
            available = ", ".join(self._lengths) or "none"
            raise NegjaxError(f"set {self.name} has no texts called {column}; it has: {available}")
        return self._lengths[column]

    @property
    def answers(self) -> np.ndarray | None:
        """The right option of each row, int32 [rows], of a set of questions; None in sets of earlier versions."""
        self.lengths("options")
        return self._answers

    @property
    def fingerprint(self) -> str:
        """sha256 of the set's records and metadata, independent of the place and the files that it was built from."""
        content = {key: value for key, value in self.metadata.items() if key not in ("source", "skipped")}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _reset(self) -> None:
        """Drops everything that is read lazily, because it cannot be pickled."""
        self._source, self._lengths, self._answers, self._lock = None, None, None, threading.Lock()
        self._checked_shards: set[int] = set()

    def _check_shard(self, number: int) -> None:
        """Checks a shard when a row of it is first read. Raises ValueError if it is not the set's."""
        if self._checksums is not None and number not in self._checked_shards:
            self._checksums.check_ends(self._places.shards[number])
            self._checked_shards.add(number)

    def _damaged(self, error: Exception | str) -> NegjaxError:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return NegjaxError(f"set {self.name} in {self.path} is damaged ({reason}): build it again")


def _column_value(name: str, column: Any) -> Any:
    """Decodes a column as TFDS does, which takes three times as long."""
    if name in TEXT_LISTS:
        return [text.decode() for text in column.bytes_list.value]
    if name in TEXT_COLUMNS:
        return column.bytes_list.value[0].decode()
    return column.bytes_list.value[0] if name == "media" else column.int64_list.value[0]
