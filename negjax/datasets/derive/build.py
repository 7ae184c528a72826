"""Derives sets of questions or queries from the object labels of a captions set: `negjax data derive`."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from etils import epath

from negjax.datasets.derive.kinds import DERIVED_KINDS, load_row_maker
from negjax.datasets.derive.request import DeriveRequest, check_request
from negjax.datasets.derive.rows import DerivedRows, LabelledImages
from negjax.datasets.derive.source import check_source, read_images, read_object_names
from negjax.datasets.records import Record
from negjax.datasets.stored.store import check_free, open_set, write_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.runtime.progress import track_progress
from negjax.synthesis.labels import ObjectLabels


@dataclass(frozen=True)
class DerivedSet:
    """A derived set that was written.

    Attributes:
        folder: the folder of the set.
        rows: how many rows it has.
        images: how many distinct images it shows.
        source_images: how many distinct images its source has.
        notes: remarks for the user, each a sentence.
    """

    folder: epath.Path
    rows: int
    images: int
    source_images: int
    notes: tuple[str, ...]


def derive_set(
    request: DeriveRequest,
    source: str,
    name: str,
    data_dir: epath.PathLike,
    *,
    objects: epath.PathLike | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> DerivedSet:
    """Derive the set DATA_DIR/NAME from the labels (`positive_objects`) of the set DATA_DIR/SOURCE.

    The labels are taken to be complete: an object that an image is not labelled with is absent, and an image without
    labels holds none of the objects. Images are copied byte for byte; one that is in several rows of the source counts
    once, with the labels of all of them.

    Args:
        request: the kind of set, the seed and limits.
        source: the name of the set to derive from.
        name: the name of the new set.
        data_dir: the folder of the sets.
        objects: a file with the names of the objects to keep, one per line; by default all that are labelled.
        overwrite: replace a set of this name.
        progress: whether to show progress bars.

    Raises:
        NegjaxError: the arguments are invalid, or the labels of the source do not allow the request.
    """
    check_request(request)
    check_free(data_dir, name, overwrite=overwrite)
    if name == source:
        raise NegjaxError(f"--name {name} is the source itself: give the new set another name")
    source_set = open_set(data_dir, source)
    check_source(source_set, request)
    names = None if objects is None else read_object_names(objects)
    first_rows, images = read_images(source_set, names, progress)
    if not images.labels.present_IN.any():
        of_file = "" if objects is None else f" of {objects}"
        raise NegjaxError(
            f"set {source}: no row has positive_objects{of_file}; the column comes from the file that the set was "
            "built from"
        )
    derived = derive_rows(request, images)
    metadata = {
        **derived.metadata,
        "altered": source_set.metadata["altered"],
        "source": _describe_origin(source_set, request, images.labels),
    }
    with track_progress(len(derived.rows), f"writing {name}", progress) as advance:
        folder = write_set(
            data_dir,
            name,
            lambda: _add_media(derived, source_set, first_rows),
            derived.fields,
            metadata,
            lambda: advance(1),
            overwrite=overwrite,
        )
    notes = (*_describe(source_set, derived), *_describe_unused_objects(objects, images.labels))
    image_count = len({image for image, _ in derived.rows})
    return DerivedSet(folder, len(derived.rows), image_count, len(images), notes)


def derive_rows(request: DeriveRequest, images: LabelledImages) -> DerivedRows:
    """Make the rows of a derived set, without looking at pixels.

    Args:
        request: the kind of set, the seed and limits.
        images: the images of the source.

    Raises:
        NegjaxError: the request is invalid, or the labels do not allow it; the message says what they allow.
    """
    check_request(request)
    kind = DERIVED_KINDS[request.kind]
    rng = np.random.default_rng([request.seed, zlib.crc32(request.kind.encode())])
    derived = load_row_maker(request.kind)(request, images, rng)
    if not derived.parts:
        raise NegjaxError(f"no {kind.parts} can be made of these labels: {kind.requires}")
    if request.groups is not None and derived.parts < request.groups:
        remedy = " or give a larger --reuse" if kind.reuse is not None else ""
        remedy = " or give a smaller --least" if kind.has_least else remedy
        raise NegjaxError(
            f"--groups {request.groups}: the labels of {len(images)} images give only {derived.parts} {kind.parts}; "
            f"ask for fewer{remedy}"
        )
    return derived


def _describe_origin(source: StoredSet, request: DeriveRequest, labels: ObjectLabels) -> dict[str, Any]:
    """Describe in the metadata what the set is derived from, with the keys of sets that are built from files."""
    return {
        "derived_from": source.name,
        "kind": request.kind,
        "fingerprint": source.fingerprint,
        "seed": request.seed,
        "objects": len(labels.names),
        "file": "",
        "sha256": "",
        "rows": len(source),
    }


def _add_media(derived: DerivedRows, source: StoredSet, first_rows: Sequence[int]) -> Iterator[Record]:
    """Add to each row its image, from the first row of the source that has it."""
    for image, record in derived.rows:
        yield record | {"media": source[first_rows[image]]["media"]}


def _describe(source: StoredSet, derived: DerivedRows) -> tuple[str, ...]:
    """Write notes about the content of the set, and its limits."""
    notes = []
    if "queries" in derived.metadata:
        notes.append(f"{derived.parts:,} queries, each answered by {derived.metadata['least']} images or more")
    if derived.skipped:
        notes.append(f"no question about {derived.skipped:,} images, because it takes two objects")
    altered = source.metadata["altered"]
    if altered and derived.metadata["task_kind"] != "train":
        notes.append(f"negjax eval will refuse it, because the images of {source.name} are altered ({altered})")
    return tuple(notes)


def _describe_unused_objects(objects: epath.PathLike | None, labels: ObjectLabels) -> tuple[str, ...]:
    """Write a note about objects of the file that no image holds: they may be misspelt."""
    unused = [name for name, present_I in zip(labels.names, labels.present_IN.T) if not present_I.any()]
    if objects is None or not unused:
        return ()
    more = ", ..." if len(unused) > 5 else ""
    return (f"no image is labelled with {len(unused)} of the objects of {objects}: {', '.join(unused[:5])}{more}",)
