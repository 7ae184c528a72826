"""Reads a model from a workdir or checkpoint of negjax, PyTorch weights, or a name to download."""

import re
from collections.abc import Callable, Mapping
from functools import partial

import jax
from etils import epath

from negjax.adapters.adapter import Adapter
from negjax.adapters.table import adapter_from_meta
from negjax.errors import MALFORMED_CONTENT, NegjaxError
from negjax.models.architecture import with_activation
from negjax.models.clip import Params, abstract_params, fingerprint
from negjax.models.loaded import LoadedModel, from_meta
from negjax.models.presets import PRESETS, PRESETS_OF_NEGJAX, preset, variant_names
from negjax.models.text_adapters import adapter_name
from negjax.runtime.checkpoint_reader import CheckpointReader
from negjax.runtime.paths import to_path
from negjax.tokenizers.routed import RoutedTokenizer
from negjax.weights.hub import SCHEMES, Download, download
from negjax.weights.lora import base_name, is_adapter
from negjax.weights.pytorch import read_pytorch


def read_model(
    path: epath.PathLike,
    step: str | int = "latest",
    *,
    arch: str = "",
    activation: str = "",
    ema: bool = False,
    base: str = "",
) -> LoadedModel:
    """Reads a model.

    Args:
        path: A training workdir, its checkpoints/ or one checkpoint in there; PyTorch weights, a file or a folder; or
            "hf-hub:ORG/NAME" or "open_clip:ARCH/TAG", which those libraries download. "FILE#PART" reads one of several
            models in a file, by its entry ("state_dict_ema") or what its tensors' names start with ("teacher.").
        step: Of a workdir: "latest", "best" or a number.
        arch: A preset (or open_clip config) for weights that do not state theirs; a checkpoint does, and must agree.
        activation: Overrides the activation of the weights; `info` then has activation_of_weights.
        ema: Read the running average of the weights from a training run; `info` and `origin` record it.
        base: The weights, a path or a name to download, that an adapter at `path` belongs to (of PEFT, or of a run with
            config.lora or another adapter); by default those that it states.

    Raises:
        NegjaxError: If the model or its average does not exist or is damaged, or its activation is unknown.
    """
    source = str(path)
    if source.startswith(SCHEMES):
        _check_no_ema(ema, source)
        got = download(source)
        model = read_pytorch(got.path, arch, activation, config_text=got.config, tokenizer_folder=got.tokenizer_folder)
        model.info["source"] = source
        return model
    local, part = to_path(path), ""
    if not local.exists() and "#" in source:
        file_name, _, part = source.rpartition("#")
        local = to_path(file_name)
    if not local.exists():
        raise NegjaxError(f"{path} not found: {_suggest(source)}")
    if part and local.is_dir():
        raise NegjaxError(f"{path}: {local} is a folder, and only a file can be followed by #PART")
    adapter = local.is_dir() and is_adapter(local)
    checkpoint = _find_checkpoint(local, step)
    if checkpoint is None:
        if base and not adapter:
            raise NegjaxError(f"{path} is not an adapter, and only those have a base: omit --base")
        _check_no_ema(ema, source)
        found = _find_base(local, base) if adapter else None
        model = read_pytorch(
            local,
            arch,
            activation,
            part=part,
            base=found.path if found else "",
            config_text=found.config if found else "",
            tokenizer_folder=found.tokenizer_folder if found else None,
        )
        model.info["source"] = source
        return model
    return _read_checkpoint(*checkpoint, source, arch, activation, ema, base)


def _find_base(adapter: epath.Path, name: str) -> Download:
    """The weights that an adapter belongs to. name: its path or name to download, by default what it states."""
    name = name or base_name(adapter)
    if name.startswith(SCHEMES):
        return download(name)
    local = [path for path in (to_path(name), adapter / name, adapter.parent / name) if name and path.exists()]
    if not local:
        raise NegjaxError(
            f"{adapter} is an adapter of PEFT, and its base {name!r} is not here: give the base's weights to "
            f"`negjax convert {adapter} DST --base WEIGHTS`"
        )
    return Download(local[0])


