"""Runs an experiment from its config to trained weights: combines models, data, training and evaluation."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from negjax.config import Experiment, ModelSpec
from negjax.datasets.stored.store import open_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.evaluate import evaluate, metric_names
from negjax.evaluation.prepare import check_evaluable, prepare_eval_data
from negjax.models.architecture import CLIPConfig, for_sigmoid_loss
from negjax.models.compute import Compute
from negjax.models.fused_attention import choose_kernel
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import default_preprocess, preset
from negjax.runtime.mesh import num_batch_shards
from negjax.runtime.profiler import ProfileWindow
from negjax.runtime.sinks import check_sinks
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.training.loop import Evaluate, train
from negjax.training.prepare import PreparedData, PreparedRun, prepare_data, prepare_run
from negjax.training.workdir import check_workdir
from negjax.weights.read import read_model

logger = logging.getLogger(__name__)


def run_experiment(experiment: Experiment, workdir: Path, window: ProfileWindow | None = None) -> LoadedModel:
    """Trains as the experiment says, evaluating its tasks during training, and returns the last weights.

    Args:
        experiment: the settings.
        workdir: the folder of this run.
        window: the steps to trace, if any.

    Raises:
        NegjaxError: settings, data, weights and workdir do not suit each other; then the workdir is not touched.
    """
    run, tasks = _prepare(experiment, workdir)
    return train(run, workdir, _evaluator(run, tasks), window)


def describe_run(experiment: Experiment, workdir: Path) -> dict[str, Any]:
    """Describes a run, JSON-able, after all checks that need no training. Writes nothing."""
    run, _ = _prepare(experiment, workdir)
    sources = {}
    for name, source in run.data.sources.items():
        settings, rows = source.settings, len(source.data)
        sources[name] = {
            "dataset": settings.dataset,
            "rows": rows,
            "epochs": round(experiment.steps * settings.batch_size / rows, 2),
            "batch_per_device": settings.batch_size // num_batch_shards(run.mesh),
        }
    return {
        "experiment": experiment.to_dict(),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(run.model.params)),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "sources": sources,
    }


def initial_model(experiment: Experiment) -> LoadedModel:
    """Fresh weights of the preset, or those of `init_from`.

    Raises:
        NegjaxError: an objective needs a logit bias that the weights do not have, or the preset needs a tokenizer or
            statistics that are only available with its weights.
    """
    spec = experiment.model
    if spec.init_from:
        model = read_model(spec.init_from, arch=spec.arch, activation=spec.activation)
        if experiment.needs_logit_bias and model.config.logit_bias_init is None:
            raise NegjaxError(
                f"{spec.init_from} was not trained with the sigmoid loss and has no logit bias: use contrastive"
            )
        return dataclasses.replace(model, compute=compute_of(spec, jax.default_backend()))
    config = with_needed_bias(preset(spec.arch), experiment)
    if config.text.vocab_size != VOCAB_SIZE:
        raise NegjaxError(f"config.model.arch: {spec.arch} needs its own tokenizer: start from its weights (init_from)")
    if config.has_batch_norms:
        raise NegjaxError(
            f"config.model.arch: {spec.arch} cannot be trained from scratch, for its batch norms keep the statistics "
            "of their weights: start from weights (init_from)"
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
        compute=compute_of(spec, jax.default_backend()),
    )


def compute_of(spec: ModelSpec, platform: str) -> Compute:
    """How the experiment's model is computed on a platform: "cpu", "gpu" or "tpu"."""
    kernel = choose_kernel(spec.attention, platform, spec.dtype)
    return Compute(dtype=spec.dtype, remat=spec.remat, scan=spec.scan, attention=kernel)


def with_needed_bias(config: CLIPConfig, experiment: Experiment) -> CLIPConfig:
    """The architecture with a logit bias, if an objective of the experiment needs one and it has none."""
    lacks_bias = experiment.needs_logit_bias and config.logit_bias_init is None
    return for_sigmoid_loss(config) if lacks_bias else config


def _prepare(experiment: Experiment, workdir: Path) -> tuple[PreparedRun, list[StoredSet]]:
    """The prepared run and the evaluation sets, after all checks, cheap ones first. Writes nothing."""
    check_workdir(workdir, experiment)
    check_sinks(experiment.logging)
    tasks = [open_set(experiment.data_dir, name) for name in experiment.evaluation.tasks]
    for task in tasks:
        check_evaluable(task)
    data = prepare_data(experiment)
    model = initial_model(experiment)
    _warn_of_small_images(data, model)
    return prepare_run(experiment, model, data, lambda: initial_model(experiment).params), tasks


def _warn_of_small_images(data: PreparedData, model: LoadedModel) -> None:
    for name, source in data.sources.items():
        short_side = source.data.metadata.get("short_side", 0)
        if 0 < short_side < (model.preprocess.resize_size or model.preprocess.size):
            logger.warning(
                "config.sources.%s: %s was built with --short-side %d, and is enlarged to the model's %d pixels",
                *(name, source.settings.dataset, short_side, model.preprocess.resize_size or model.preprocess.size),
            )


def _evaluator(run: PreparedRun, tasks: Sequence[StoredSet]) -> Evaluate | None:
    """A function that scores a model on the experiment's tasks, which are read and decoded once; None without tasks."""
    settings, model = run.experiment.evaluation, run.model
    if not tasks:
        return None
    data = prepare_eval_data(tasks, model.preprocess, blind_texts=False)
    task, _, metric = settings.best.partition("/")
    if settings.best and metric not in (names := metric_names(data, task)):
        raise NegjaxError(f"config.evaluation.best is {settings.best!r}: {task} has {', '.join(names)}")

    def score(current: LoadedModel) -> dict[str, float]:
        results = evaluate(current, data, batch_size=settings.batch_size, bootstrap=0, progress=False).results
        return {
            f"{name}/{metric}": value
            for name, task in results["tasks"].items()
            for metric, value in task["metrics"].items()
        }

    return score
