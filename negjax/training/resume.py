"""The state of a run at its start, when it resumes, and after a roll-back."""

import logging
from collections.abc import Mapping
from typing import Any

import jax
from etils import epath

from negjax.config import Experiment
from negjax.errors import NegjaxError
from negjax.runtime.checkpoint import Checkpoints
from negjax.runtime.distributed import check_agreement
from negjax.training.guard import State, roll_back
from negjax.training.prepare import PreparedRun

BAD_STEP = "step {}: the loss or its gradient is not finite, or the gradient is a spike"

logger = logging.getLogger(__name__)


def agree_on_start(meta: Mapping[str, Any]) -> None:
    """Checks that all processes have the same weights and data. meta: `PreparedRun.checkpoint_meta`."""
    check_agreement(meta["start"], "weights (config.model.init_from)")
    for name, fingerprint in meta["data"].items():
        check_agreement(fingerprint, f"rows in config.sources.{name}.dataset")


def open_checkpoints(experiment: Experiment, workdir: epath.Path) -> Checkpoints:
    """The checkpoints of a workdir, which keep as many as the experiment says, and the best."""
    best = experiment.evaluation.best or None
    return Checkpoints(workdir / "checkpoints", keep=experiment.keep, best_metric=best)


def resume_or_start(run: PreparedRun, checkpoints: Checkpoints, meta: Mapping[str, Any]) -> State:
    """The state of the newest checkpoint that is not damaged, or that before the first step if there is none.

    Args:
        run: what is trained.
        checkpoints: those of the workdir.
        meta: `PreparedRun.checkpoint_meta`.

    Raises:
        NegjaxError: the run of the checkpoint had other data, or another teacher.
    """
    state = _newest_state(run, checkpoints)
    step = int(state["step"])
    if step:
        logger.info("resuming from step %d of %s", step, checkpoints.directory)
        _check_resumed(run, meta, checkpoints.read_meta(step))
    return state


def _newest_state(run: PreparedRun, checkpoints: Checkpoints) -> State:
    return checkpoints.restore_newest(run.program.state) or run.program.begin(run.initial_params())


def _check_resumed(run: PreparedRun, meta: Mapping[str, Any], stored_meta: Mapping[str, Any]) -> None:
    """Checks that data and teacher are those of the run that wrote the checkpoint.

    Args:
        run: the run that resumes.
        meta: its `checkpoint_meta`.
        stored_meta: that of the checkpoint.

    Raises:
        NegjaxError: a set has other rows, or the teacher other weights.
    """
    experiment = run.experiment
    for name, fingerprint in meta["data"].items():
        if stored_meta["data"][name] != fingerprint:
            dataset = experiment.sources[name].dataset
            raise NegjaxError(
                f"config.sources.{name}.dataset: {dataset} in {experiment.data_dir} holds other rows than when this "
                "run started: put them back, or use another --workdir"
            )
    if experiment.needs_start and stored_meta["start"] != meta["start"]:
        user = "the adapter belongs to" if experiment.adapters else f"{experiment.teacher_objectives[0]} compares with"
        raise NegjaxError(
            f"config.model.init_from: {experiment.model.init_from} holds other weights than when this run started, and "
            f"{user} those: put them back, or use another --workdir"
        )


def roll_back_state(run: PreparedRun, checkpoints: Checkpoints, halted: State) -> State:
    """The state of the newest checkpoint, moved behind the bad step at which the run is halted.

    Raises:
        NegjaxError: the run is to stop at a bad step, or this is its last step.
    """
    bad_step = int(halted["step"])
    _check_bad_step(run.experiment, bad_step)
    checkpoints.wait()
    restored = _newest_state(run, checkpoints)
    logger.warning(
        "%s: back to step %d, and continuing after the bad step", BAD_STEP.format(bad_step), int(restored["step"])
    )
    return jax.device_put(roll_back(restored, halted), run.program.shardings)


def _check_bad_step(experiment: Experiment, step: int) -> None:
    if experiment.optim.on_bad_step == "stop":
        raise NegjaxError(
            f"{BAD_STEP.format(step)}; lower the learning rate, or set config.optim.on_bad_step to skip or roll_back"
        )
    if step == experiment.steps:
        raise NegjaxError(f"{BAD_STEP.format(step)}, and it is the last one: train a step more or less")
