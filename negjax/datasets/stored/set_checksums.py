"""The checksums of a stored set's files, so that damage, and shards of another place or set, are found.

checksums.json holds the size of every file; of the small ones also the CRC-32, and of a shard, whose records have
checksums of their own, the first and the last id of its records and the CRC-32 of its beginning and end.
"""

import json
import os
import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from etils import epath

from negjax.datasets.json_text import parse_json
from negjax.runtime.checksums import CHECKSUMS_FILE, file_crc32

END_BYTES = 1 << 16  # of a shard, at its beginning and at its end: as many as ArrayRecord pads it to


@dataclass(frozen=True)
class SetChecksums:
    """What checksums.json says of each file of a set: "bytes", and "crc32", or of a shard "ids" and "ends_crc32"."""

    folder: epath.Path
    files: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, folder: epath.Path) -> "SetChecksums | None":
        """Reads them; None for a set of an earlier version, which has none. Raises ValueError if they are damaged."""
        path = folder / CHECKSUMS_FILE
        if not path.exists():
            return None
        try:
            content = parse_json(path.read_text())
            files, shown = content["files"], content["crc32"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{CHECKSUMS_FILE} cannot be read") from error
        if shown != _crc32_of(files):
            raise ValueError(f"the content of {CHECKSUMS_FILE} was altered")
        return cls(folder, files)

    def check(self, *names: str) -> None:
        """Raises ValueError, which names the file, if the size or content of one is not what it was."""
        for name in names:
            self._check(name)

    def _check(self, name: str) -> None:
        if name not in self.files:
            raise ValueError(f"{name} is not among the set's files in {CHECKSUMS_FILE}")
        expected, path = self.files[name], self.folder / name
        if not path.exists():
            raise ValueError(f"{name} is missing")
        if (size := path.stat().length) != expected["bytes"]:
            raise ValueError(f"{name} has {size} bytes instead of {expected['bytes']}")
        if "crc32" in expected and file_crc32(path) != expected["crc32"]:
            raise ValueError(f"the content of {name} was altered")

    def check_ends(self, name: str) -> None:
        """Raises ValueError if beginning and end of a shard are not what they were; sets of 0.1 do not say it."""
        expected = self.files[name].get("ends_crc32")
        if expected is not None and _ends_crc32(self.folder / name) != expected:
            raise ValueError(f"{name} was altered, or is of another set")


@dataclass(frozen=True)
class RowPlaces:
    """Which shard holds each row.

    Attributes:
        shards: The file names of the shards.
        firsts: The index of the first row of each.
        ids: The first and the last id of each; () for one without rows. None if it is not known.
    """

    shards: tuple[str, ...]
    firsts: tuple[int, ...]
    ids: tuple[Sequence[int], ...] | None

    @classmethod
    def of(cls, shards: Sequence[str], rows: Sequence[int], checksums: SetChecksums | None) -> "RowPlaces":
        """The places in shards with these numbers of rows."""
        firsts = tuple(accumulate(rows, initial=0))[:-1]
        ids = None if checksums is None else tuple(checksums.files[name]["ids"] for name in shards)
        return cls(tuple(shards), firsts, ids)

    def shard_of(self, index: int) -> int:
        """The number of the shard that holds a row."""
        return bisect_right(self.firsts, index) - 1

    def check_id(self, index: int, row_id: int) -> None:
        """Raises ValueError if a row's id shows that it is of another shard."""
        number = self.shard_of(index)
        if self.ids is not None and not self.ids[number][0] <= row_id <= self.ids[number][1]:
            raise ValueError(f"{self.shards[number]} holds the row {row_id}, which is of another file")


def write_set_checksums(folder: epath.Path, shards: Mapping[str, Sequence[int]]) -> None:
    """Writes the checksums of all files in the folder of a set. shards: file name -> its first and last id."""
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.iterdir()):
        files[path.name] = {"bytes": path.stat().length}
        if path.name in shards:
            files[path.name] |= {"ids": shards[path.name], "ends_crc32": _ends_crc32(path)}
        else:
            files[path.name]["crc32"] = file_crc32(path)
    (folder / CHECKSUMS_FILE).write_text(json.dumps({"files": files, "crc32": _crc32_of(files)}, indent=1))


def _ends_crc32(path: epath.Path) -> int:
    """The CRC-32 of the first and the last bytes of a file."""
    with path.open("rb") as file:
        crc = zlib.crc32(file.read(END_BYTES))
        file.seek(-min(END_BYTES, file.tell()), os.SEEK_END)
        return zlib.crc32(file.read(), crc)


def _crc32_of(files: Any) -> int:
    """The CRC-32 of the table of files."""
    return zlib.crc32(json.dumps(files, sort_keys=True).encode())
