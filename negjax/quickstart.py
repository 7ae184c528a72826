"""The quickstart: a CLIP that fails at negation, a control that does not improve, and a model trained on negation.

Draws the scenes, pre-trains on affirmative captions, fine-tunes once on affirmative captions alone (the control) and
once on negation data, evaluates all three, the first also with a negation method that needs no training, and writes
results.json and report.html. Started again in the same
workdir with the same seed, it resumes where it stopped.
"""

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from etils import epath
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from negjax.config import Experiment, ModelSpec, Optim, Source
from negjax.datasets.scenes.sets import SCENE_TASKS, Size, build_scenes
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError
from negjax.evaluation.evaluate import TaskResults
from negjax.evaluation.methods import choose_methods, evaluate_methods
from negjax.evaluation.prepare import prepare_eval_data
from negjax.evaluation.report.report import write_report
from negjax.evaluation.results import write_results
from negjax.experiment import run_experiment
from negjax.negation.table import NO_METHOD
from negjax.quickstart_index import index_scenes
from negjax.runtime.checksums import write_with_checksums
from negjax.runtime.files import write_atomic
from negjax.runtime.memory import host_peak_bytes
from negjax.runtime.paths import to_local_path
from negjax.runtime.printable import printable
from negjax.runtime.progress import followed_by
from negjax.weights.read import read_model

# Sizes of a trial run.
SHORT = Size(pretraining=2000, finetuning=2000, galleries=1, asked=300, questions=240, groups=40, named=4)
ANNOUNCEMENTS = {  # stage -> what is shown when it begins
    "pretrained": "Pre-training a tiny CLIP on affirmative captions",
    "affirmative": "The control: fine-tuning on affirmative captions alone",
    "negfull": "The cure: fine-tuning on negated captions and questions",
}
SECONDS = {"pretrained": 100, "affirmative": 35, "negfull": 90}  # of each with its evaluation, on two CPU cores
METHOD = "context"  # the negation method that is shown
WITH_METHOD = f"pretrained_{METHOD}"  # the pre-trained model with it
HEADLINE = {  # column -> task and metric
    "R@5": ("scenes_retrieval", "image_retrieval_recall@5"),
    "negated R@5": ("scenes_negated_retrieval", "image_retrieval_recall@5"),
    "MCQ": ("scenes_mcq", "accuracy"),
    "truth table": ("scenes_truth_table", "accuracy"),
    "all four": ("scenes_truth_table", "group_accuracy"),
    "zero-shot": ("scenes_zeroshot", "accuracy"),
}


def experiments(data_dir: str, pretrained: str, seed: int) -> dict[str, Experiment]:
    """The experiments of the stages, in order. configs/scenes_*.py have the same settings, for `negjax train`.

    Args:
        data_dir: folder of the scenes' sets.
        pretrained: workdir of the first stage, from which the others start.
        seed: decides weights, order and draws.
    """
    optim = Optim(learning_rate=2e-3, warmup_steps=50, weight_decay=0.1)
    muon = replace(optim, name="muon", learning_rate=6e-3)
    fresh, start = ModelSpec(arch="tiny-quickgelu"), ModelSpec(init_from=pretrained)
    source = partial(Source, crop_scale=0.7, flip=True)
    affirmative = source("scenes_balanced", 128, contrastive=1.0)
    negation = {
        "balanced": source("scenes_balanced", 128, contrastive=1.0, negated_fraction=0.5, mcq=1.0, image_choice=0.4),
        "negmcq": source("scenes_negmcq", 32, mcq=1.0),
    }
    captions = {"captions": source("scenes_captions", 128, contrastive=1.0)}
    return {
        "pretrained": Experiment(fresh, captions, data_dir, 700, replace(optim, warmup_steps=100), seed=seed),
        "affirmative": Experiment(start, {"affirmative": affirmative}, data_dir, 200, optim, seed=seed),
        "negfull": Experiment(start, negation, data_dir, 500, muon, seed=seed),
    }


