"""The source of a derived set: whether it can be derived from, its distinct images and their object labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from etils import epath

from negjax.datasets.derive.kinds import DERIVED_KINDS
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import LabelledImages
from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.runtime.progress import track_progress
from negjax.runtime.regular import read_regular
from negjax.synthesis.labels import build_labels

# Metadata "labels" of a set whose positive_objects are not all there is: only its negative_objects are absent.
PARTIAL_LABELS = "partial"


def check_source(source: StoredSet, request: DeriveRequest) -> None:
    """Check that a set can be derived from.

    Args:
        source: the set.
        request: what to derive.

    Raises:
        NegjaxError: for a set without captions, a set of clips and a medium that is none, or captions that negate
            already.
    """
    if "captions" not in source.fields:
        raise NegjaxError(
            f"set {source.name} has no positive_objects, because it is a set of {', '.join(source.fields)}: derive "
            "from one that was built with --kind captions"
        )
    if source.metadata.get("media_type", "image") == "video" and request.medium != "video":
        raise NegjaxError(f"set {source.name} is of clips, not of --medium {request.medium}: give --medium video")
    if source.metadata.get("labels") == PARTIAL_LABELS and not DERIVED_KINDS[request.kind].partial_labels:
        raise NegjaxError(f"set {source.name} has labels from captions: --kind {request.kind} needs complete labels")
    if request.kind in {"balanced", "negfull"} and source.metadata["negated"]:
        raise NegjaxError(f"set {source.name} has captions that negate already: --kind balanced takes plain captions")


def read_object_names(path: epath.PathLike) -> list[str]:
    """Read a file of object names, one per line; blank lines and repetitions are skipped.

    Args:
        path: the file.

    Raises:
        NegjaxError: for a file that is not UTF-8, or names fewer than two objects.
    """
    try:
        lines = read_regular(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise NegjaxError(f"{path} is not UTF-8 text ({error.reason}): save it as UTF-8") from error
    names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if len(names) < 2:
        raise NegjaxError(f"{path} names {len(names)} objects: give two or more, one per line")
    return names


def read_blocks(
    source: StoredSet, names: Sequence[str] | None, block_images: int | None, progress: bool
) -> Iterator[tuple[list[int], LabelledImages]]:
    """Read the distinct images of a set, in blocks.

    Args:
        source: the set.
        names: the objects to keep; None for all that occur in a block.
        block_images: images of a block, in which an image that several rows show counts once; None for one block.
        progress: whether to show a progress bar.

    Yields:
        The first row of each image; and the images, with the labels of all their rows and the captions of the first.
    """
    partial = source.metadata.get("labels") == PARTIAL_LABELS
    block = _ImageBlock()
    with track_progress(len(source), f"reading {source.name}", progress) as advance:
        for row, record in enumerate(source.rows()):
            if block_images and len(block.rows) == block_images and record["media_sha256"] not in block.rows:
                yield block.finish(names, partial)
                block = _ImageBlock()
            block.add(row, record)
            advance(1)
    if block.rows:
        yield block.finish(names, partial)


@dataclass
class _ImageBlock:
    """Some images of a set, by their media_sha256."""

    rows: dict[str, int] = field(default_factory=dict)
    objects: dict[str, set[str]] = field(default_factory=dict)
    absent: dict[str, set[str]] = field(default_factory=dict)
    captions: list[list[str]] = field(default_factory=list)

    def add(self, row: int, record: Record) -> None:
        sha256 = record["media_sha256"]
        if sha256 not in self.rows:
            self.rows[sha256] = row
            self.captions.append(record["captions"])
        named = (name.strip() for name in record["positive_objects"])
        self.objects.setdefault(sha256, set()).update(filter(None, named))
        self.absent.setdefault(sha256, set()).update(record["negative_objects"])

    def finish(self, names: Sequence[str] | None, partial: bool) -> tuple[list[int], LabelledImages]:
        known_absent = list(self.absent.values()) if partial else None
        labels = build_labels(list(self.objects.values()), names, known_absent)
        return list(self.rows.values()), LabelledImages(labels, self.captions)
