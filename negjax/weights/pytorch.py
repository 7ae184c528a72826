"""Reads a model from a PyTorch weights file, or a Hugging Face or open_clip folder, without PyTorch."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.architecture import CLIPConfig
from negjax.models.clip import Params
from negjax.models.loaded import LoadedModel, check_vocabulary
from negjax.models.presets import default_preprocess
from negjax.runtime.progress import no_progress
from negjax.weights.config_sizes import find_wrong_sizes
from negjax.weights.describe import describe_weights
from negjax.weights.detect import MAX_MISMATCHES, detect_format, find_mismatches, table_names
from negjax.weights.entries import ParameterEntry, entries
from negjax.weights.families.family import WeightFormat
from negjax.weights.families.table import family_of
from negjax.weights.hf_config import HF_CONFIG_FILE
from negjax.weights.lazy_tensor import LazyTensor
from negjax.weights.long_clip import fold_positions
from negjax.weights.lora import merge_adapter
from negjax.weights.open_clip_config import CONFIG_FILE
from negjax.weights.positions import resize_positions
from negjax.weights.prefixes import strip_prefix
from negjax.weights.tensors import open_tensors

WEIGHT_FILES = (  # in a folder, in order of preference
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_OTHER_CHECKPOINTS = {  # a file of a folder that is none of these: what it is, and what to do
    "zero_to_fp32.py": "a checkpoint of DeepSpeed: run its `python zero_to_fp32.py . weights` and give that",
    ".metadata": "a checkpoint of torch.distributed (DCP): make a file of it with `python -m "
    "torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER weights.pt` and give that",
    "tf_model.h5": "a model of TensorFlow: give its PyTorch weights",
    "flax_model.msgpack": "a model of Flax: give its PyTorch weights",
}
HALF_TYPES = ("float16", "bfloat16")
FLOAT_TYPES = (*HALF_TYPES, "float32", "float64")

logger = logging.getLogger(__name__)


def read_pytorch(
    path: epath.PathLike,
    arch: str = "",
    activation: str = "",
    done: Callable[[int], None] = no_progress,
    *,
    part: str = "",
    base: epath.PathLike = "",
    config_text: str = "",
    tokenizer_folder: epath.Path | None = None,
) -> LoadedModel:
    """Reads the model of a weights file, or of a folder that holds one.

    Args:
        path: The file or folder; also the folder of an adapter of PEFT, which is merged into `base`.
        arch: A preset's name or an open_clip config file, for weights that do not state their architecture. If its
            image size differs, position embeddings are resized to it.
        activation: Overrides the activation that the file states.
        done: Called with 1 for each parameter that is read.
        part: The part of a file with several models that is read, see `open_tensors`.
        base: The weights that an adapter belongs to, a file or a folder.
        config_text: The open_clip_config.json that counts instead of what the file, or one beside it, states.
        tokenizer_folder: Where the tokenizer is; by default beside the weights.

    Raises:
        NegjaxError: If the file is damaged or holds another model, its activation is unknown, a weight is not finite,
            or a tokenizer is missing.
    """
    file = find_weights_file(epath.Path(base or path))
    opened = open_tensors(file, part)
    if base:
        opened = merge_adapter(opened, epath.Path(path))
    opened = fold_positions(replace(opened, tensors=strip_prefix(opened.tensors, str(file))), str(file))
    format = detect_format(opened.tensors, str(file))
    tensors = table_names(opened.tensors, format)
    if left_out := len(opened.tensors) - len(tensors):
        names = ", ".join(f"{beginning}*" for beginning in format.left_out)
        logger.info("%s: %d tensors (%s) are left out: they are not used for embeddings", file, left_out, names)
    description = describe_weights(opened, tensors, file, format, arch, activation, config_text)
    config = description.config
    if mismatches := find_mismatches(tensors, format, config):
        source = f"--arch {arch}" if arch else _config_name(file.parent, format, config_text)
        mismatches = find_wrong_sizes(tensors, format, config, source) + mismatches
        more = f" and {len(mismatches) - MAX_MISMATCHES} more" if len(mismatches) > MAX_MISMATCHES else ""
        raise NegjaxError(
            f"{file} does not hold the model {config.name}: {'; '.join(mismatches[:MAX_MISMATCHES])}{more}"
        )
    tokenizer = family_of(config).read_tokenizer(config, tokenizer_folder or file.parent, description.tokenizer_kwargs)
    try:
        check_vocabulary(config, tokenizer)
    except NegjaxError as error:
        raise NegjaxError(f"{file}: {error}") from error
    params, types = read_params(tensors, format, config, str(file), done)
    sha256 = files_sha256(opened.files)
    weights_activation = description.weights_activation
    info = {"arch": config.name, "activation": config.activation, "source": str(path), "sha256": sha256}
    if config.activation != weights_activation:
        info["activation_of_weights"] = weights_activation or "unknown"
    origin = {
        "file": file.name,
        "sha256": sha256,
        "format": format.name,
        "activation": weights_activation or "unknown",
    }
    preprocess = description.preprocess
    if preprocess is None:
        preprocess = default_preprocess(config)
        info["preprocess"] = origin["preprocess"] = "assumed"
        logger.warning("%s: %s", file, _describe_assumed(preprocess))
    return LoadedModel(
        config,
        params,
        preprocess,
        tokenizer,
        info,
        origin=origin,
        stored={"types": types, "scale_shape": list(tensors[format.tensor_name("logit_scale") or ""].shape)},
    )


def find_weights_file(path: epath.Path) -> epath.Path:
    """The file itself, or the weights of a folder. Raises NegjaxError for a folder without any."""
    if not path.is_dir():
        return path
    file = next((path / name for name in WEIGHT_FILES if (path / name).exists()), None)
    if file is None:
        for name, description in _OTHER_CHECKPOINTS.items():
            if (path / name).exists():
                raise NegjaxError(f"{path} is {description}")
        raise NegjaxError(f"{path} holds neither checkpoints of negjax nor weights ({', '.join(WEIGHT_FILES)})")
    return file


def read_params(
    tensors: Mapping[str, LazyTensor],
    format: WeightFormat,
    config: CLIPConfig,
    where: str,
    done: Callable[[int], None] = no_progress,
) -> tuple[Params, dict[str, str]]:
    """Reads the parameters of an architecture.

    Args:
        tensors: The tensors under the names of the format's table.
        format: Their format.
        config: An architecture that fits the tensors.
        where: Names the file in errors.
        done: Called with 1 for each parameter that is read.

    Returns:
        The tree of parameters in float32, and path -> type of those that the file holds in half precision.

    Raises:
        NegjaxError: If a tensor is of another type or not finite.
    """

    def resize(value: np.ndarray) -> np.ndarray:
        logger.info("position embeddings resized for images of %d pixels", config.vision.image_size)
        return resize_positions(value, config)

    return read_entries(tensors, entries(format, config), where, done, resize)


def read_entries(
    tensors: Mapping[str, LazyTensor],
    entries: Iterable[ParameterEntry],
    where: str,
    done: Callable[[int], None] = no_progress,
    resize: Callable[[np.ndarray], np.ndarray] | None = None,
) -> tuple[Params, dict[str, str]]:
    """As `read_params`, for the entries of any table. resize: of image positions on another grid, where they may be."""
    params: Params = {}
    types = {}
    for entry in entries:
        parts = [tensors[name].load() for name in entry.names]
        value, type_name = _convert(parts, entry, where)
        if type_name in HALF_TYPES:
            types[entry.path] = type_name
        if value.shape != entry.shape and resize:
            value = resize(value)
        _set_param(params, entry.path, value)
        done(1)
    return params, types


def _convert(parts: list[np.ndarray], entry: ParameterEntry, where: str) -> tuple[np.ndarray, str]:
    """The parameter in float32, and the type that all its tensors have ("" where they differ)."""
    for name, part in zip(entry.names, parts):
        if part.dtype.name not in FLOAT_TYPES:
            raise NegjaxError(f"{where}: {name} is of type {part.dtype.name}; weights must be {', '.join(FLOAT_TYPES)}")
    type_names = {part.dtype.name for part in parts}
    value = np.asarray(entry.layout.read(parts), np.float32, order="C")
    if not np.isfinite(value).all():
        raise NegjaxError(f"{where}: {entry.names[0]} holds values that are not finite: download or export it again")
    return value, type_names.pop() if len(type_names) == 1 else ""


def _describe_assumed(preprocess: Preprocess) -> str:
    mean, std = (", ".join(f"{value:.3g}" for value in values) for values in (preprocess.mean, preprocess.std))
    return (
        f"nothing says how its images are prepared; assumed is the usual way of its family: {preprocess.resize_mode}, "
        f"{preprocess.interpolation}, mean {mean}, std {std}"
    )


def _config_name(folder: epath.Path, format: WeightFormat, config_text: str) -> str:
    """The config of weights for errors: the file beside them, if there is one."""
    name = HF_CONFIG_FILE if format.name.startswith("hf_") else CONFIG_FILE
    return name if not config_text and (folder / name).exists() else "its config"


def _set_param(params: Params, path: str, value: Any) -> None:
    *groups, leaf = path.split("/")
    for group in groups:
        params = params.setdefault(group, {})
    params[leaf] = value


def files_sha256(files: Iterable[epath.Path]) -> str:
    """The sha256 of the concatenated files."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()
