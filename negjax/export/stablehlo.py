"""StableHLO files: both towers as programs of `jax.export` for CPUs, GPUs and TPUs, and the weights beside them."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from negjax.errors import NegjaxError
from negjax.export.towers import ExportedTower
from negjax.models.clip import flatten_params
from negjax.runtime.files import open_atomic, write_atomic

PLATFORMS = ("cpu", "cuda", "tpu")
WEIGHTS_FILE = "weights.npz"


def write_program(path: Path, tower: ExportedTower) -> None:
    """Writes a tower as a program (weights, inputs) -> embeddings, without its weights.

    The weights are a dict of arrays by their paths, "visual/patch/kernel", so that a file of arrays will do.

    Raises:
        NegjaxError: JAX cannot export the tower.
    """
    tree = jax.tree.structure(tower.weights)
    paths = list(flatten_params(tower.weights))

    def run(weights: dict[str, jax.Array], inputs: jax.Array) -> jax.Array:
        return tower.function(jax.tree.unflatten(tree, [weights[path] for path in paths]), inputs)

    weights = {
        path: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for path, leaf in flatten_params(tower.weights).items()
    }
    try:
        program = jax.export.export(jax.jit(run), platforms=PLATFORMS)(weights, tower.example())
    except (TypeError, ValueError, NotImplementedError) as error:
        raise NegjaxError(f"{path.name}: JAX cannot export this tower: {error}") from error
    write_atomic(path, bytes(program.serialize()))


def write_weights(path: Path, towers: list[ExportedTower]) -> None:
    """Writes the weights of towers as one file of arrays for `numpy.load`."""
    arrays: dict[str, Any] = {
        path: np.asarray(leaf) for tower in towers for path, leaf in flatten_params(tower.weights).items()
    }
    with open_atomic(path) as file:
        np.savez(file, **arrays)


def load_program(path: Path, weights_file: Path) -> Any:
    """A function inputs -> embeddings, of a program and the weights beside it."""
    program = jax.export.deserialize(bytearray(path.read_bytes()))
    names = jax.tree.unflatten(program.in_tree, range(len(program.in_avals)))[0][0]
    with np.load(weights_file) as arrays:
        weights = {name: jax.device_put(arrays[name]) for name in names}
    call = jax.jit(program.call)
    return lambda inputs: call(weights, inputs)
