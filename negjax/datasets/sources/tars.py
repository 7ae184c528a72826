"""WebDataset shards: tar files whose members of one key, "000012.jpg" and "000012.json", are a sample.

The key ends at the first dot of a name, so "000012.0.jpg" is no sample's image. The text of a sample is its .txt, or
its .json, whose keys are the columns of a CSV file (see `tables`); a list may be one there. This is how img2dataset
writes CC12M.
"""

import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from etils import epath

from negjax.errors import NegjaxError

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")


@dataclass(frozen=True)
class Member:
    """A file in a tar file, as a `rows.Place`: `size` bytes from `offset` on."""

    tar: str
    name: str
    offset: int
    size: int

    def read_bytes(self) -> bytes:
        with epath.Path(self.tar).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    def __str__(self) -> str:
        return f"{self.tar}/{self.name}"


@dataclass(frozen=True)
class Sample:
    """An image of a tar file, and the other members of its key by suffix (".json")."""

    image: Member
    others: Mapping[str, Member]

    def cells(self) -> dict[str, Any]:
        """What the sample says, by column. Raises ValueError when it cannot be read."""
        cells: dict[str, Any] = {}
        try:
            if ".json" in self.others:
                cells = json.loads(self.others[".json"].read_bytes())
            if ".txt" in self.others:
                cells["caption"] = self.others[".txt"].read_bytes().decode()
        except (ValueError, TypeError) as error:
            raise ValueError(f"its .json or .txt cannot be read ({error})") from error
        if not isinstance(cells, dict):
            raise ValueError("its .json does not hold an object")
        if "caption" in cells and not isinstance(cells["caption"], str):
            raise ValueError("its caption is not a text")
        if "caption" in cells and "captions" not in cells:
            cells["captions"] = [cells["caption"]]
        return cells | {"filepath": self.image.name}


def samples(held: Iterable[Member]) -> Iterator[Sample]:
    """Those of the samples of a tar file that have an image, in its order; hidden files, as macOS adds, are of none."""
    key: str | None = None
    image: Member | None = None
    others: dict[str, Member] = {}
    for member in held:
        path = PurePosixPath(member.name)
        if path.name.startswith("."):
            continue
        stem, _, suffix = path.name.partition(".")
        suffix = f".{suffix.lower()}"
        if str(path.with_name(stem)) != key:
            if image is not None:
                yield Sample(image, others)
            key, image, others = str(path.with_name(stem)), None, {}
        if suffix in IMAGES:
            image = member
        else:
            others[suffix] = member
    if image is not None:
        yield Sample(image, others)


def unused_images(held: Sequence[Member]) -> list[Member]:
    """Those of the images of a tar file that no sample has: "photo.0.jpg", or a second one of a key."""
    used = {sample.image for sample in samples(held)}
    named = ((member, PurePosixPath(member.name)) for member in held if member not in used)
    return [member for member, path in named if path.suffix.lower() in IMAGES and not path.name.startswith(".")]


def members(tar: epath.PathLike) -> Iterator[Member]:
    """The files in a tar file, in its order. Raises NegjaxError for what is not a whole tar file."""
    path = str(tar)
    try:
        with epath.Path(path).open("rb") as file, tarfile.open(fileobj=file, mode="r:") as opened:
            size = epath.Path(path).stat().length
            for info in opened:
                if info.isfile():
                    if info.offset_data + info.size > size:
                        raise tarfile.ReadError("unexpected end of data")
                    yield Member(path, info.name, info.offset_data, info.size)
            file.seek(opened.offset)
            if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
                raise tarfile.ReadError("its end is missing")
    except (tarfile.TarError, OSError) as error:
        raise NegjaxError(f"{path} is not a whole tar file ({error}): get it again") from error


@lru_cache(maxsize=16)
def index(tar: str) -> dict[str, Member]:
    """The files in a tar file by their names, without the folders that it may have inside."""
    return {PurePosixPath(member.name).name: member for member in members(tar)}
