"""Converts weights between formats: `negjax convert`."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
from etils import epath

from negjax.errors import NegjaxError
from negjax.models.clip import abstract_params
from negjax.models.loaded import LoadedModel
from negjax.runtime.paths import to_path
from negjax.runtime.progress import track_progress
from negjax.weights.interpolate import interpolate
from negjax.weights.read import read_model
from negjax.weights.write import write_hf, write_negjax, write_open_clip

OUTPUT_FORMATS = ("negjax", "open_clip", "hf")


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        model: The model that was written.
        parameters: How many numbers it has.
        call: The Python expression that loads what was written.
    """

    model: LoadedModel
    parameters: int
    call: str


def convert(
    src: epath.PathLike,
    dst: epath.PathLike,
    to: str = "negjax",
    *,
    step: str | int = "latest",
    arch: str = "",
    activation: str = "",
    ema: bool = False,
    mix: str = "",
    share: float | None = None,
    base: str = "",
) -> Conversion:
    """Reads a model and writes it in another format; after an error nothing is left at `dst`.

    Args:
        src, step, arch, activation, ema, base: See `negjax.weights.read.read_model`.
        dst: A path that does not exist.
        to: One of OUTPUT_FORMATS.
        mix: Another model, whose latest weights are read in the same way. Then `share` x `src` + (1 - `share`) x `mix`
            is written, see `negjax.weights.interpolate`.
        share: Goes with `mix`.

    Raises:
        NegjaxError: If the model cannot be read, `dst` exists, or the format cannot hold the model.
    """
    if to not in OUTPUT_FORMATS:
        raise NegjaxError(f"unknown --to {to!r}; choose one of {', '.join(OUTPUT_FORMATS)}")
    if to_path(dst).exists():
        raise NegjaxError(f"{dst} exists already: choose another name")
    if bool(mix) != (share is not None):
        raise NegjaxError("--mix and --share belong together: name the other weights and the share of SRC")
    model = read_model(src, step, arch=arch, activation=activation, ema=ema, base=base)
    if share is not None:
        model = interpolate(read_model(mix, arch=arch, activation=activation), model, share)
    leaves = jax.tree.leaves(abstract_params(model.config))
    with track_progress(len(leaves), f"writing {dst}") as done:
        call = _write_model(model, dst, to, done)
    return Conversion(model, sum(math.prod(leaf.shape) for leaf in leaves), call)


def _write_model(model: LoadedModel, dst: epath.PathLike, to: str, done: Callable[[int], None]) -> str:
    if to == "open_clip":
        return write_open_clip(model, dst, done)
    if to == "hf":
        return write_hf(model, dst, done)
    write_negjax(model, dst)
    return f'negjax.load("{dst}")'
