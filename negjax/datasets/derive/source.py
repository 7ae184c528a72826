"""The source of a derived set: whether it can be derived from, its distinct images and their object labels."""

from collections.abc import Sequence

from etils import epath

from negjax.datasets.derive.kinds import DERIVED_KINDS
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import LabelledImages
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
        NegjaxError: for a set without captions, a set of videos, or captions that negate already.
    """
    if "captions" not in source.fields:
        raise NegjaxError(
            f"set {source.name} has no positive_objects, because it is a set of {', '.join(source.fields)}: derive "
            "from one that was built with --kind captions"
        )
    if source.metadata.get("media_type", "image") != "image":
        raise NegjaxError(f"set {source.name} is of videos: give a set of images, because derived captions name images")
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


def read_images(source: StoredSet, names: Sequence[str] | None, progress: bool) -> tuple[list[int], LabelledImages]:
    """Read the distinct images of a set.

    Args:
        source: the set.
        names: the objects to keep; None for all that occur.
        progress: whether to show a progress bar.

    Returns:
        The first row of each image; and the images, with the labels of all their rows and the captions of the first.
    """
    rows: dict[str, int] = {}
    objects: dict[str, set[str]] = {}
    absent: dict[str, set[str]] = {}
    captions: list[list[str]] = []
    with track_progress(len(source), f"reading {source.name}", progress) as advance:
        for row, record in enumerate(source.rows()):
            sha256 = record["media_sha256"]
            if sha256 not in rows:
                rows[sha256] = row
                captions.append(record["captions"])
            names_of_row = (name.strip() for name in record["positive_objects"])
            objects.setdefault(sha256, set()).update(filter(None, names_of_row))
            absent.setdefault(sha256, set()).update(record["negative_objects"])
            advance(1)
    known_absent = list(absent.values()) if source.metadata.get("labels") == PARTIAL_LABELS else None
    return list(rows.values()), LabelledImages(build_labels(list(objects.values()), names, known_absent), captions)
