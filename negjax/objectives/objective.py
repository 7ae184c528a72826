"""The interface of an objective, and the inputs of its loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jax
from jax.sharding import Mesh

from negjax.objectives.inputs import INPUTS

LossAndMetrics = tuple[jax.Array, dict[str, jax.Array]]


@dataclass(frozen=True)
class LossForm:
    """How the losses over all pairs of a batch are computed, without changing their values.

    Attributes:
        mesh: the devices, each of which computes its own rows; None to leave the partition to the compiler.
        chunk: rows of a device that are computed at a time, 0 for all.
    """

    mesh: Mesh | None = None
    chunk: int = 0


@dataclass(frozen=True)
class LossInputs:
    """The inputs of the objectives of one source; index it by the name of an input.

    Attributes:
        arrays: name of an input (`negjax.objectives.inputs.INPUTS`) -> embeddings of any length for inputs that a tower
            encodes, [..., E] instead of [..., T] or [B, S, S, C]; other arrays as in the batch.
        logit_scale: the factor on the cosines (not its logarithm).
        logit_bias: the learned bias of SigLIP's logits, None for models without one.
        form: how losses over all pairs are computed.
    """

    arrays: Mapping[str, jax.Array]
    logit_scale: jax.Array
    logit_bias: jax.Array | None = None
    form: LossForm = field(default_factory=LossForm)

    def __getitem__(self, name: str) -> jax.Array:
        return self.arrays[name]

    def get(self, name: str) -> jax.Array | None:
        """The input of this name, None where the source has none."""
        return self.arrays.get(name)


@dataclass(frozen=True)
class Objective:
    """An objective of the table `negjax.objectives.table.OBJECTIVES`.

    Attributes:
        meaning: the loss in a phrase, for the list of settings.
        loss: the loss (mean over the batch, natural logarithm) and other metrics by name.
        inputs: the names of the inputs that it needs, see `negjax.objectives.inputs.INPUTS`.
        optional_inputs: the names of the inputs that it uses if a source provides them.
        needs_logit_bias: whether the model must have a logit bias.
        needs_groups: whether an even number of consecutive rows must share their options.
    """

    meaning: str
    loss: Callable[[LossInputs], LossAndMetrics]
    inputs: tuple[str, ...]
    optional_inputs: tuple[str, ...] = ()
    needs_logit_bias: bool = False
    needs_groups: bool = False

    @property
    def teacher_inputs(self) -> tuple[str, ...]:
        """The inputs that the teacher encodes as well."""
        return tuple(INPUTS[name].teacher_of for name in self.inputs if INPUTS[name].teacher_of)
