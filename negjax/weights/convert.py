"""From one form of weights to another: `negjax convert`."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
from etils import epath

from negjax.errors import NegjaxError
from negjax.models.clip import abstract_params
from negjax.models.loaded import LoadedModel
from negjax.runtime.progress import track_progress
from negjax.weights.interpolate import interpolate
from negjax.weights.read import read_model
from negjax.weights.write import write_hf, write_negjax, write_open_clip

FORMS = ("negjax", "open_clip", "hf")


@dataclass(frozen=True)
class Converted:
    """model: what was read. call: the Python expression that loads what was written."""

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
) -> Converted:
    """Reads `src` as `read_model` does and writes `dst` in one of FORMS; after an error nothing is left at `dst`.

    mix: another model, of which the latest weights are read in the same way; what is written is then `share` x `src` +
    (1 - `share`) x `mix`, see `negjax.weights.interpolate`.
    Raises NegjaxError for what cannot be read, a `dst` that exists, and a model that has no such form.
    """
    if to not in FORMS:
        raise NegjaxError(f"--to {to}: there are {', '.join(FORMS)}")
    if epath.Path(dst).exists():
        raise NegjaxError(f"{dst} exists already: choose another name")
    if bool(mix) != (share is not None):
        raise NegjaxError("--mix and --share belong together: name the other weights and the share of SRC")
    model = read_model(src, step, arch=arch, activation=activation, ema=ema)
    if share is not None:
        model = interpolate(read_model(mix, arch=arch, activation=activation), model, share)
    leaves = jax.tree.leaves(abstract_params(model.config))
    with track_progress(len(leaves), f"writing {dst}") as done:
        call = _write(model, dst, to, done)
    return Converted(model, sum(math.prod(leaf.shape) for leaf in leaves), call)


def _write(model: LoadedModel, dst: epath.PathLike, to: str, done: Callable[[int], None]) -> str:
    if to == "open_clip":
        return write_open_clip(model, dst, done)
    if to == "hf":
        return write_hf(model, dst, done)
    write_negjax(model, dst)
    return f'negjax.load("{dst}")'