def run(workdir: epath.PathLike, seed: int = 0, short: bool = False) -> dict[str, Any]:
    """Runs all stages and returns what was written to WORKDIR/results.json.

    Args:
        workdir: folder of everything that is written.
        seed: decides drawings, weights, order and draws.
        short: a trial run with a twentieth of the steps on a tenth of the data; its figures mean nothing.

    Raises:
        NegjaxError: the workdir holds scenes of another seed or size, or is in a store.
    """
    begin = time.monotonic()
    workdir = Path(to_local_path(workdir, "--workdir"))
    console = Console(stderr=True)
    data_dir = workdir / "data"
    _announce(console, "Drawing the scenes")
    _build_scenes_once(data_dir, seed, SHORT if short else Size())
    tasks = [open_set(data_dir, name) for name in SCENE_TASKS]

    stages: dict[str, Any] = {}
    untrained: dict[str, Any] = {}
    eval_data = None
    for stage, experiment in experiments(str(data_dir), str(workdir / "pretrained"), seed).items():
        _announce(console, ANNOUNCEMENTS[stage])
        if short:
            steps = experiment.steps // 20
            optim = replace(experiment.optim, warmup_steps=5)
            experiment = replace(experiment, steps=steps, optim=optim, log_every=5)
        later = list(SECONDS)[list(SECONDS).index(stage) + 1 :]
        with followed_by(sum(SECONDS[name] for name in later) / SECONDS[stage]):
            run_experiment(experiment, workdir / stage)
        model = read_model(workdir / stage)
        eval_data = eval_data or prepare_eval_data(tasks, model.preprocess)
        methods = choose_methods([NO_METHOD, METHOD] if stage == "pretrained" else [NO_METHOD], model)
        evaluated = evaluate_methods(model, eval_data, methods)
        stages[stage] = _write(evaluated[NO_METHOD], workdir / stage)
        if METHOD in evaluated:
            untrained[WITH_METHOD] = _write(evaluated[METHOD], workdir / WITH_METHOD)
            index = index_scenes(workdir, stage, model)
        console.print(headline(stages | untrained))

    write_report(
        [workdir / name / "eval" for name in ("pretrained", *untrained, *list(stages)[1:])],
        workdir / "report.html",
        title="negjax quickstart: a CLIP that understands “no”",
        data_dir=data_dir,
    )
    results = {
        "seed": seed,
        "seconds": round(time.monotonic() - begin, 1),
        "peak_memory_bytes": host_peak_bytes(),
        "stages": stages,
        "without_training": untrained,
    }
    write_with_checksums(epath.Path(workdir), {"results.json": json.dumps(results, indent=2) + "\n"})
    console.print(f"{results['seconds']:.0f} s. Open {escape(printable(workdir / 'report.html'))} in a browser.")
    console.print(f"Search the scenes: negjax serve {escape(printable(index))}")
    return results


def _write(evaluated: TaskResults, folder: Path) -> dict[str, Any]:
    """Writes the results to FOLDER/eval and returns the content of results.json."""
    write_results(evaluated, folder / "eval")
    return evaluated.results


def headline(stages: dict[str, Any]) -> Table:
    """The main figures of each stage in per cent, and the score on the questions without the image.

    Args:
        stages: stage -> its results, as `negjax eval` writes them.
    """
    table = Table(box=box.SIMPLE)
    table.add_column("stage", no_wrap=True)
    for name in (*HEADLINE, "MCQ, blind"):
        table.add_column(name.replace(" ", "\n"), justify="right", no_wrap=True)
    for stage, results in stages.items():
        tasks = results["tasks"]
        figures = [tasks[task]["metrics"][metric] for task, metric in HEADLINE.values()]
        figures.append(tasks["scenes_mcq"]["blind"]["mean_image"]["accuracy"])
        table.add_row(stage, *(f"{100 * figure:.1f}" for figure in figures))
    return table


def _build_scenes_once(data_dir: Path, seed: int, size: Size) -> None:
    """Builds the scenes unless they exist; refuses a workdir with scenes of another seed or size."""
    identity = {"seed": seed, "size": repr(size)}
    stamp = data_dir / "scenes.json"
    if stamp.exists():
        if stamp.read_text() != json.dumps(identity) + "\n":
            raise NegjaxError(
                f"{data_dir} holds scenes of another seed or size, or {stamp} is damaged: use another --workdir"
            )
        return
    build_scenes(data_dir, seed, size, overwrite=True)
    write_atomic(stamp, json.dumps(identity) + "\n")


def _announce(console: Console, text: str) -> None:
    console.rule(f"[bold]{text}", align="left")
