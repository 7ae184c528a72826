"""An experiment's training step, compiled for a mesh: the one place that turns its settings into a program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax.sharding import Mesh

from negjax.adapters.adapter import Adapter
from negjax.adapters.table import make_adapter
from negjax.config import Experiment
from negjax.models import clip
from negjax.models.loaded import LoadedModel
from negjax.models.text_adapters import check_tower
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
    optim, adapter = experiment.optim, adapter_of(experiment)

    def trained_params(params: clip.Params) -> clip.Params:
        return adapter.new(params, experiment.seed) if adapter else params

    if adapter:
        check_tower(adapter.name, model.config)
    trained = jax.eval_shape(trained_params, model.params)
    optimizer = make_optimizer(optim, experiment.steps, trained)
    learns = adapter.adapted(model.params) if adapter else trainable(model.params, optim.freeze)

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
        adapter=adapter,
        mesh=mesh,
        loss=experiment.loss,
    )
    return Program(
        begin=jax.jit(begin, donate_argnums=() if adapter else 0, out_shardings=_shardings(state)),
        state=state,
        step=jax.jit(step, donate_argnums=0, out_shardings=(_shardings(state), None)),
        start=start,
        needs_start=experiment.needs_start,
        model_params=_jitted_adapt(adapter, mesh, start, trained) if adapter else lambda trained, _: trained,
        learns=learns,
    )


def adapter_of(experiment: Experiment) -> Adapter | None:
    """The adapter that the experiment trains, None where it trains the weights."""
    return next((make_adapter(name, getattr(experiment, name)) for name in experiment.adapters), None)


def _jitted_adapt(adapter: Adapter, mesh: Mesh, start: clip.Params, trained: clip.Params) -> jax.stages.Wrapped:
    """(adapter, parameters of the start) -> parameters of the adapted model, sharded as any model's."""
    made = abstract_state(mesh, jax.eval_shape(adapter.adapt, start, trained))
    return jax.jit(lambda trained, start: adapter.adapt(start, trained), out_shardings=_shardings(made))


def _shardings(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.sharding, tree)
