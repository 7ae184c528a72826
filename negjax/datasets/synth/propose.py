"""Stage 2, `negjax synth propose`: objects that one could expect in each image and that it most likely lacks."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from etils import epath

from negjax.datasets.synth.shards import Share, StageRow, map_stage, read_input_facts, read_stage
from negjax.errors import NegjaxError
from negjax.synthesis.absent import Occurrences, choose_names, count_occurrences, propose


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


def run_propose(
    out: epath.PathLike, settings: ProposeSettings, *, share: Share = Share(), progress: bool = True
) -> None:
    """Runs the stage; all shards of the stage before are read twice to count what occurs together.

    Args:
        out: the folder of all stages.
        settings: the settings.
        share: which shards this process makes.
        progress: whether to show progress.

    Raises:
        NegjaxError: the stage before has not ended, or too few objects are in the captions.
    """
    labelled = read_input_facts(out)["labelled"]
    counts: Counter[str] = Counter()
    for row in read_stage(out, "extract"):
        counts.update(row["positive_objects"])
    names = choose_names(counts)
    if len(names) < 2:
        raise NegjaxError(
            f"{out}: only {len(names)} objects occur in 5 images or more, so that none can be called absent: give more "
            "captions"
        )
    images = ((row["positive_objects"], row["mentions"], len(row["captions"])) for row in read_stage(out, "extract"))
    occurrences = count_occurrences(names, images, complete=labelled)

    def change(rows: list[StageRow]) -> Iterator[StageRow]:
        for row in rows:
            yield add_absent(row, occurrences, settings)

    map_stage(out, "propose", asdict(settings) | {"labelled": labelled}, share, change, progress)


def add_absent(row: StageRow, occurrences: Occurrences, settings: ProposeSettings) -> StageRow:
    """The row of an image with its absent objects: those that its captions deny, then proposals.

    A caption that could not be read says neither what is there nor what is not: its image gets no proposals.
    """
    denied = row["denied_objects"]
    proposals = []
    if not row["remark"]:
        proposals = propose(
            row["positive_objects"],
            [*denied, *row["other_names"]],
            occurrences,
            count=settings.absent,
            max_risk=settings.max_risk,
            temperature=settings.temperature,
            rng=np.random.default_rng([settings.seed, row["id"]]),
        )
    absent = [*denied, *(proposal.name for proposal in proposals)]
    risks = [0.0] * len(denied) + [proposal.risk for proposal in proposals]
    return row | {"negative_objects": absent, "risks": risks}
