"""Tar files read without unpacking, and the samples of WebDataset shards.

The members of a WebDataset shard that have one key, "000012.jpg" and "000012.json", are a sample. The key ends at the
first dot of a name, so "000012.0.jpg" is not the image of a sample. The text of a sample is its .txt, or its .json,
whose keys are the columns of a table (see `layouts`); a list may be a JSON list. img2dataset writes CC12M like this.
"""

import tarfile
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from etils import epath

from negjax.datasets.json_text import parse_json
from negjax.errors import NegjaxError
from negjax.runtime.paths import to_path
from negjax.runtime.regular import MAX_FILE_BYTES, check_regular, read_regular

UNPACK_WITH = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zX": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")


@dataclass(frozen=True)
class TarMember:
    """A file in a tar file, as a `rows.MediaFile`: `size` bytes from `offset` on."""

    tar: str
    name: str
    offset: int
    size: int

    def read_bytes(self) -> bytes:
        if self.size > MAX_FILE_BYTES:
            raise NegjaxError(f"cannot read {self}: it has {self.size:,} bytes, more than {MAX_FILE_BYTES:,}")
        with epath.Path(self.tar).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    def __str__(self) -> str:
        return f"{self.tar}/{self.name}"


@dataclass(frozen=True)
class FolderMember(TarMember):
    """A file in a folder that stands for a tar file; `tar` is the folder."""

    def read_bytes(self) -> bytes:
        return read_regular(epath.Path(self.tar) / self.name)


@dataclass(frozen=True)
class TarSample:
    """An image of a tar file, and the other members of its key by suffix (".json")."""

    image: TarMember
    others: Mapping[str, TarMember]

    def read_cells(self) -> dict[str, Any]:
        """Reads the sample's text, by column; raises ValueError if it is malformed."""
        cells: dict[str, Any] = {}
        try:
            if ".json" in self.others:
                cells = parse_json(self.others[".json"].read_bytes())
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


def read_samples(members: Iterable[TarMember]) -> Iterator[TarSample]:
    """Groups the members of a tar file into samples, in the order of the file.

    Keys without an image and hidden files, as macOS adds them, are skipped.
    """
    key: str | None = None
    image: TarMember | None = None
    others: dict[str, TarMember] = {}
    for member in members:
        path = PurePosixPath(member.name)
        if path.name.startswith("."):
            continue
        stem, _, suffix = path.name.partition(".")
        suffix = f".{suffix.lower()}"
        if str(path.with_name(stem)) != key:
            if image is not None:
                yield TarSample(image, others)
            key, image, others = str(path.with_name(stem)), None, {}
        if suffix in IMAGE_SUFFIXES:
            image = member
        else:
            others[suffix] = member
    if image is not None:
        yield TarSample(image, others)


def unused_images(members: Sequence[TarMember]) -> list[TarMember]:
    """The images of a tar file that belong to no sample: "photo.0.jpg", or a second one with the same key."""
    used = {sample.image for sample in read_samples(members)}
    paths = ((member, PurePosixPath(member.name)) for member in members if member not in used)
    return [member for member, path in paths if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")]


def read_members(tar: epath.PathLike) -> Iterator[TarMember]:
    """The files in a tar file, in order, or those in a folder, by their names.

    Raises:
        NegjaxError: the file is truncated or not a tar file.
    """
    if (folder := to_path(tar)).is_dir():
        files = sorted(file for file in folder.iterdir() if file.is_file())
        yield from (FolderMember(str(folder), file.name, 0, file.stat().length) for file in files)
        return
    path = str(check_regular(tar))
    try:
        _check_not_compressed(path)
        with epath.Path(path).open("rb") as file, tarfile.open(fileobj=file, mode="r:") as opened:
            size = epath.Path(path).stat().length
            for info in opened:
                if info.isfile():
                    if info.offset_data + info.size > size:
                        raise tarfile.ReadError("unexpected end of data")
                    yield TarMember(path, info.name, info.offset_data, info.size)
            file.seek(opened.offset)
            if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
                raise tarfile.ReadError("its end is missing")
    except (tarfile.TarError, OSError) as error:
        raise NegjaxError(f"{path} is not a complete tar file ({error}): download it again") from error


def _check_not_compressed(path: str) -> None:
    """Raises NegjaxError for a compressed tar file or a ZIP archive: members are read from their positions."""
    with epath.Path(path).open("rb") as file:
        beginning = file.read(4)
    unpack = next((program for start, program in UNPACK_WITH.items() if beginning.startswith(start)), "")
    if unpack:
        raise NegjaxError(f"{path} is compressed, and samples are read from their positions: unpack it with {unpack}")
    if beginning == b"PK\x03\x04":
        raise NegjaxError(f"{path} is a ZIP archive, not a tar file: unpack it, and pack its files with tar -cf")


@lru_cache(maxsize=16)
def members_by_name(tar: str) -> dict[str, TarMember]:
    """The files in a tar file by name, ignoring folders inside it; by the composed form (NFC) of their names too."""
    members = {PurePosixPath(member.name).name: member for member in read_members(tar)}
    return {unicodedata.normalize("NFC", name): member for name, member in members.items()} | members
