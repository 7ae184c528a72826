"""The README's table of negation methods without training, as Markdown, from the workdirs of several quickstarts.

    python tools/methods_table.py runs/seed0 runs/seed1 runs/seed2

Every stage's model is evaluated on the scenes of its workdir with each method twice: with its default constants, and
with constants that `negjax calibrate` would fit to that model on the questions of the next workdir, which have other
images, sentences and pairs of objects. Results are kept in WORKDIR/methods and not made again. Each cell is the mean
over the workdirs in per cent, with minimum and maximum in brackets; blind figures are those of the mean image.

For other weights and sets the same is done by commands:

    negjax calibrate --model clip.pt --set voc_mcq --data-dir data --out constants.json
    negjax eval --model clip.pt --tasks coco_mcq,msrvtt_mcq,coco_negated_retrieval --data-dir data \\
        --out results/methods --negation none --negation space --negation space,constants=constants.json    (and so on)
    negjax report results/methods --out methods.html
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from etils import epath
from quickstart_table import format_cell

from negjax.datasets.scenes.sets import SCENE_TASKS
from negjax.datasets.stored.store import open_set
from negjax.evaluation.calibrate import calibrate
from negjax.evaluation.evaluate import TaskResults
from negjax.evaluation.methods import choose_methods, evaluate_methods
from negjax.evaluation.prepare import prepare_eval_data
from negjax.evaluation.results import write_results
from negjax.negation.calibration import write_calibration
from negjax.negation.table import METHODS, NO_METHOD
from negjax.quickstart import ANNOUNCEMENTS
from negjax.runtime.checksums import read_verified
from negjax.weights.read import read_model

Results = dict[str, Any]
FITTED = [name for name, method in METHODS.items() if method.grid]  # steering fits directions to a set, not constants
CALIBRATION_SET = "scenes_mcq"


def _metric(task: str, metric: str) -> Callable[[Results], float]:
    return lambda results: results["tasks"][task]["metrics"][metric]


def _blind(task: str) -> Callable[[Results], float]:
    return lambda results: results["tasks"][task]["blind"]["mean_image"]["accuracy"]


COLUMNS: dict[str, Callable[[Results], float]] = {
    "negated R@5": _metric("scenes_negated_retrieval", "image_retrieval_recall@5"),
    "MCQ": _metric("scenes_mcq", "accuracy"),
    "MCQ, blind": _blind("scenes_mcq"),
    "truth table": _metric("scenes_truth_table", "accuracy"),
    "truth table, blind": _blind("scenes_truth_table"),
    "neither": lambda results: results["tasks"]["scenes_truth_table"]["operators"]["NEITHER"]["accuracy"],
    "all four": _metric("scenes_truth_table", "group_accuracy"),
    "R@5": _metric("scenes_retrieval", "image_retrieval_recall@5"),
    "zero-shot": _metric("scenes_zeroshot", "accuracy"),
}


def evaluate_stage(workdir: Path, other: Path, stage: str) -> dict[str, Results]:
    """The results of a stage's model with each method, by its label; read where they exist.

    Args:
        workdir: of the quickstart.
        other: of the quickstart on whose questions constants are fitted.
        stage: the stage.
    """
    folder = workdir / "methods" / stage
    fitted = folder / f"fitted_to_{other.name}.json"

    def evaluate() -> Mapping[str, TaskResults]:
        model = read_model(workdir / stage)
        texts = [NO_METHOD, *FITTED]
        if other != workdir:
            fitted_set = open_set(other / "data", CALIBRATION_SET)
            write_calibration(calibrate(model, fitted_set, choose_methods(FITTED, model), progress=False), fitted)
            texts += [f"{name},constants={fitted}" for name in FITTED]
        sets = [open_set(workdir / "data", name) for name in SCENE_TASKS]
        data = prepare_eval_data(sets, model.preprocess, blind_texts=False, progress=False)
        return evaluate_methods(model, data, choose_methods(texts, model), progress=False)

    labels = [NO_METHOD, *FITTED] + [f"{name},constants={fitted.stem}" for name in FITTED if other != workdir]
    return evaluated_once(folder, labels, evaluate)


def evaluated_once(
    folder: Path, labels: Sequence[str], evaluate: Callable[[], Mapping[str, TaskResults]]
) -> dict[str, Results]:
    """The results in FOLDER/LABEL, made by `evaluate` where one of them is missing."""
    if not all((folder / label / "results.json").exists() for label in labels):
        for label, results in evaluate().items():
            write_results(results, folder / label)
    return {label: json.loads(read_verified(epath.Path(folder / label), "results.json")) for label in labels}


def format_table(runs: list[dict[str, Results]]) -> str:
    """The lines of a stage's table. runs: of each workdir, label of the method -> results."""
    lines = [f"| | constants | {' | '.join(COLUMNS)} |", "| --- | --- |" + " ---: |" * len(COLUMNS)]
    for row in zip(*(run.items() for run in runs)):
        name, _, fitted = row[0][0].partition(",")
        constants = "fitted" if fitted else "" if name == NO_METHOD else "default"
        cells = [format_cell([figure(results) for _, results in row]) for figure in COLUMNS.values()]
        lines.append(f"| {name} | {constants} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdirs", nargs="+", type=Path, help="of quickstarts of different seeds")
    parser.add_argument("--stages", default=",".join(ANNOUNCEMENTS), metavar="NAME[,NAME]")
    args = parser.parse_args()
    others = args.workdirs[1:] + args.workdirs[:1]
    for stage in args.stages.split(","):
        runs = [evaluate_stage(workdir, other, stage) for workdir, other in zip(args.workdirs, others)]
        print(f"\n{stage}\n\n{format_table(runs)}", flush=True)


if __name__ == "__main__":
    main()
