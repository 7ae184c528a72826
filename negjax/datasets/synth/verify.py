"""Stage 3, `negjax synth verify`: drops absent objects that are there after all.

A verifier is a function of the rows of a shard: now complete labels of the images, where there are any; a detector or a
model that answers questions about pictures is another function of the same form.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from etils import epath

from negjax.datasets.sources.cells import objects
from negjax.datasets.sources.media_root import plain_path
from negjax.datasets.sources.table_file import file_sha256
from negjax.datasets.sources.table_formats import open_table
from negjax.datasets.synth.shards import Share, StageRow, map_stage
from negjax.errors import NegjaxError
from negjax.synthesis.absent import Names


class Verifier(Protocol):
    """Checks the claims about images."""

    @property
    def name(self) -> str:
        """What the claims are checked by, for the data-set card."""

    def refuted(self, rows: Sequence[StageRow]) -> list[set[str]]:
        """The negative_objects of each row that are in its image."""


class CaptionsAlone:
    """No check beside the estimate of the stage before."""

    name = "captions"

    def refuted(self, rows: Sequence[StageRow]) -> list[set[str]]:
        """Nothing is refuted."""
        return [set() for _ in rows]


class CompleteLabels:
    """Complete labels of the images: an absent object is refuted by a label of its meaning, or of a related one."""

    name = "labels"

    def __init__(self, labels: Mapping[str, Sequence[str]]):
        """labels: path of an image as in `plain_path` -> the names of all objects in it."""
        self._labels = labels

    def refuted(self, rows: Sequence[StageRow]) -> list[set[str]]:
        """See `Verifier`. Of images without labels nothing is refuted."""
        refuted: list[set[str]] = []
        for row in rows:
            names = Names(tuple(row["negative_objects"]))
            there = self._labels.get(plain_path(row["filepath"]), ())
            refuted.append({names.names[n] for label in there for n in names.related(label)})
        return refuted


def read_labels(path: epath.PathLike) -> CompleteLabels:
    """Reads complete labels from a table with the columns filepath and positive_objects.

    Raises:
        NegjaxError: the table has no such columns, or a row is malformed.
    """
    table = open_table(path)
    if "positive_objects" not in table.columns:
        raise NegjaxError(f"--labels {path} has no column positive_objects; it has: {', '.join(table.columns)}")
    labels: dict[str, list[str]] = {}
    for start, row in table.rows():
        try:
            labels.setdefault(plain_path(table.media_path(row)), []).extend(
                objects(table.cells(row), "positive_objects")
            )
        except ValueError as error:
            raise NegjaxError(f"{path} {start}: {error}") from error
    return CompleteLabels(labels)


def run_verify(
    out: epath.PathLike,
    labels: epath.PathLike | None = None,
    *,
    share: Share = Share(),
    progress: bool = True,
) -> None:
    """Runs the stage.

    Args:
        out: the folder of all stages.
        labels: a file with complete labels; None to keep all claims.
        share: which shards this process makes.
        progress: whether to show progress.
    """
    verifier: Verifier = CaptionsAlone() if labels is None else read_labels(labels)
    settings = {"verifier": verifier.name, "labels": "" if labels is None else file_sha256(labels)}
    map_stage(out, "verify", settings, share, _keep_unrefuted(verifier), progress)


def _keep_unrefuted(verifier: Verifier) -> Callable[[list[StageRow]], list[StageRow]]:
    def change(rows: list[StageRow]) -> list[StageRow]:
        kept = []
        for row, refuted in zip(rows, verifier.refuted(rows)):
            pairs = [pair for pair in zip(row["negative_objects"], row["risks"]) if pair[0] not in refuted]
            kept.append(
                row
                | {
                    "negative_objects": [name for name, _ in pairs],
                    "risks": [risk for _, risk in pairs],
                    "checked_by": verifier.name,
                }
            )
        return kept

    return change
