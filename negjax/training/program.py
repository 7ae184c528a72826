"""An experiment's training step, compiled for a mesh: the one place that turns its settings into a program."""

from dataclasses import dataclass
from typing import Any

import jax
import optax
from jax.sharding import Mesh

from negjax.config import Experiment
from negjax.media.images import Preprocess
from negjax.models import clip
from negjax.models.architecture import CLIPConfig
from negjax.models.compute import Compute
from negjax.runtime.sharding import abstract_state
from negjax.training.optimizer import make_optimizer, trainable
from negjax.training.step import State, make_step, new_state


@dataclass(frozen=True)
class Program:
    """A step, and what it works on.

    start: parameters, laid out as the state's -> the state before the first step, jitted. state: its shapes, types and
    shardings; nothing is allocated.
    step: (state, batches, teacher) -> (state, metrics), jitted, which gives the old state away. teacher: of the same
    parameters as the state, likewise laid out; None where no source distills.
    """

    start: jax.stages.Wrapped
    state: State
    step: jax.stages.Wrapped
    teacher: clip.Params | None

    @property
    def shardings(self) -> Any:
        """Where each leaf of the state lies."""
        return jax.tree.map(lambda leaf: leaf.sharding, self.state)


def make_program(
    experiment: Experiment,
    config: CLIPConfig,
    preprocess: Preprocess,
    compute: Compute,
    params: clip.Params,
    mesh: Mesh,
) -> Program:
    """The program of the experiment for a model of this form.

    params: arrays or their shapes. Raises NegjaxError for settings of the optimizer that do not fit them.
    """
    optim = experiment.optim
    optimizer: optax.GradientTransformation = make_optimizer(optim, experiment.steps, params)

    def start(params: clip.Params) -> State:
        return new_state(params, optimizer, optim)

    state = abstract_state(mesh, jax.eval_shape(start, params))
    step = make_step(
        experiment.sources,
        config,
        preprocess,
        compute,
        optimizer,
        trainable(params, optim.freeze),
        optim=optim,
        mesh=mesh,
        loss=experiment.loss,
    )
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    jitted = jax.jit(step, donate_argnums=0, out_shardings=(shardings, None))
    started = jax.jit(start, out_shardings=shardings)
    distills = any(source.distill for source in experiment.sources.values())
    return Program(started, state, jitted, state["params"] if distills else None)
