"""Which tensors of a format hold which parameters of an architecture, read in both directions."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from negjax.models.architecture import CLIPConfig
from negjax.models.clip import Params, abstract_params, flatten_params
from negjax.weights.families.family import WeightFormat
from negjax.weights.tensor_layouts import TensorLayout


@dataclass(frozen=True)
class ParameterEntry:
    """One parameter of an architecture.

    Attributes:
        path: Our path of the parameter, e.g. "visual/patch/kernel".
        shape: Its shape.
        names: The tensors that hold it.
        layout: How the tensors become the parameter, and back.
    """

    path: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    layout: TensorLayout

    def tensor_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each tensor."""
        return [tensor.shape for tensor in self.layout.write(np.broadcast_to(np.int8(0), self.shape))]


def entries(format: WeightFormat, config: CLIPConfig) -> Iterator[ParameterEntry]:
    """One entry for each parameter of the architecture, in the order of its tree.

    Args:
        format: How the tensors are named. Its rows for parameters that the architecture lacks are left out.
        config: The architecture.

    Raises:
        KeyError: If the format has no row for a parameter; the argument is the row's path.
    """
    return parameter_entries(format, abstract_params(config))


def parameter_entries(format: WeightFormat, params: Params) -> Iterator[ParameterEntry]:
    """As `entries`, for any tree of parameters or of their shapes."""
    rows = {row.path: row for row in format.rows}
    for path, leaf in flatten_params(params).items():
        block = next((part for part in path.split("/") if part.isdecimal()), "")
        row = rows[path.replace(f"/{block}/", "/{i}/") if block else path]
        yield ParameterEntry(path, leaf.shape, tuple(name.replace("{i}", block) for name in row.names), row.layout)
