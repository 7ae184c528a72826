"""An experiment's training step, compiled for a mesh: the one place that turns its settings into a program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax.sharding import Mesh

from negjax.adapters.lora import adapted, fold, new_adapter
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
        begin: (parameters of the start) -> the state before the first step; jitted, and donates the parameters where
            they become those of the state.
        state: shapes, types and shardings of the state; nothing is allocated.
        step: (state, batches, parameters of the start) -> (state, metrics); jitted, and donates the old state.
        start: shapes, types and shardings of the parameters of the start.
        needs_start: whether the step needs them; else it gets None.
        model_params: (trained parameters, parameters of the start) -> parameters of the model; jitted where the trained
            ones are an adapter.
        learns: tree of True for the parameters of the model that learn, or that an adapter changes.
    """

    begin: jax.stages.Wrapped
    state: State
    step: jax.stages.Wrapped
    start: clip.Params
    needs_start: bool
    model_params: Callable[[clip.Params, clip.Params | None], clip.Params]
    learns: Any

    @property
    def shardings(self) -> Any:
        """The sharding of each leaf of the state."""
        return _shardings(self.state)

    @property
    def start_shardings(self) -> Any:
        """The sharding of each parameter of the start."""
        return _shardings(self.start)


def make_program(experiment: Experiment, model: LoadedModel, mesh: Mesh) -> Program:
    """The program of the experiment for a model of this form.

    Args:
        experiment: the settings.
        model: its parameters may be arrays or only their shapes.
        mesh: the devices; they need not be attached.

    Raises:
        NegjaxError: settings of the optimizer or the adapter do not suit the parameters.
    """
    optim, lora = experiment.optim, experiment.lora

    def trained_params(params: clip.Params) -> clip.Params:
        return new_adapter(params, lora, experiment.seed) if lora.rank else params

    trained = jax.eval_shape(trained_params, model.params)
    optimizer = make_optimizer(optim, experiment.steps, trained)
    learns = adapted(model.params, lora) if lora.rank else trainable(model.params, optim.freeze)

    def begin(params: clip.Params) -> State:
        return new_state(trained_params(params), optimizer, optim)

    state = abstract_state(mesh, jax.eval_shape(begin, model.params))
    start = abstract_state(mesh, jax.eval_shape(lambda params: params, model.params))
    step = make_step(
        experiment.sources,
        Towers(model.config, model.preprocess, model.compute),
        optimizer,
        learns,
        optim=optim,
        lora=lora,
        mesh=mesh,
        loss=experiment.loss,
    )
    folded = jax.jit(lambda trained, start: fold(start, trained, lora), out_shardings=_shardings(start))
    return Program(
        begin=jax.jit(begin, donate_argnums=() if lora.rank else 0, out_shardings=_shardings(state)),
        state=state,
        step=jax.jit(step, donate_argnums=0, out_shardings=(_shardings(state), None)),
        start=start,
        needs_start=experiment.needs_start,
        model_params=folded if lora.rank else lambda trained, _: trained,
        learns=learns,
    )


def _shardings(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.sharding, tree)
