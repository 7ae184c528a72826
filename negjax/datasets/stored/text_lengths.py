"""How many tokens the texts of a stored set have, known without reading its rows: the file lengths.npz.

For a column of texts NAME: "NAME", int16 [rows], the tokens of each row's longest text, 0 for a row without any;
"NAME.texts", int32 [rows], how many texts a row has; "NAME.tokens", int16 [texts], the tokens of each text of all rows.
Sets with questions also have "answer", int32 [rows]. Sets of earlier versions have only the first.
"""

import threading
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from etils import epath

from negjax.datasets.records import ENCODED, Record, columns
from negjax.tokenizers.clip import Tokenizer

LENGTHS_FILE = "lengths.npz"
ANSWER = "answer"
_READING = threading.Lock()
_PARTS = ("", ".texts", ".tokens")


@dataclass(frozen=True)
class TextLengths:
    """Tokens of the texts of one column, start and end token included, as `Tokenizer.lengths` counts them.

    Attributes:
        longest_R: of each row's longest text, int16 [rows]; 0 for a row without any.
        count_R: how many texts each row has, int32 [rows]; None in sets of earlier versions.
        token_X: of each text of all rows, int16 [texts]; None in sets of earlier versions.
    """

    longest_R: np.ndarray
    count_R: np.ndarray | None = None
    token_X: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.count_R is None or self.token_X is None:
            if self.count_R is not self.token_X:
                raise ValueError("it lacks a part")
        elif len(self.count_R) != len(self.longest_R) or self.count_R.sum() != len(self.token_X):
            raise ValueError("its parts are of different sets")

    @cached_property
    def first_R(self) -> np.ndarray:
        """The first of each row's texts among all."""
        assert self.count_R is not None
        return np.cumsum(self.count_R, dtype=np.int64) - self.count_R

    def drawn(self, row_B: np.ndarray, draw_B: np.ndarray) -> np.ndarray:
        """Tokens of the text number int(draw x count) of rows, int64 [B]; at least those where texts are not counted.

        Args:
            row_B: rows.
            draw_B: from [0, 1).
        """
        if self.count_R is None:
            return self.longest_R[row_B].astype(np.int64)
        return self.numbered(row_B, (draw_B * self.count_R[row_B]).astype(np.int64))

    def numbered(self, row_B: np.ndarray, number_B: np.ndarray) -> np.ndarray:
        """Tokens of the text with this number of each row, int64 [B]; at least those where texts are not counted."""
        if self.token_X is None:
            return self.longest_R[row_B].astype(np.int64)
        return self.token_X[self.first_R[row_B] + number_B].astype(np.int64)


def write_lengths(path: epath.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an .npz file like np.savez, but without the time, so that equal sets have equal bytes."""
    with path.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        for name, values in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, values)


def read_lengths(path: epath.Path) -> dict[str, np.ndarray]:
    """The arrays of the file. Raises what NumPy and zipfile raise for one that is damaged.

    NumPy reads headers with `ast.literal_eval`, which fails now and then in two threads at once (Python 3.11's "AST
    constructor recursion depth mismatch"), and each thread of a source may be the first to ask.
    """
    with _READING, path.open("rb") as file, np.load(file) as stored:
        return {name: stored[name] for name in stored.files}


def lengths_of(arrays: Mapping[str, np.ndarray], column: str) -> TextLengths:
    """The lengths of a column's texts, from the arrays of the file; KeyError if it has no such column."""
    return TextLengths(arrays[column], arrays.get(f"{column}.texts"), arrays.get(f"{column}.tokens"))


class TextCounter:
    """Counts the tokens of the records of a shard.

    Attributes:
        counts: the arrays of the file, as lists.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        """Sets up the counter. fields: those of the set, keys of `records.COLUMNS`."""
        self._names = [name for name in columns(fields) if name in ENCODED]
        self._tokenizer = Tokenizer()
        self.counts: dict[str, list[int]] = {f"{name}{part}": [] for name in self._names for part in _PARTS}
        if ANSWER in columns(fields):
            self.counts[ANSWER] = []

    def add(self, record: Record) -> None:
        """Counts the texts of the next record."""
        for name in self._names:
            tokens = self._tokenizer.lengths(record[name])
            self.counts[name].append(max(tokens, default=0))
            self.counts[f"{name}.texts"].append(len(tokens))
            self.counts[f"{name}.tokens"] += tokens
        if ANSWER in self.counts:
            self.counts[ANSWER].append(record[ANSWER])


def joined(shards: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, np.ndarray]:
    """The arrays of the file of a set. shards: the `TextCounter.counts` of all shards, in order."""
    return {
        name: np.concatenate([np.array(shard[name], np.int32 if _is_count(name) else np.int16) for shard in shards])
        for name in shards[0]
    }


def _is_count(name: str) -> bool:
    """Whether an array holds no tokens."""
    return name == ANSWER or name.endswith(".texts")
