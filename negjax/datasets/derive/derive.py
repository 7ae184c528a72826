"""From the labels of a captions set to a set of questions or queries: `negjax data derive`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etils import epath

from negjax.datasets.derive.kinds import DerivedRows, DeriveRequest, LabelledImages, check_request, derive_rows
from negjax.datasets.records import Record
from negjax.datasets.stored.reading import StoredSet
from negjax.datasets.stored.store import check_free, open_set, write_set
from negjax.errors import NegjaxError
from negjax.runtime.progress import counter
from negjax.synthesis.labels import Labels, labels_of


@dataclass(frozen=True)
class Derived:
    """A set made of labels: its rows, how many of the source's `of` distinct images they show, and notes for people."""

    folder: epath.Path
    rows: int
    images: int
    of: int
    notes: tuple[str, ...]


def derive(
    wish: DeriveRequest,
    source: str,
    name: str,
    data_dir: epath.PathLike,
    *,
    objects: epath.PathLike | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Derived:
    """Makes the set DATA_DIR/NAME of the labels (`positive_objects`) of the set DATA_DIR/SOURCE.

    The labels are taken to be complete: an object that an image is not labelled with is said to be absent, and an
    image without labels holds none of the objects. Images are copied byte for byte; one that stands in several rows
    of the source counts once, with the labels of all of them.
    objects: a file of the names of the objects, one a line, others are ignored; by default all that are labelled.
    Raises NegjaxError for anything wrong with the arguments, and for a source whose labels do not allow it.
    """
    check_request(wish)
    check_free(data_dir, name, overwrite=overwrite)
    if name == source:
        raise NegjaxError(f"--name {name} is the source itself: give the new set a name of its own")
    data = open_set(data_dir, source)
    _check(data, wish)
    names = None if objects is None else _names(objects)
    rows, images = _read(data, names, progress)
    if not images.labels.holds_IN.any():
        of = "" if objects is None else f" of {objects}"
        raise NegjaxError(
            f"set {source}: no row has positive_objects{of}; the column comes from the file that the set is built of"
        )
    made = derive_rows(wish, images)
    told = {
        "derived_from": source,
        "kind": wish.kind,
        "fingerprint": data.fingerprint,
        "seed": wish.seed,
        "objects": len(images.labels.names),
        "file": "",
        "sha256": "",
        "rows": len(data),
    }
    metadata = {**made.metadata, "altered": data.metadata["altered"], "source": told}
    with counter(len(made.rows), f"writing {name}", progress) as done:
        folder = write_set(
            data_dir,
            name,
            lambda: _examples(data, rows, made),
            made.fields,
            metadata,
            lambda: done(1),
            overwrite=overwrite,
        )
    notes = (*_notes(data, made), *_unknown(objects, images.labels))
    return Derived(folder, len(made.rows), len({image for image, _ in made.rows}), len(images), notes)


def _check(data: StoredSet, wish: DeriveRequest) -> None:
    if "captions" not in data.fields:
        raise NegjaxError(
            f"set {data.name} has no positive_objects, for it is a set of {', '.join(data.fields)}: derive from one "
            "that was built with --kind captions"
        )
    if data.metadata.get("media_type", "image") != "image":
        raise NegjaxError(f"set {data.name} is of videos: what is derived speaks of images, so give a set of images")
    if wish.kind == "balanced" and data.metadata["negated"]:
        raise NegjaxError(f"set {data.name} has captions that negate already: --kind balanced takes plain captions")


def _names(path: epath.PathLike) -> list[str]:
    try:
        lines = epath.Path(path).read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise NegjaxError(f"{path} is not UTF-8 text ({error.reason}): save it as UTF-8") from error
    names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if len(names) < 2:
        raise NegjaxError(f"{path} names {len(names)} objects: give two or more, one a line")
    return names


def _read(data: StoredSet, names: Sequence[str] | None, progress: bool) -> tuple[list[int], LabelledImages]:
    """The distinct images of a set: of each the first row that shows it, and what the set says of it."""
    rows: dict[str, int] = {}
    objects: dict[str, set[str]] = {}
    captions: list[list[str]] = []
    with counter(len(data), f"reading {data.name}", progress) as done:
        for row, record in enumerate(data.rows()):
            image = record["media_sha256"]
            if image not in rows:
                rows[image] = row
                captions.append(record["captions"])
            names_here = (name.strip() for name in record["positive_objects"])
            objects.setdefault(image, set()).update(filter(None, names_here))
            done(1)
    return list(rows.values()), LabelledImages(labels_of(list(objects.values()), names), captions)


def _examples(data: StoredSet, rows: Sequence[int], made: DerivedRows) -> Iterator[Record]:
    for image, record in made.rows:
        yield record | {"media": data[rows[image]]["media"]}


def _notes(data: StoredSet, made: DerivedRows) -> tuple[str, ...]:
    notes = []
    if "queries" in made.metadata:
        notes.append(f"{made.made:,} queries, each answered by {made.metadata['least']} images or more")
    if made.skipped:
        notes.append(f"nothing can be asked about {made.skipped:,} images, for it takes two objects")
    altered = data.metadata["altered"]
    if altered and made.metadata["task_kind"] != "train":
        notes.append(f"negjax eval will refuse it, for the images of {data.name} are altered ({altered})")
    return tuple(notes)


def _unknown(objects: epath.PathLike | None, labels: Labels) -> tuple[str, ...]:
    """A note on objects of the file that no image holds: they may be misspelt."""
    unknown = [name for name, holds_I in zip(labels.names, labels.holds_IN.T) if not holds_I.any()]
    if objects is None or not unknown:
        return ()
    more = ", ..." if len(unknown) > 5 else ""
    return (f"no image is labelled with {len(unknown)} of the objects of {objects}: {', '.join(unknown[:5])}{more}",)
