"""Derives sets of questions or queries from the object labels of a captions set: `negjax data derive`."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from etils import epath

from negjax.datasets.derive.kinds import DERIVED_KINDS, load_row_maker
from negjax.datasets.derive.request import DeriveRequest, check_request
from negjax.datasets.derive.rows import DerivedRows, LabelledImages
from negjax.datasets.derive.source import check_source, read_blocks, read_object_names
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


class Rewriter(Protocol):
    """Puts the sentences of a derived set into other words."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the words depend on, for the metadata of the set."""

    def rewrite(self, derived: DerivedRows, names: Sequence[str]) -> DerivedRows:
        """The rows with other sentences. names: all objects that these may speak of."""


def derive_set(
    request: DeriveRequest,
    source: str,
    name: str,
    data_dir: epath.PathLike,
    *,
    objects: epath.PathLike | None = None,
    block_images: int | None = None,
    rewriter: Rewriter | None = None,
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
        block_images: make the rows of as many images at a time, in bounded memory, as if each block were a set; by
            default of all at once.
        rewriter: changes the words of the sentences; None to leave them.
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
    blocks = _Blocks(request, source_set, read_blocks(source_set, names, block_images, progress), rewriter)
    derived, labels = blocks.first()
    if derived is None:
        if not blocks.labelled:
            of_file = "" if objects is None else f" of {objects}"
            raise NegjaxError(
                f"set {source}: no row has positive_objects{of_file}; the column comes from the file that the set was "
                "built from"
            )
        raise NegjaxError(_too_few(request, blocks.source_images, 0))
    origin = _describe_origin(source_set, request) | dict(rewriter.settings if rewriter else {})
    if block_images is None:
        assert labels is not None
        _check_parts(request, blocks.source_images, derived)
        origin["objects"] = len(labels.names)
    metadata = {
        **derived.metadata,
        "altered": source_set.metadata["altered"],
        "media_type": source_set.metadata.get("media_type", "image"),
        "source": origin,
    }
    with track_progress(len(derived.rows), f"writing {name}", progress and not block_images) as advance:
        folder = write_set(
            data_dir, name, blocks.records, derived.fields, metadata, lambda: advance(1), overwrite=overwrite
        )
    notes = (*_describe(source_set, derived, blocks), *_describe_unused_objects(objects, labels))
    return DerivedSet(folder, blocks.rows, blocks.images, blocks.source_images, notes)


class _Blocks:
    """The rows of a derived set, made block by block while they are written.

    Args:
        request: the kind of set, the seed and limits.
        source: the set to derive from.
        blocks: the first rows of its images, and the images, in blocks.
        rewriter: as in `derive_set`.

    Attributes:
        rows, images, source_images, parts, skipped: the numbers of rows so far, of images that these show, of images of
            the source, of groups or questions, and of images that no question fits.
        labelled: whether an image has an object.
    """

    def __init__(
        self,
        request: DeriveRequest,
        source: StoredSet,
        blocks: Iterator[tuple[list[int], LabelledImages]],
        rewriter: Rewriter | None,
    ):
        self.rows = self.images = self.source_images = self.parts = self.skipped = 0
        self.labelled = False
        self._request, self._source, self._blocks, self._rewriter = request, source, enumerate(blocks), rewriter
        self._made: tuple[list[int], DerivedRows] | None = None

    def first(self) -> tuple[DerivedRows | None, ObjectLabels | None]:
        """The rows of the first block that has some, and its labels."""
        for number, (first_rows, images) in self._blocks:
            if derived := self._make(number, images):
                self._made = first_rows, derived
                return derived, images.labels
        return None, None

    def records(self) -> Iterator[Record]:
        """All records, each with its image, from the first row of the source that has it."""
        assert self._made is not None
        yield from self._add_media(*self._made)
        self._made = None
        for number, (first_rows, images) in self._blocks:
            if derived := self._make(number, images):
                yield from self._add_media(first_rows, derived)

    def _make(self, number: int, images: LabelledImages) -> DerivedRows | None:
        """The rows of a block; None where its labels give none, or where there are enough."""
        self.source_images += len(images)
        self.labelled |= bool(images.labels.present_IN.any())
        most = self._request.groups or DERIVED_KINDS[self._request.kind].max_groups
        if not self.labelled or (most and self.parts >= most):
            return None
        left = replace(self._request, groups=most - self.parts) if number and most else self._request
        derived = make_rows(left, images, number)
        if not derived.parts:
            return None
        return self._rewriter.rewrite(derived, images.labels.names) if self._rewriter else derived

    def _add_media(self, first_rows: Sequence[int], derived: DerivedRows) -> Iterator[Record]:
        before, shown = self.parts, len({image for image, _ in derived.rows})
        self.parts, self.skipped, self.images = (
            before + derived.parts,
            self.skipped + derived.skipped,
            self.images + shown,
        )
        for image, record in derived.rows:
            numbered = {"group": record["group"] + before} if "group" in record else {}
            self.rows += 1
            yield record | numbered | {"media": self._source[first_rows[image]]["media"]}


def derive_rows(request: DeriveRequest, images: LabelledImages) -> DerivedRows:
    """Make the rows of a derived set, without looking at pixels.

    Args:
        request: the kind of set, the seed and limits.
        images: the images of the source.

    Raises:
        NegjaxError: the request is invalid, or the labels do not allow it; the message says what they allow.
    """
    derived = make_rows(request, images)
    _check_parts(request, len(images), derived)
    return derived


def make_rows(request: DeriveRequest, images: LabelledImages, block: int = 0) -> DerivedRows:
    """Make the rows of a block of images, possibly none.

    Args:
        request: the kind of set, the seed and limits.
        images: the images of the block.
        block: the number of the block, which has its own draws.
    """
    check_request(request)
    rng = np.random.default_rng([request.seed, zlib.crc32(request.kind.encode()), *([block] if block else [])])
    return load_row_maker(request.kind)(request, images, rng)


def _check_parts(request: DeriveRequest, images: int, derived: DerivedRows) -> None:
    if not derived.parts or (request.groups is not None and derived.parts < request.groups):
        raise NegjaxError(_too_few(request, images, derived.parts))


def _too_few(request: DeriveRequest, images: int, parts: int) -> str:
    """The error for labels that do not allow what is asked."""
    kind = DERIVED_KINDS[request.kind]
    if not parts:
        return f"no {kind.parts} can be made of these labels: {kind.requires}"
    remedy = " or give a larger --reuse" if kind.reuse is not None else ""
    remedy = " or give a smaller --least" if kind.has_least else remedy
    return (
        f"--groups {request.groups}: the labels of {images} images give only {parts} {kind.parts}; "
        f"ask for fewer{remedy}"
    )


def _describe_origin(source: StoredSet, request: DeriveRequest) -> dict[str, Any]:
    """Describe in the metadata what the set is derived from, with the keys of sets that are built from files."""
    return {
        "derived_from": source.name,
        "kind": request.kind,
        "fingerprint": source.fingerprint,
        "seed": request.seed,
        "medium": request.medium,
        "file": "",
        "sha256": "",
        "rows": len(source),
    }


def _describe(source: StoredSet, derived: DerivedRows, blocks: _Blocks) -> tuple[str, ...]:
    """Write notes about the content of the set, and its limits."""
    notes = []
    if "queries" in derived.metadata:
        notes.append(f"{derived.parts:,} queries, each answered by {derived.metadata['least']} images or more")
    if blocks.skipped:
        notes.append(f"no question about {blocks.skipped:,} images, because it takes two objects")
    altered = source.metadata["altered"]
    if altered and derived.metadata["task_kind"] != "train":
        notes.append(f"negjax eval will refuse it, because the images of {source.name} are altered ({altered})")
    return tuple(notes)


def _describe_unused_objects(objects: epath.PathLike | None, labels: ObjectLabels | None) -> tuple[str, ...]:
    """Write a note about objects of the file that no image holds: they may be misspelt."""
    if labels is None:
        return ()
    unused = [name for name, present_I in zip(labels.names, labels.present_IN.T) if not present_I.any()]
    if objects is None or not unused:
        return ()
    more = ", ..." if len(unused) > 5 else ""
    return (f"no image is labelled with {len(unused)} of the objects of {objects}: {', '.join(unused[:5])}{more}",)
