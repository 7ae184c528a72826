"""Stage 3, `negjax synth verify`: drops absent objects that are there after all, and present ones that are not.

A verifier is a function of the rows of a shard: complete labels of the images, a detector, a model. Those that look at
the images need rooms above this one, and are given to `run_verify`: see `negjax.evaluation.verifiers`.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, NamedTuple, Protocol

from etils import epath

from negjax.datasets.labels.image_labels import LabelFile
from negjax.datasets.synth.shards import Share, StageRow, map_stage
from negjax.synthesis.absent import Names


class FoundBox(NamedTuple):
    """Where an object is seen: its score, and its sides in [0, 1] of the image."""

    name: str
    score: float
    left: float
    top: float
    right: float
    bottom: float


class Verdict(NamedTuple):
    """What is found about the claims on an image.

    Attributes:
        refuted: those of its objects whose claim is wrong: absent ones that are there, present ones that are not.
        boxes: where objects were seen.
    """

    refuted: AbstractSet[str]
    boxes: Sequence[FoundBox] = ()


class Verifier(Protocol):
    """Checks the claims about images."""

    @property
    def name(self) -> str:
        """What the claims are checked by, for the data-set card."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its verdicts depend on beside rows and images, JSON-able."""

    def check(self, rows: Sequence[StageRow]) -> list[Verdict]:
        """The verdict on each row."""


def claimed_names(row: StageRow) -> list[str]:
    """The objects that a row claims to be there, then those that it claims to be absent."""
    return [*row["positive_objects"], *row["negative_objects"]]


def refuted_claims(row: StageRow, seen: AbstractSet[str]) -> set[str]:
    """The claims of a row that are wrong if of its objects these are seen, and no others."""
    there, absent = set(row["positive_objects"]), set(row["negative_objects"])
    return (absent & seen) | (there - seen)


class CaptionsAlone:
    """No check beside the estimate of the stage before."""

    name = "captions"
    settings: Mapping[str, Any] = {}

    def check(self, rows: Sequence[StageRow]) -> list[Verdict]:
        """Nothing is refuted."""
        return [Verdict(set()) for _ in rows]


class KnownLabels:
    """Labels of the images: an absent object is refuted by a label of its meaning, or of a related one.

    Args:
        labels: what they are; an object that they leave open counts as one that is there.
    """

    name = "labels"

    def __init__(self, labels: LabelFile):
        self._labels, self.settings = labels, {"labels": labels.sha256}

    def check(self, rows: Sequence[StageRow]) -> list[Verdict]:
        """See `Verifier`. Of images without labels nothing is refuted."""
        verdicts: list[Verdict] = []
        for row in rows:
            names = Names(tuple(row["negative_objects"]))
            said = self._labels.find(row["filepath"])
            there = (*said.present, *said.unknown) if said else ()
            verdicts.append(Verdict({names.names[n] for label in there for n in names.related(label)}))
        return verdicts


def run_verify(
    out: epath.PathLike,
    verifier: Verifier | None = None,
    *,
    share: Share = Share(),
    progress: bool = True,
) -> None:
    """Runs the stage.

    Args:
        out: the folder of all stages.
        verifier: what checks the claims; None to keep all.
        share: which shards this process makes.
        progress: whether to show progress.
    """
    verifier = verifier or CaptionsAlone()
    map_stage(out, "verify", verify_settings(verifier), share, partial(keep_unrefuted, verifier=verifier), progress)


def verify_settings(verifier: Verifier) -> dict[str, Any]:
    """What the rows of the stage depend on, beside their input."""
    return {"verifier": verifier.name, **verifier.settings}


def keep_unrefuted(rows: list[StageRow], verifier: Verifier) -> list[StageRow]:
    """The rows of a shard without what a verifier refutes."""
    return [_apply(row, verdict, verifier.name) for row, verdict in zip(rows, verifier.check(rows), strict=True)]


def _apply(row: StageRow, verdict: Verdict, checked_by: str) -> StageRow:
    """The row without refuted claims. Objects that captions name and that are not there are among its other names."""
    there = [pair for pair in zip(row["positive_objects"], row["mentions"]) if pair[0] not in verdict.refuted]
    absent = [pair for pair in zip(row["negative_objects"], row["risks"]) if pair[0] not in verdict.refuted]
    not_there = [name for name in row["positive_objects"] if name in verdict.refuted]
    return row | {
        "positive_objects": [name for name, _ in there],
        "mentions": [mentions for _, mentions in there],
        "other_names": [*row["other_names"], *not_there],
        "negative_objects": [name for name, _ in absent],
        "risks": [risk for _, risk in absent],
        "checked_by": checked_by,
        "boxes": [box._asdict() for box in verdict.boxes],
    }
