"""A model from whatever holds one: what `negjax train` and `negjax convert` wrote, PyTorch weights, or a name."""

import hashlib

import jax
import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.models.architecture import from_dict, with_activation
from negjax.models.clip import Params, abstract_params
from negjax.models.loaded import LoadedModel, from_meta
from negjax.models.presets import preset
from negjax.runtime.checkpoint_reader import CheckpointReader
from negjax.weights.hub import download
from negjax.weights.pytorch import read_pytorch


def read_model(
    path: epath.PathLike, step: str | int = "latest", *, arch: str = "", activation: str = "", ema: bool = False
) -> LoadedModel:
    """The model of a training workdir, its checkpoints/ or one checkpoint in there; of PyTorch weights, a file or a
    folder; of "hf-hub:ORG/NAME" or "open_clip:ARCH/TAG", which are downloaded by those libraries.

    step: "latest", "best" or a number, of a workdir. arch: a preset (or open_clip config) for weights that do not say
    theirs; a checkpoint does, and must agree. activation: compute with this one, whatever the weights were made with;
    `info` then has activation_of_weights. ema: the running average of the weights that a training run kept beside
    them, which `info` and `origin` say. Raises NegjaxError when there is no such model or average, it is damaged, or
    its activation is not known.
    """
    named = str(path)
    if named.startswith(("hf-hub:", "open_clip:")):
        _refuse(ema, named)
        file, known_arch = download(named)
        return _called(read_pytorch(file, arch or known_arch, activation), named)
    place = epath.Path(path).expanduser()
    if not place.exists():
        raise NegjaxError(f"there is no {path}: give a workdir of `negjax train`, a checkpoint, or PyTorch weights")
    found = _checkpoint(place, step)
    if found is None:
        _refuse(ema, named)
        return read_pytorch(place, arch, activation)
    return _read(*found, named, arch, activation, ema)


def fingerprint(params: Params) -> str:
    """sha256 over the bytes of all parameters, in the order of their paths ("visual/patch/kernel")."""
    leaves = {"/".join(entry.key for entry in path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
    total = hashlib.sha256()
    for name in sorted(leaves):
        total.update(np.ascontiguousarray(leaves[name]).data)
    return total.hexdigest()


def _refuse(ema: bool, path: str) -> None:
    if ema:
        raise NegjaxError(f"{path} is no checkpoint of negjax, and only those may hold an EMA: leave --ema out")


def _called(model: LoadedModel, source: str) -> LoadedModel:
    model.info["source"] = source
    return model


def _read(directory: epath.Path, step: int, path: str, arch: str, activation: str, ema: bool) -> LoadedModel:
    checkpoints = CheckpointReader(directory)
    meta = checkpoints.read_meta(step)
    where = f"checkpoint {checkpoints.directory / str(step)}"
    try:
        model = from_meta(meta, {})
    except NegjaxError as error:
        raise NegjaxError(f"{where}: {error}") from error
    except (KeyError, TypeError) as error:
        raise NegjaxError(f"{where} was not written by this version of negjax ({error})") from error
    recorded = model.config.activation
    if arch and (arch != model.config.name or preset(arch).activation != recorded):
        raise NegjaxError(f"{where} holds {model.config.name} with activation {recorded}, not {arch}: leave --arch out")
    restore = checkpoints.restore_ema if ema else checkpoints.restore_params
    model.params = restore(step, abstract_params(from_dict(meta["arch"])))
    if activation:
        model.config = with_activation(model.config, activation)
        model.origin = {"activation": recorded} | model.origin  # remembered when it is written again
    model.info = {
        "arch": model.config.name,
        "activation": model.config.activation,
        "source": path,
        "step": step,
        "sha256": fingerprint(model.params),
    }
    if model.config.activation != (trained := model.origin.get("activation", recorded)):
        model.info["activation_of_weights"] = trained
    if ema:
        model.info["ema"] = True
        model.origin = model.origin | {"ema": True}
    if model.origin:
        model.info["origin"] = model.origin
    return model


def _checkpoint(place: epath.Path, step: str | int) -> tuple[epath.Path, int] | None:
    """The directory of checkpoints and the step that are meant; None where there are none."""
    if not place.is_dir():
        return None
    if (place / "checkpoints").is_dir():
        return place / "checkpoints", CheckpointReader(place / "checkpoints").resolve_step(step)
    if CheckpointReader(place).steps():
        return place, CheckpointReader(place).resolve_step(step)
    own = place.absolute().name
    if own.isdecimal() and int(own) in CheckpointReader(place.absolute().parent).steps():
        if str(step) not in ("latest", own):
            raise NegjaxError(f"{place} is the checkpoint of step {own}, not {step}: give its workdir instead")
        return place.absolute().parent, int(own)
    return None
