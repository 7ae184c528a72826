"""The comparison of configs/README.md: every method of configs/methods, from the same start, at the same cost.

    python tools/compare_methods.py runs/seed0 runs/seed1 runs/seed2
    python tools/compare_methods.py runs/seed0 --methods negclip,negfull:0.5 --steps 100 --json a.json --plot a.png

The workdirs are those of quickstarts with different seeds; of each WORKDIR/data and WORKDIR/pretrained are used. Every
method is trained from WORKDIR/pretrained in WORKDIR/compare/NAME, and evaluated there on all tasks of the scenes, once
as it is and once with a rule for captions that deny something (see negjax/negation). Sets that a method needs besides
the quickstart's are derived. The same command goes on where it was stopped, and makes nothing twice.

GFLOP are those of a step, steps a second the median on this machine, and parameters those that are trained. Other
cells are means over the workdirs in per cent, with minimum and maximum in brackets; blind figures are those of the mean
image. The plot shows what is learned, the truth table, beside what is kept, zero-shot accuracy.
"""

import argparse
import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from methods_table import COLUMNS, Results, evaluated_once
from quickstart_table import format_cell

from negjax.config import Evaluation, Experiment
from negjax.config_file import load_config
from negjax.datasets.derive.build import derive_set
from negjax.datasets.derive.kinds import DERIVED_KINDS
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.scenes.sets import SCENE_TASKS
from negjax.datasets.stored.store import list_sets, open_set
from negjax.evaluation.eval_data import EvalData
from negjax.evaluation.evaluate import TaskResults
from negjax.evaluation.methods import choose_methods, evaluate_methods
from negjax.evaluation.prepare import prepare_eval_data
from negjax.experiment import initial_model, run_experiment
from negjax.negation.table import NO_METHOD
from negjax.quickstart import METHOD
from negjax.runtime.files import write_atomic
from negjax.runtime.mesh import make_mesh
from negjax.training.optimizer import partition
from negjax.training.program import make_program
from negjax.weights.read import read_model

CONFIGS = Path(__file__).parent.parent / "configs" / "methods"
START = "start"  # the row of the model that all methods start from
RULES = (NO_METHOD, METHOD)
SOURCE = "scenes_negcap"  # the set that others are derived from
VARIANTS = {"negfull": ("negfull", "negfull:0.5")}  # methods that are compared with several arguments


def method_names() -> list[str]:
    """All methods: the configs of CONFIGS, with the arguments that are compared."""
    files = sorted(path.stem for path in CONFIGS.glob("*.py") if "def get_config(" in path.read_text())
    return [name for file in files for name in VARIANTS.get(file, (file,))]


