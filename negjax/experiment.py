"""An experiment from its description to trained weights: where models, data, training and evaluation meet."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import jax

from negjax.config import Experiment
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.prepare import check_evaluable, prepare
from negjax.evaluation.score import metric_names
from negjax.input.pipeline import check_trainable, group_size
from negjax.models.architecture import for_sigmoid_loss
from negjax.models.compute import Compute
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import default_preprocess, preset
from negjax.runtime.mesh import local_row_indices, make_mesh, num_batch_shards
from negjax.runtime.profiler import ProfileWindow
from negjax.runtime.sinks import check_sinks
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.training.loop import Evaluate, train
from negjax.training.optimizer import make_optimizer
from negjax.training.workdir import check_workdir
from negjax.weights.read import read_model

logger = logging.getLogger(__name__)


def run_experiment(experiment: Experiment, workdir: Path, window: ProfileWindow | None = None) -> LoadedModel:
    """Trains as the experiment says, evaluating its tasks on the way, and returns the last weights.

    window: the steps to trace, if any.
    """
    model = _checked_model(experiment, workdir)
    return train(experiment, model, workdir, _evaluator(experiment, model), window)


def describe_run(experiment: Experiment, workdir: Path) -> dict[str, Any]:
    """What a run would be, JSON-able, after every check that needs no training. Writes nothing."""
    model = _checked_model(experiment, workdir)
    mesh = make_mesh(fsdp=experiment.mesh.fsdp, tensor=experiment.mesh.tensor)
    sources = {}
    for name, source in experiment.sources.items():
        rows = len(open_set(experiment.data_dir, source.dataset))
        sources[name] = {
            "dataset": source.dataset,
            "rows": rows,
            "epochs": round(experiment.steps * source.batch_size / rows, 2),
            "batch_per_device": source.batch_size // num_batch_shards(mesh),
        }
    return {
        "experiment": experiment.to_dict(),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(model.params)),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "sources": sources,
    }


def _checked_model(experiment: Experiment, workdir: Path) -> LoadedModel:
    """The model to start from, once everything is known to fit together, so that no workdir is claimed in vain."""
    check_workdir(workdir, experiment)
    check_sinks(experiment.logging)
    for name in experiment.evaluation.tasks:
        check_evaluable(open_set(experiment.data_dir, name))
    mesh = make_mesh(fsdp=experiment.mesh.fsdp, tensor=experiment.mesh.tensor)
    data = {name: open_set(experiment.data_dir, source.dataset) for name, source in experiment.sources.items()}
    for name, source in experiment.sources.items():
        check_trainable(data[name], source)
        where, parts = f"config.sources.{name}.batch_size", experiment.loss.micro_batches
        local_row_indices(mesh, source.batch_size, where, group_size(data[name]), parts)
    model = initial_model(experiment)
    for name, source in experiment.sources.items():
        short_side = data[name].metadata.get("short_side", 0)
        if 0 < short_side < model.preprocess.size:
            logger.warning(
                "config.sources.%s: %s was built with --short-side %d, and is enlarged to the model's %d pixels",
                *(name, source.dataset, short_side, model.preprocess.size),
            )
    make_optimizer(experiment.optim, experiment.steps, model.params)
    return model


def initial_model(experiment: Experiment) -> LoadedModel:
    """Fresh weights of the preset, or those of `init_from`. Raises NegjaxError where the two disagree."""
    spec = experiment.model
    compute = Compute(dtype=spec.dtype, remat=spec.remat, scan=spec.scan)
    sigmoid = any(source.sigmoid for source in experiment.sources.values())
    if spec.init_from:
        model = read_model(spec.init_from, arch=spec.arch, activation=spec.activation)
        if sigmoid and model.config.logit_bias_init is None:
            raise NegjaxError(f"{spec.init_from} was not trained with the sigmoid loss and has no logit bias")
        return dataclasses.replace(model, compute=compute)
    config = for_sigmoid_loss(preset(spec.arch)) if sigmoid else preset(spec.arch)
    if config.text.vocab_size != VOCAB_SIZE:
        raise NegjaxError(
            f"config.model.arch: {spec.arch} has a tokenizer of its own: start from its weights (init_from)"
        )
    return LoadedModel(
        config=config,
        params=init_params(config, experiment.seed),
        preprocess=default_preprocess(config),
        tokenizer=Tokenizer(config.text.context_length),
        info={
            "arch": config.name,
            "activation": config.activation,
            "source": f"fresh, seed {experiment.seed}",
        },
        compute=compute,
    )


def _evaluator(experiment: Experiment, model: LoadedModel) -> Evaluate | None:
    """Scores a model on the experiment's tasks, which are read and decoded once."""
    wanted = experiment.evaluation
    if not wanted.tasks:
        return None
    sets = [open_set(experiment.data_dir, name) for name in wanted.tasks]
    context = model.config.text.context_length
    plan = prepare(sets, model.preprocess, model.tokenizer, context_length=context, blind_texts=False)
    task, _, metric = wanted.best.partition("/")
    if wanted.best and metric not in (names := metric_names(plan, task)):
        raise NegjaxError(f"config.evaluation.best is {wanted.best!r}: {task} has {', '.join(names)}")

    def run(current: LoadedModel) -> dict[str, float]:
        tasks = evaluate(current, plan, batch_size=wanted.batch_size, bootstrap=0, progress=False).results["tasks"]
        return {f"{name}/{metric}": value for name, task in tasks.items() for metric, value in task["metrics"].items()}

    return run