def _suggest(source: str) -> str:
    """What to give instead of a path that does not exist: a name that the user may mean, with its scheme."""
    archs = {name for base in PRESETS if base not in PRESETS_OF_NEGJAX for name in variant_names(base)}
    arch, _, tag = source.partition("/")
    openai_arch = source.replace("/", "-").replace("@336px", "-336")  # "ViT-B/32" and "ViT-L/14@336px"
    if openai_arch in archs:
        arch, tag = openai_arch, "TAG" if source == openai_arch else "openai"
    if arch in archs:
        return f"for weights of open_clip give open_clip:{arch}/{tag} (open_clip.list_pretrained() lists the tags)"
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", source):
        return f"for a model of the Hugging Face hub give hf-hub:{source}; else a workdir, a checkpoint or weights"
    return "give a workdir of `negjax train`, a checkpoint, or PyTorch weights"


def _check_no_ema(ema: bool, source: str) -> None:
    if ema:
        raise NegjaxError(f"{source} is not a checkpoint of negjax, and only those may hold an EMA: omit --ema")


def _read_checkpoint(
    directory: epath.Path, step: int, source: str, arch: str, activation: str, ema: bool, base: str
) -> LoadedModel:
    checkpoints = CheckpointReader(directory)
    meta = checkpoints.read_meta(step)
    where = f"checkpoint {checkpoints.directory / str(step)}"
    try:
        model, adapter = from_meta(meta, {}), adapter_from_meta(meta)
    except NegjaxError as error:
        raise NegjaxError(f"{where}: {error}") from error
    except MALFORMED_CONTENT as error:
        raise NegjaxError(f"{where} was not written by this version of negjax ({error})") from error
    recorded = model.config.activation
    if arch and (arch != model.config.name or preset(arch).activation != recorded):
        raise NegjaxError(f"{where} holds {model.config.name} with activation {recorded}, not {arch}: omit --arch")
    restore = checkpoints.restore_ema if ema else checkpoints.restore_params
    if adapter:
        model.params = _adapt_base(where, meta["base"], base, adapter, partial(restore, step))
        if adapter.kind.reads_denials:
            model.tokenizer = RoutedTokenizer(model.tokenizer)
    elif base:
        raise NegjaxError(f"{source} is not an adapter, and only those have a base: omit --base")
    else:
        model.params = restore(step, abstract_params(model.config))
    if activation:
        model.config = with_activation(model.config, activation)
        model.origin = {"activation": recorded} | model.origin  # kept when the model is written again
    model.info = {
        "arch": model.config.name,
        "activation": model.config.activation,
        "source": source,
        "step": step,
        "sha256": fingerprint(model.params),
    }
    if beside := adapter_name(model.params):
        model.info["adapter"] = beside
    weights_activation = model.origin.get("activation", recorded)
    if model.config.activation != weights_activation:
        model.info["activation_of_weights"] = weights_activation
    if ema:
        model.info["ema"] = True
        model.origin = model.origin | {"ema": True}
    if model.origin:
        model.info["origin"] = model.origin
    return model


def _adapt_base(
    where: str, stated: Mapping[str, str], base: str, adapter: Adapter, restore: Callable[[Params], Params]
) -> Params:
    """The parameters of the base with the adapter of a checkpoint.

    Args:
        where: Names the checkpoint.
        stated: The base's name, and the hash of its parameters.
        base: The base's name if it is another now.
        adapter: Its kind and settings.
        restore: Reads the adapter, from its shapes.
    """
    name = base or stated["name"]
    if not name.startswith(SCHEMES) and not to_path(name).exists():
        raise NegjaxError(
            f"{where} holds an adapter, and its base {name!r} is not here: run this where it is, or give the base's "
            "weights to `negjax convert WORKDIR DST --base WEIGHTS`"
        )
    params = read_model(name).params
    if fingerprint(params) != stated["sha256"]:
        raise NegjaxError(
            f"{where} holds an adapter of other weights than those of {name} (sha256 {stated['sha256'][:12]}...): give "
            "its own base"
        )
    return adapter.adapt(params, restore(jax.eval_shape(adapter.new, params)))


def _find_checkpoint(path: epath.Path, step: str | int) -> tuple[epath.Path, int] | None:
    """The directory of checkpoints and the step; None for a path without checkpoints."""
    if not path.is_dir():
        return None
    if (path / "checkpoints").is_dir():
        return path / "checkpoints", CheckpointReader(path / "checkpoints").resolve_step(step)
    if CheckpointReader(path).steps():
        return path, CheckpointReader(path).resolve_step(step)
    name, parent = path.absolute().name, path.absolute().parent
    if name.isdecimal() and int(name) in CheckpointReader(parent).steps():
        if str(step) not in ("latest", name):
            raise NegjaxError(f"{path} is the checkpoint of step {name}, not {step}: give its workdir instead")
        return parent, int(name)
    return None
