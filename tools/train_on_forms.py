"""What each form of training data that `negjax synth` makes teaches, and what of it texts alone would give.

    python tools/train_on_forms.py --csv flickr8k/captions.csv --photos flickr8k/images --folder /tmp/forms

Makes the sets of all forms once, and for each seed pre-trains a small CLIP on the captions alone and fine-tunes it on
each form (FORMS) for as many steps. All are evaluated on the images of which no training set shows any: questions in
NegBench's form, questions without its shortcut, truth tables and retrieval. Blind figures are those of the mean image.
Cells are means over the seeds in per cent, with minimum and maximum in brackets. The same command goes on where it was
stopped, and makes nothing twice.
"""

import argparse
import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
from methods_table import Results, evaluated_once
from quickstart_table import format_cell

from negjax.cli import main as negjax
from negjax.config import Experiment, ModelSpec, Optim, Source
from negjax.datasets.stored.store import open_set
from negjax.evaluation.evaluate import TaskResults
from negjax.evaluation.methods import choose_methods, evaluate_methods
from negjax.evaluation.prepare import prepare_eval_data
from negjax.experiment import run_experiment
from negjax.negation.table import NO_METHOD
from negjax.weights.read import read_model

NAME = "forms"  # first part of the sets' names
START = "start"
FORMS: dict[str, dict[str, Any]] = {  # row of the table -> settings of its source
    "captions": {"dataset": f"{NAME}_train", "contrastive": 1.0},
    "NegCap": {"dataset": f"{NAME}_negfull", "contrastive": 1.0, "negated_fraction": 0.5},
    "NegMCQ": {"dataset": f"{NAME}_negfull", "mcq": 1.0},
    "NegCap and NegMCQ": {"dataset": f"{NAME}_negfull", "contrastive": 1.0, "negated_fraction": 0.5, "mcq": 1.0},
    "balanced": {"dataset": f"{NAME}_balanced", "contrastive": 1.0, "negated_fraction": 0.5, "mcq": 1.0},
}
QUESTIONS = {"MCQ": "questions", "half negated": "half_negated", "truth table": "truth_table"}
RETRIEVAL = {"R@5": "test", "negated R@5": "negated_retrieval"}
IMAGES: dict[str, Any] = {"crop_scale": 0.7, "flip": True}


def _answered(kind: str) -> Callable[[Results], float]:
    return lambda results: results["tasks"][f"{NAME}_{kind}"]["metrics"]["accuracy"]


def _answered_blind(kind: str) -> Callable[[Results], float]:
    return lambda results: results["tasks"][f"{NAME}_{kind}"]["blind"]["mean_image"]["accuracy"]


def _found(kind: str) -> Callable[[Results], float]:
    return lambda results: results["tasks"][f"{NAME}_{kind}"]["metrics"]["image_retrieval_recall@5"]


COLUMNS: dict[str, Callable[[Results], float]] = {
    **{
        title: figure
        for name, kind in QUESTIONS.items()
        for title, figure in ((name, _answered(kind)), (f"{name}, blind", _answered_blind(kind)))
    },
    **{name: _found(kind) for name, kind in RETRIEVAL.items()},
}


def experiments(args: argparse.Namespace, seed: int, folder: Path) -> dict[str, Experiment]:
    """The start, and a run on each form from there: row of the table -> experiment. folder: of this seed's runs."""

    def experiment(model: ModelSpec, settings: Mapping[str, Any], steps: int) -> Experiment:
        source = Source(batch_size=args.batch_size, **settings, **IMAGES)
        optim = Optim(learning_rate=args.learning_rate, warmup_steps=steps // 8, weight_decay=0.1)
        data_dir = str(args.folder / "sets")
        return Experiment(model, {"source": source}, data_dir, steps, optim, seed=seed, checkpoint_every=steps)

    fresh, start = ModelSpec(arch=args.arch), ModelSpec(init_from=str(folder / START))
    runs = {form: experiment(start, settings, args.steps) for form, settings in FORMS.items()}
    return {START: experiment(fresh, FORMS["captions"], args.pretrain_steps)} | runs


def evaluate(args: argparse.Namespace, experiment: Experiment, workdir: Path) -> Mapping[str, TaskResults]:
    """Trains the experiment in its workdir and evaluates the model."""
    run_experiment(experiment, workdir)
    jax.clear_caches()
    model = read_model(workdir)
    kinds = (*QUESTIONS.values(), *RETRIEVAL.values())
    sets = [open_set(args.folder / "sets", f"{NAME}_{kind}") for kind in kinds]
    data = prepare_eval_data(sets, model.preprocess, blind_texts=False, progress=False)
    return evaluate_methods(model, data, choose_methods([NO_METHOD], model), bootstrap=0, progress=False)


def results_of_seed(args: argparse.Namespace, seed: int) -> dict[str, Results]:
    """The results of the start and of each form, trained and evaluated unless that is done: row -> results."""
    folder = args.folder / f"seed{seed}"
    found = {}
    for name, experiment in experiments(args, seed, folder).items():
        workdir = folder / name.replace(" ", "_")
        made = functools.partial(evaluate, args, experiment, workdir)
        found[name] = evaluated_once(workdir / "eval", [NO_METHOD], made)[NO_METHOD]
        shown = ", ".join(f"{column} {100 * figure(found[name]):.1f}" for column, figure in COLUMNS.items())
        print(f"seed {seed}, {name}: {shown}", file=sys.stderr, flush=True)
    return found


def make_sets(args: argparse.Namespace) -> None:
    """Makes the sets of all forms, unless they exist."""
    command = ["synth", "all", "--csv", args.csv, "--media-root", args.photos, "--out", args.folder / "work"]
    command += ["--name", NAME, "--data-dir", args.folder / "sets", "--max-risk", args.max_risk]
    command += ["--test-share", args.test_share]
    if status := negjax([str(word) for word in command]):
        sys.exit(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, required=True, help="captions, as `negjax synth --csv` takes them")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="for all output")
    parser.add_argument("--arch", default="tiny-quickgelu")
    parser.add_argument("--max-risk", type=float, default=0.05, help="as of `negjax synth propose`")
    parser.add_argument("--test-share", type=float, default=0.4, help="as of `negjax synth write`")
    parser.add_argument("--pretrain-steps", type=int, default=300)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    make_sets(args)
    runs = [results_of_seed(args, seed) for seed in range(args.seeds)]
    print(f"| | {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * len(COLUMNS)}")
    for name in runs[0]:
        cells = [format_cell([figure(run[name]) for run in runs]) for figure in COLUMNS.values()]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
