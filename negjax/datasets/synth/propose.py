"""Stage 2, `negjax synth propose`: objects that one could expect in each image and that it most likely lacks."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from etils import epath

from negjax.datasets.synth.shards import Share, StageRow, map_stage, read_input_facts, read_stage
from negjax.errors import NegjaxError
from negjax.synthesis.absent import Occurrences, Proposal, choose_names, count_occurrences, propose
from negjax.synthesis.suggested import SuggestionScreen

DENIED = ""  # no object is called this


@dataclass(frozen=True)
class ProposeSettings:
    """Settings of the stage.

    Attributes:
        absent: the largest number of absent objects of an image.
        max_risk: the largest estimated probability that an absent object is there after all.
        temperature: small for the most expected objects, large for any.
        seed: of the draws.
    """

    absent: int = 64
    max_risk: float = 0.01
    temperature: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.absent < 1:
            raise NegjaxError(f"--absent {self.absent}: give 1 or more")
        if not 0 < self.max_risk <= 1:
            raise NegjaxError(f"--max-risk {self.max_risk}: it is a probability, above 0 and at most 1")
        if not 0 < self.temperature < float("inf"):
            raise NegjaxError(f"--temperature {self.temperature}: give a number above 0")
        if self.seed < 0:
            raise NegjaxError(f"--seed {self.seed}: give 0 or more")


class Suggester(Protocol):
    """Suggests absent objects, which are taken before those that occur together with an image's objects."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it suggests depends on beside the rows, JSON-able."""

    def suggest(self, rows: Sequence[StageRow]) -> list[tuple[str, ...]]:
        """Names for each row of stage extract."""


def run_propose(
    out: epath.PathLike,
    settings: ProposeSettings,
    *,
    suggester: Suggester | None = None,
    share: Share = Share(),
    progress: bool = True,
) -> None:
    """Runs the stage; all shards of the stage before are read twice to count what occurs together.

    Args:
        out: the folder of all stages.
        settings: the settings.
        suggester: names further objects, of which those are taken that `SuggestionScreen` accepts.
        share: which shards this process makes.
        progress: whether to show progress.

    Raises:
        NegjaxError: the stage before has not ended, or too few objects are in the captions.
    """
    labelled = read_input_facts(out)["labelled"]
    occurrences = count_rows(lambda: read_stage(out, "extract"), labelled, str(out))
    change = partial(add_all_absent, occurrences=occurrences, settings=settings)
    stage_settings = propose_settings(settings, labelled)
    if suggester is not None:
        screen = SuggestionScreen(occurrences, count_names(read_stage(out, "extract")))
        change = partial(_add_suggested, occurrences=occurrences, settings=settings, suggester=suggester, screen=screen)
        stage_settings |= suggester.settings
    map_stage(out, "propose", stage_settings, share, change, progress)


def propose_settings(settings: ProposeSettings, labelled: bool) -> dict[str, Any]:
    """What the rows of the stage depend on, beside their input."""
    return asdict(settings) | {"labelled": labelled}


def count_rows(read: Callable[[], Iterable[StageRow]], labelled: bool, where: str) -> Occurrences:
    """Counts what occurs together in the rows of stage extract.

    Args:
        read: reads all rows; called twice.
        labelled: whether their objects are complete labels.
        where: named in errors.

    Raises:
        NegjaxError: too few objects occur often enough.
    """
    names = choose_candidates(count_names(read()), where)
    return count_occurrences(names, map(counted, read()), complete=labelled)


def count_names(rows: Iterable[StageRow]) -> Counter[str]:
    """The number of images of each object; under DENIED, of the objects that captions or labels deny."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(row["positive_objects"])
        counts[DENIED] += len(row["denied_objects"])
    return counts


def choose_candidates(counts: Counter[str], where: str) -> tuple[str, ...]:
    """The objects that may be proposed.

    Args:
        counts: those of all rows, from `count_names`.
        where: named in errors.

    Raises:
        NegjaxError: too few objects occur often enough.
    """
    names = choose_names({name: count for name, count in counts.items() if name != DENIED})
    if len(names) < 2 and not counts[DENIED]:
        raise NegjaxError(
            f"{where}: only {len(names)} objects occur in 5 images or more, so that none can be called absent: give "
            "more captions"
        )
    return names


def counted(row: StageRow) -> tuple[list[str], list[int], int]:
    """What `count_images` takes of a row."""
    return row["positive_objects"], row["mentions"], len(row["captions"])


def add_all_absent(rows: list[StageRow], occurrences: Occurrences, settings: ProposeSettings) -> Iterator[StageRow]:
    """The rows of a shard with their absent objects; see `add_absent`."""
    for row in rows:
        yield add_absent(row, occurrences, settings)


def _add_suggested(
    rows: list[StageRow],
    occurrences: Occurrences,
    settings: ProposeSettings,
    suggester: Suggester,
    screen: SuggestionScreen,
) -> Iterator[StageRow]:
    """The same, with suggestions."""
    for row, names in zip(rows, suggester.suggest(rows)):
        present, mentioned = row["positive_objects"], [*row["denied_objects"], *row["other_names"]]
        accepted = screen.accept(names, present, mentioned, count=settings.absent, max_risk=settings.max_risk)
        yield add_absent(row, occurrences, settings, accepted)


def add_absent(
    row: StageRow, occurrences: Occurrences, settings: ProposeSettings, suggested: Sequence[Proposal] = ()
) -> StageRow:
    """The row of an image with its absent objects: those that its captions deny, suggestions, then proposals.

    A caption that could not be read says neither what is there nor what is not: its image gets no proposals.
    """
    denied = row["denied_objects"]
    proposals: list[Proposal] = []
    if not row["remark"]:
        proposals = list(suggested) + propose(
            row["positive_objects"],
            [*denied, *row["other_names"], *(proposal.name for proposal in suggested)],
            occurrences,
            count=settings.absent - len(suggested),
            max_risk=settings.max_risk,
            temperature=settings.temperature,
            rng=np.random.default_rng([settings.seed, row["id"]]),
        )
    absent = [*denied, *(proposal.name for proposal in proposals)]
    risks = [0.0] * len(denied) + [proposal.risk for proposal in proposals]
    return row | {"negative_objects": absent, "risks": risks}
