"""What the sets made from labels hold: rows that refer to images of the source, made without looking at pixels."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from negjax.datasets.records import Record
from negjax.errors import NegjaxError
from negjax.language.phrases import a
from negjax.synthesis.captions import Writer
from negjax.synthesis.labelled_questions import BIAS_TEMPLATES, mcq_images, mcq_questions, presence_questions
from negjax.synthesis.labels import Labels
from negjax.synthesis.queries import queries
from negjax.synthesis.questions import CELLS
from negjax.synthesis.truth_tables import co_occurring_pairs, truth_tables

MOST_GROUPS = 2_000  # of a truth table, unless more are asked for
MOST_QUERIES = 500  # likewise
LEAST = 5  # images that answer a query, and as many that only its exclusion rules out
REUSE = {"truth_table": 4, "balanced": 4, "questions": 1}
NEGATED_CAPTIONS = 3  # as NegCap has


@dataclass(frozen=True)
class DeriveRequest:
    """What is asked for; None leaves it to the kind.

    kind: a key of KINDS.
    groups: how many groups, questions, queries or pairs of images, as KINDS calls them.
    reuse: how many groups or questions an image may stand in; for a kind of REUSE.
    least: see LEAST; for queries.
    """

    kind: str
    seed: int = 0
    groups: int | None = None
    reuse: int | None = None
    least: int | None = None


@dataclass(frozen=True)
class LabelledImages:
    """The distinct images of the source: their labels, and of each its captions."""

    labels: Labels
    captions: Sequence[Sequence[str]]

    def __len__(self) -> int:
        return len(self.captions)


@dataclass(frozen=True)
class DerivedRows:
    """A set to write: its rows as (image of the source, the record less the image), fields and metadata.

    made: how many groups, questions, queries or pairs there are.
    skipped: images that nothing can be asked about.
    """

    rows: Sequence[tuple[int, Record]]
    fields: Sequence[str]
    metadata: Mapping[str, Any]
    made: int
    skipped: int = 0


@dataclass(frozen=True)
class DerivedKind:
    """How a kind of set is made, what its parts are called, and what a source without any of them lacks."""

    make: Callable[[DeriveRequest, LabelledImages, np.random.Generator], DerivedRows]
    parts: str
    lacking: str


def check_request(wish: DeriveRequest) -> None:
    """Raises NegjaxError that names the flag when what is asked for makes no sense."""
    if wish.kind not in KINDS:
        raise NegjaxError(f"--kind {wish.kind}: there are {', '.join(KINDS)}")
    if wish.reuse is not None and wish.kind not in REUSE:
        raise NegjaxError(f"--reuse is for --kind {', '.join(REUSE)}, not for {wish.kind}")
    if wish.least is not None and wish.kind != "queries":
        raise NegjaxError(f"--least is for --kind queries, not for {wish.kind}")
    for flag, value in (("groups", wish.groups), ("reuse", wish.reuse), ("least", wish.least)):
        if value is not None and value < 1:
            raise NegjaxError(f"--{flag} {value}: give 1 or more")
    if wish.seed < 0:
        raise NegjaxError(f"--seed {wish.seed}: give 0 or more")


def derive_rows(wish: DeriveRequest, source: LabelledImages) -> DerivedRows:
    """The rows of a derived set; the seed decides what is drawn.

    Raises NegjaxError when the labels do not allow what is asked for, and says what they allow.
    """
    check_request(wish)
    kind = KINDS[wish.kind]
    made = kind.make(wish, source, np.random.default_rng([wish.seed, zlib.crc32(wish.kind.encode())]))
    if not made.made:
        raise NegjaxError(f"no {kind.parts} can be made of these labels: {kind.lacking}")
    if wish.groups is not None and made.made < wish.groups:
        more = " or give a larger --reuse" if wish.kind in REUSE else ""
        more = " or give a smaller --least" if wish.kind == "queries" else more
        raise NegjaxError(
            f"--groups {wish.groups}: the labels of {len(source)} images give only {made.made} {kind.parts}; "
            f"ask for fewer{more}"
        )
    return made


def _truth_table(wish: DeriveRequest, source: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    rows = _groups(wish, source, Writer(rng, held_out=True, medium="photo"), MOST_GROUPS)
    return DerivedRows(rows, ["question"], {"task_kind": "truth_table", "negated": True}, len(rows) // len(CELLS))


def _balanced(wish: DeriveRequest, source: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """As many groups as make each image stand in one on average, if not told otherwise."""
    writer = Writer(rng, held_out=False, medium="photo")
    rows = []
    for image, question in _groups(wish, source, writer, max(1, len(source) // len(CELLS))):
        captions, absent = source.captions[image], source.labels.likely_absent(image, NEGATED_CAPTIONS, rng)
        said = [caption for caption in captions if caption.strip()]
        if not absent:
            raise NegjaxError("an image holds every object, so that no caption can say what is absent: add objects")
        about = {
            "captions": list(captions),
            "positive_objects": source.labels.objects(image),
            "negative_objects": absent,
            "negated_captions": [
                writer.woven(said[int(rng.integers(len(said)))], name) if said else writer.absent(name)
                for name in absent
            ],
        }
        rows.append((image, question | about))
    metadata = {"task_kind": "train", "negated": True, "group_size": len(CELLS)}
    return DerivedRows(rows, ["captions", "negated_captions", "question"], metadata, len(rows) // len(CELLS))


def _groups(wish: DeriveRequest, source: LabelledImages, writer: Writer, most: int) -> list[tuple[int, Record]]:
    pairs = co_occurring_pairs(source.labels, writer.rng)
    asked = truth_tables(source.labels, pairs, writer, wish.groups or most, wish.reuse or REUSE[wish.kind])
    return [(image, question.columns() | {"group": group}) for image, question, group in asked]


def _questions(wish: DeriveRequest, source: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """About every image that has two objects, as often as it may be used, if not told otherwise."""
    reuse = wish.reuse or REUSE["questions"]
    fit = len(mcq_images(source.labels))
    asked = mcq_questions(source.labels, wish.groups or reuse * fit, reuse, rng)
    rows = [(image, question.columns() | {"group": number}) for number, (image, question) in enumerate(asked)]
    return DerivedRows(rows, ["question"], {"task_kind": "mcq", "negated": True}, len(rows), len(source) - fit)


def _queries(wish: DeriveRequest, source: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Where it is not told, a small source may have fewer images for a query than LEAST."""
    writer = Writer(rng, held_out=True, medium="photo")
    for least in [wish.least] if wish.least else range(LEAST, 0, -1):
        made = queries(source.labels, wish.groups or MOST_QUERIES, least, writer)
        if made:
            break
    metadata = {"task_kind": "queries", "negated": True, "least": least, "queries": [asdict(each) for each in made]}
    rows = [(image, {"positive_objects": source.labels.objects(image)}) for image in range(len(source))]
    return DerivedRows(rows, ["objects"], metadata, len(made))


def _affirmation(wish: DeriveRequest, source: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """About every image that another one goes with, if not told otherwise."""
    asked = presence_questions(source.labels, wish.groups or len(source), rng)
    rows = [(image, question.columns() | {"group": pair}) for image, question, pair in asked]
    metadata = {
        "task_kind": "affirmation",
        "negated": True,
        "objects": [a(name) for name in source.labels.names],
        "bias_templates": BIAS_TEMPLATES,
    }
    return DerivedRows(rows, ["question"], metadata, len(rows) // 4)


_NO_PAIR = "it takes two objects with images of each alone, of both and of neither"
KINDS = {
    "truth_table": DerivedKind(_truth_table, "groups", _NO_PAIR),
    "questions": DerivedKind(
        _questions, "questions", "it takes an image of two objects, and a third one that is absent"
    ),
    "balanced": DerivedKind(_balanced, "groups", _NO_PAIR),
    "queries": DerivedKind(_queries, "queries", "it takes an object that is there both with another and without it"),
    "affirmation": DerivedKind(
        _affirmation, "pairs of images", "it takes two images, each with an object the other has not"
    ),
}