def load_method(name: str, workdir: Path, steps: int) -> Experiment:
    """The experiment of a method in a quickstart's workdir. steps: 0 for those of its config; an eighth warm up."""
    file, _, argument = name.partition(":")
    experiment = load_config(Experiment, f"{CONFIGS / file}.py" + (f":{argument}" if argument else ""))
    steps = steps or experiment.steps
    return dataclasses.replace(
        experiment,
        optim=dataclasses.replace(experiment.optim, warmup_steps=steps // 8),
        model=dataclasses.replace(experiment.model, init_from=str(workdir / "pretrained")),
        data_dir=str(workdir / "data"),
        seed=json.loads((workdir / "data" / "scenes.json").read_text())["seed"],
        steps=steps,
        evaluation=Evaluation(),
        checkpoint_every=steps,
        keep=1,
    )


def derive_missing_sets(experiment: Experiment) -> None:
    """Makes the sets of the experiment that a quickstart does not: scenes_KIND of a kind of `negjax data derive`."""
    existing = {each.name for each in list_sets(experiment.data_dir)}
    for name in dict.fromkeys(source.dataset for source in experiment.sources.values()):
        kind = name.removeprefix("scenes_")
        if name not in existing and kind in DERIVED_KINDS:
            request = DeriveRequest(kind, medium="drawing")
            derive_set(request, SOURCE, name, experiment.data_dir, progress=False)


def train_once(experiment: Experiment, folder: Path) -> dict[str, float]:
    """Trains unless that is done, and returns what it cost: the parameters trained, steps a second and FLOP a step."""
    path = folder / "cost.json"
    if not path.exists():
        derive_missing_sets(experiment)
        program = make_program(experiment, initial_model(experiment), make_mesh())
        trained = program.state["params"]
        leaves = jax.tree.leaves(trained) if experiment.adapters else partition(trained, program.learns)[0]
        run_experiment(experiment, folder)
        write_atomic(path, json.dumps({"trained": sum(leaf.size for leaf in leaves)}) + "\n")
        jax.clear_caches()
    logged = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    flop = np.median([line["model_flops_per_second"] / line["steps_per_second"] for line in logged])
    seconds = np.median([line["step_seconds_p50"] for line in logged])
    return json.loads(path.read_text()) | {"steps a second": float(1 / seconds), "FLOP a step": float(flop)}


def evaluate_once(model_dir: Path, folder: Path, data: Callable[[], EvalData]) -> dict[str, Results]:
    """The results of the model of a workdir by each rule, made unless FOLDER/rules has them."""

    def evaluate() -> Mapping[str, TaskResults]:
        model = read_model(model_dir)
        return evaluate_methods(model, data(), choose_methods(RULES, model), bootstrap=0, progress=False)

    return evaluated_once(folder / "rules", RULES, evaluate)


def compare(workdir: Path, names: Sequence[str], steps: int) -> dict[str, dict[str, Any]]:
    """Trains and evaluates methods in a quickstart's workdir: name -> "cost" and, by each rule, its figures."""

    @functools.cache
    def data() -> EvalData:
        sets = [open_set(workdir / "data", name) for name in SCENE_TASKS]
        return prepare_eval_data(sets, read_model(workdir / "pretrained").preprocess, blind_texts=False, progress=False)

    found = {}
    for name in (START, *names):
        folder = workdir / "compare" / name.replace(":", "_")
        cost = {} if name == START else train_once(load_method(name, workdir, steps), folder)
        results = evaluate_once(workdir / "pretrained" if name == START else folder, folder, data)
        figures = {rule: {column: figure(results[rule]) for column, figure in COLUMNS.items()} for rule in RULES}
        found[name] = {"cost": cost, **figures}
        shown = ", ".join(f"{column} {100 * value:.1f}" for column, value in figures[NO_METHOD].items())
        print(f"{workdir} {name}: {shown}", file=sys.stderr, flush=True)
    return found


def format_tables(runs: Sequence[Mapping[str, Any]]) -> str:
    """A table for each rule, its rows by the truth table. runs: of each workdir, what `compare` returns."""
    names = list(runs[0])
    tables = []
    for rule in RULES:
        costs = ("GFLOP", "steps/s", "trained") if rule == NO_METHOD else ()
        title = "" if rule == NO_METHOD else f"With the rule `{rule}`, which needs no training:\n\n"
        lines = [f"| | {' | '.join((*COLUMNS, *costs))} |", "| --- |" + " ---: |" * len((*COLUMNS, *costs))]
        for name in sorted(names, key=lambda name: _mean(runs, name, rule, "truth table")):
            cells = [format_cell([run[name][rule][column] for run in runs]) for column in COLUMNS]
            cells += _cost_cells([run[name]["cost"] for run in runs]) if costs else []
            lines.append(f"| {name} | {' | '.join(cells)} |")
        tables.append(title + "\n".join(lines))
    return "\n\n".join(tables)


def plot(runs: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws what is learned and what is kept: a row for each method, the best on top, with bars from least to most."""
    from matplotlib.figure import Figure

    names = sorted(runs[0], key=lambda name: _mean(runs, name, NO_METHOD, "truth table"))
    figure = Figure(figsize=(9, 1 + 0.3 * len(names)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, column in zip(axes, ("truth table", "zero-shot")):
        figures = 100 * np.array([[run[name][NO_METHOD][column] for run in runs] for name in names])
        spans = [figures.mean(1) - figures.min(1), figures.max(1) - figures.mean(1)]
        axis.errorbar(figures.mean(1), range(len(names)), xerr=spans, fmt="o", markersize=5, linewidth=1)
        axis.set(xlabel=f"{column}, %", xlim=(0, 100))
        axis.grid(axis="y", color="0.9")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].axvline(25, color="0.6", linewidth=0.8, linestyle=":")
    figure.suptitle(f"{len(runs)} seeds, mean and range; dotted: without the image", fontsize=10)
    figure.savefig(path, dpi=120)


def _mean(runs: Sequence[Mapping[str, Any]], name: str, rule: str, column: str) -> float:
    return float(np.mean([run[name][rule][column] for run in runs]))


def _cost_cells(costs: Sequence[Mapping[str, float]]) -> list[str]:
    """GFLOP of a step, steps a second, and thousands of parameters; empty for the start."""
    if not costs[0]:
        return ["", "", ""]
    flop, rate = (np.mean([cost[key] for cost in costs]) for key in ("FLOP a step", "steps a second"))
    return [f"{flop / 1e9:.1f}", f"{rate:.1f}", f"{costs[0]['trained'] / 1000:,.0f} K"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdirs", nargs="+", type=Path, help="of quickstarts of different seeds")
    parser.add_argument("--methods", default=",".join(method_names()), metavar="NAME[,NAME]", help="default: all")
    parser.add_argument("--steps", type=int, default=0, help="of each method; default: those of its config")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of each workdir and method")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the truth table and zero-shot accuracy")
    args = parser.parse_args()
    runs = [compare(workdir, args.methods.split(","), args.steps) for workdir in args.workdirs]
    print(format_tables(runs))
    if args.json:
        write_atomic(args.json, json.dumps({str(w): run for w, run in zip(args.workdirs, runs)}, indent=2) + "\n")
    if args.plot:
        plot(runs, args.plot)


if __name__ == "__main__":
    main()
