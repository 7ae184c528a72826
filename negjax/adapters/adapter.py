"""The interface of a kind of adapter."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import jax

Tree = dict[str, Any]


@dataclass(frozen=True)
class AdapterKind:
    """A kind of adapter, of the table `negjax.adapters.table.ADAPTERS`.

    Attributes:
        settings: the dataclass of its settings, `negjax.config`'s.
        new_adapter: (parameters of the model or their shapes, settings, seed) -> the adapter before the first step.
        adapt: (parameters, adapter, settings) -> parameters of the adapted model. A pure function of arrays.
        adapted: (parameters or their shapes, settings) -> tree of `adapt`'s parameters, True for those that the adapter
            changes or that are its own. Raises NegjaxError where the settings do not suit the model.
        reads_denials: whether the tokens must tell which texts deny something (`negjax.tokenizers.routed`).
    """

    settings: type
    new_adapter: Callable[[Tree, Any, int], Tree]
    adapt: Callable[[Tree, Tree, Any], Tree]
    adapted: Callable[[Tree, Any], Tree]
    reads_denials: bool = False


@dataclass(frozen=True)
class Adapter:
    """A kind of adapter with its settings.

    Attributes:
        name: of the kind, as in the table and in `negjax.config.Experiment`.
        kind: what it does.
        settings: an object of `kind.settings`.
    """

    name: str
    kind: AdapterKind
    settings: Any

    def new(self, params: Tree, seed: int = 0) -> Tree:
        """The adapter before the first step."""
        return self.kind.new_adapter(params, self.settings, seed)

    def adapt(self, params: Tree, adapter: Tree) -> Tree:
        """The parameters of the adapted model."""
        return self.kind.adapt(params, adapter, self.settings)

    def adapted(self, params: Tree) -> Tree:
        """True for the parameters of the adapted model that the adapter changes, or that are its own."""
        return self.kind.adapted(params, self.settings)

    def to_meta(self) -> dict[str, Any]:
        """What checkpoints store of it; `negjax.adapters.table.adapter_from_meta` is the inverse."""
        return {self.name: asdict(self.settings)}


def beside_text(name: str) -> Callable[[Tree, Tree, Any], Tree]:
    """The `adapt` of an adapter that is the node "text/NAME" of the adapted model's parameters."""

    def adapt(params: Tree, adapter: Tree, settings: Any) -> Tree:
        return params | {"text": params["text"] | {name: adapter["text"][name]}}

    return adapt


def adapted_beside_text(name: str, new_adapter: Callable[[Tree, Any, int], Tree]) -> Callable[[Tree, Any], Tree]:
    """The `adapted` of such an adapter: no parameter but its own."""

    def adapted(params: Tree, settings: Any) -> Tree:
        own = jax.tree.map(lambda _: True, jax.eval_shape(lambda params: new_adapter(params, settings, 0), params))
        return beside_text(name)(jax.tree.map(lambda _: False, params), own, settings)

    return adapted
