"""An experiment's training step, compiled for a mesh: the one place that turns its settings into a program."""

from dataclasses import dataclass
from typing import Any

import jax
from jax.sharding import Mesh

from negjax.config import Experiment
from negjax.models import clip
from negjax.models.loaded import LoadedModel
from negjax.runtime.sharding import abstract_state
from negjax.training.encode import Towers
from negjax.training.guard import State
from negjax.training.optimizer import make_optimizer, trainable
from negjax.training.step import make_step, new_state


@dataclass(frozen=True)
class Program:
    """A step, and what it works on.

    Attributes:
        start: (parameters, sharded as the state's) -> the state before the first step; jitted.
        state: shapes, types and shardings of the state; nothing is allocated.
        step: (state, batches, teacher) -> (state, metrics); jitted, and donates the old state.
        teacher: shapes, types and shardings of the teacher's parameters; None where no objective has a teacher, or
            the state holds it.
        learns: tree of True for the parameters that learn.
    """

    start: jax.stages.Wrapped
    state: State
    step: jax.stages.Wrapped
    teacher: clip.Params | None
    learns: Any

    @property
    def shardings(self) -> Any:
        """The sharding of each leaf of the state."""
        return jax.tree.map(lambda leaf: leaf.sharding, self.state)


def make_program(experiment: Experiment, model: LoadedModel, mesh: Mesh) -> Program:
    """The program of the experiment for a model of this form.

    Args:
        experiment: the settings.
        model: its parameters may be arrays or only their shapes.
        mesh: the devices; they need not be attached.

    Raises:
        NegjaxError: settings of the optimizer do not suit the parameters.
    """
    optim = experiment.optim
    optimizer = make_optimizer(optim, experiment.steps, model.params)
    learns = trainable(model.params, optim.freeze)

    def start(params: clip.Params) -> State:
        return new_state(params, optimizer, optim)

    state = abstract_state(mesh, jax.eval_shape(start, model.params))
    towers = Towers(model.config, model.preprocess, model.compute)
    step = make_step(experiment.sources, towers, optimizer, learns, optim=optim, mesh=mesh, loss=experiment.loss)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    return Program(
        start=jax.jit(start, out_shardings=shardings),
        state=state,
        step=jax.jit(step, donate_argnums=0, out_shardings=(shardings, None)),
        teacher=state["params"] if experiment.teacher_objectives and not optim.teacher_ema else None,
        learns=learns,
    )
