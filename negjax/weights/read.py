"""A model from what `negjax train` wrote, with everything that was stored beside its weights."""

import dataclasses
import hashlib
from typing import Any

import jax
import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.clip import Params, abstract_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import from_dict
from negjax.runtime.checkpoint import Checkpoints, resolve_step
from negjax.tokenizer import NAME, Tokenizer


def read_model(path: epath.PathLike, step: str | int = "latest", activation: str | None = None) -> LoadedModel:
    """The model of a training workdir, of its checkpoints/, or of a single checkpoint in there.

    step: "latest", "best" or a number. activation: what the caller takes the model's to be; another one in the
    checkpoint is an error. The architecture is the checkpoint's own. Raises NegjaxError when there is no such
    checkpoint, or it is damaged.
    """
    directory, step = _find(path, step)
    checkpoints = Checkpoints(directory)
    meta = checkpoints.read_meta(step)
    where = f"checkpoint {checkpoints.directory / str(step)}"
    try:
        config = from_dict(meta["arch"])
        preprocess = _preprocess(meta["preprocess"])
        tokenizer = meta["tokenizer"]
    except (KeyError, TypeError) as error:
        raise NegjaxError(f"{where} was not written by this version of negjax ({error})") from error
    if tokenizer != NAME:
        raise NegjaxError(f"{where} is for the tokenizer {tokenizer!r}; there is only {NAME!r}")
    if activation not in (None, config.activation):
        raise NegjaxError(f"{where} was trained with activation {config.activation}, not {activation}")
    params = checkpoints.restore_params(step, abstract_params(config))
    info = {
        "arch": config.name,
        "activation": config.activation,
        "source": str(path),
        "step": step,
        "sha256": fingerprint(params),
    }
    return LoadedModel(config, params, preprocess, Tokenizer(config.text.context_length), info)


def fingerprint(params: Params) -> str:
    """sha256 over the bytes of all parameters, in the order of their paths ("visual/patch/kernel")."""
    leaves = {"/".join(entry.key for entry in path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
    total = hashlib.sha256()
    for name in sorted(leaves):
        total.update(np.asarray(leaves[name]).tobytes())
    return total.hexdigest()


def _find(path: epath.PathLike, step: str | int) -> tuple[epath.Path, int]:
    """The directory of checkpoints and the step that are meant."""
    place = epath.Path(path)
    if not place.exists():
        raise NegjaxError(f"there is no {path}: give the workdir of a `negjax train`, or a checkpoint in it")
    if not place.is_dir():
        raise NegjaxError(f"{path} is a file: only workdirs of `negjax train` and checkpoints in them can be read")
    if (place / "checkpoints").is_dir():
        return place / "checkpoints", resolve_step(place / "checkpoints", step)
    if Checkpoints(place).steps():
        return place, resolve_step(place, step)
    own = place.absolute().name
    if own.isdigit() and int(own) in Checkpoints(place.absolute().parent).steps():
        if str(step) not in ("latest", own):
            raise NegjaxError(f"{path} is the checkpoint of step {own}, not {step}: give its workdir instead")
        return place.absolute().parent, int(own)
    raise NegjaxError(f"{path} holds no checkpoints: give the workdir of a `negjax train`, or a checkpoint in it")


def _preprocess(stored: dict[str, Any]) -> Preprocess:
    fields = {field.name for field in dataclasses.fields(Preprocess)}
    if stored.keys() != fields:
        raise KeyError(f"preprocess has {', '.join(sorted(stored))} instead of {', '.join(sorted(fields))}")
    return Preprocess(**stored | {name: tuple(stored[name]) for name in ("mean", "std")})
