"""Writes a model as a checkpoint of negjax, as weights of open_clip, or as a Hugging Face folder, atomically.

While the weights are unchanged since conversion, tensors are written in the number types of their source.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.architecture import TextEncoderConfig
from negjax.models.clip import Params, flatten_params
from negjax.models.loaded import LoadedModel, to_meta
from negjax.models.text_adapters import check_unadapted
from negjax.runtime.checkpoint import Checkpoints
from negjax.runtime.files import open_atomic
from negjax.runtime.progress import no_progress
from negjax.tokenizers.cleaning import split_for_open_clip
from negjax.tokenizers.clip import Tokenizer
from negjax.weights import hf_config, hf_preprocessor, open_clip_config
from negjax.weights.describe import CONFIG_METADATA_KEY
from negjax.weights.entries import ParameterEntry, entries
from negjax.weights.families.encoders import known_name, write_encoder
from negjax.weights.families.family import WeightFormat
from negjax.weights.json_files import read_json_object
from negjax.weights.output_files import new_folder, write_json, write_tokenizer
from negjax.weights.safetensors import TensorToWrite, write_safetensors
from negjax.weights.written_inputs import hf_text_changes, open_clip_text_changes, warn_of_changes

CONVERTED_STEP = 0  # of the only checkpoint of converted weights

OnParameterWritten = Callable[[int], None]  # called with 1 for each parameter


def write_negjax(model: LoadedModel, dst: epath.PathLike) -> None:
    """Writes DST/checkpoints/0, for `negjax train` (init_from), `negjax eval` and `negjax.load`.

    Args:
        model: The model; its parameters become jax arrays, of which Orbax makes one copy fewer than of NumPy's.
        dst: A folder that does not exist.

    Raises:
        NegjaxError: If `dst` exists or cannot be written.
    """
    check_unadapted(model, "a checkpoint of whole weights")
    _to_jax(model.params)
    with new_folder(dst) as folder, Checkpoints(folder / "checkpoints") as checkpoints:
        checkpoints.save(CONVERTED_STEP, {"params": model.params}, to_meta(model))


def _to_jax(params: Params) -> None:
    """Converts one by one and in place, so that no second copy of all parameters is held."""
    for key, value in params.items():
        if isinstance(value, dict):
            _to_jax(value)
        else:
            params[key] = jnp.asarray(value).block_until_ready()  # frees the NumPy array before the next copy


def write_open_clip(model: LoadedModel, dst: epath.PathLike, done: OnParameterWritten = no_progress) -> str:
    """Writes weights for open_clip, with open_clip_config.json.

    Args:
        model: The model.
        dst: A new file (.safetensors, or .pt which needs PyTorch), or a new folder.
        done: Called for each parameter that is written.

    Returns:
        The Python expression with which open_clip loads them.

    Raises:
        NegjaxError: If open_clip computes the model differently, or the file's folder holds another model's config.
    """
    check_unadapted(model, "a model of open_clip")
    config = open_clip_config.write_config(model.config, model.preprocess, model.tokenizer.to_dict(), str(dst))
    tensors = list(_to_tensors(model, open_clip_config.open_clip_support(model.config).format, done))
    target = epath.Path(dst)
    is_file = target.suffix in (".safetensors", ".pt")
    call = (_write_open_clip_file if is_file else _write_open_clip_folder)(model, target, config, tensors)
    preprocess = open_clip_config.read_preprocess_cfg(config["preprocess_cfg"], model.preprocess.size)
    warn_of_changes(dst, "open_clip", model, preprocess, open_clip_text_changes(model))
    return call


def _write_open_clip_folder(
    model: LoadedModel, target: epath.Path, config: dict[str, Any], tensors: Sequence[TensorToWrite]
) -> str:
    """A folder with config and tokenizer, for any model that open_clip computes."""
    with new_folder(target) as folder:
        write_json(folder / open_clip_config.CONFIG_FILE, config)
        metadata = {CONFIG_METADATA_KEY: json.dumps(config)}
        write_safetensors(folder / "open_clip_model.safetensors", tensors, metadata)
        if isinstance(model.config.text, TextEncoderConfig) and not known_name(model.config.text):
            write_json(folder / hf_config.HF_CONFIG_FILE, write_encoder(model.config.text))
        if not isinstance(model.tokenizer, Tokenizer):
            write_tokenizer(model, folder, split_for_open_clip(model.tokenizer.clean)[1])
    return f'open_clip.create_model_and_transforms("local-dir:{target}")'


def _write_open_clip_file(
    model: LoadedModel, target: epath.Path, config: dict[str, Any], tensors: Sequence[TensorToWrite]
) -> str:
    """A single file, with its config beside it: for a model that open_clip knows by name."""
    name = open_clip_config.known_name(model.config)
    size = model.config.vision.image_size
    if not open_clip_config.open_clip_support(model.config).complete:
        raise NegjaxError(f"{target}: open_clip has no name for the towers of {name} alone: give a folder, not a file")
    # By a name open_clip takes its usual preprocessing, and cleans texts for CLIP's tokenizer by "lower".
    preprocess = open_clip_config.read_preprocess_cfg(config["preprocess_cfg"], size)
    is_usual = preprocess == Preprocess(size) and isinstance(model.tokenizer, Tokenizer)
    if name is None or not is_usual or model.tokenizer.clean != "lower":
        part = "this architecture" if name is None else "the preprocessing and the tokenizer of this model"
        raise NegjaxError(f"{target}: open_clip has no name for {part}: give a folder instead of a file")
    if target.exists():
        raise NegjaxError(f"{target} exists already: choose another name")
    config_file = target.parent / open_clip_config.CONFIG_FILE
    if config_file.exists() and read_json_object(config_file) != config:
        raise NegjaxError(f"{config_file} is of another model: write to another folder")
    if target.suffix == ".pt":
        _write_pt(target, tensors)
    else:
        write_safetensors(target, tensors, {CONFIG_METADATA_KEY: json.dumps(config)})
    write_json(config_file, config)
    return f'open_clip.create_model_and_transforms("{name}", pretrained="{target}")'


def write_hf(model: LoadedModel, dst: epath.PathLike, done: OnParameterWritten = no_progress) -> str:
    """Writes a Hugging Face folder: weights, config, preprocessor and tokenizer.

    Args:
        model: The model.
        dst: A folder that does not exist.
        done: Called for each parameter that is written.

    Returns:
        The Python expression with which transformers loads it.

    Raises:
        NegjaxError: If transformers cannot compute the model or its inputs.
    """
    check_unadapted(model, "a model of transformers")
    config = hf_config.write_config(model.config)
    support = hf_config.hf_support(model.config)
    preprocess = hf_preprocessor.write_preprocess(support, model.preprocess)
    if not isinstance(model.tokenizer, Tokenizer) and model.tokenizer.strip_id is not None:
        raise NegjaxError(
            "transformers' tokenizers keep the separator, which this model's replaces by 0 (strip_sep_token): use --to "
            "open_clip"
        )
    with new_folder(dst) as folder:
        write_json(folder / hf_config.HF_CONFIG_FILE, config)
        write_json(folder / hf_preprocessor.PREPROCESSOR_FILE, preprocess)
        cleanings = [] if isinstance(model.tokenizer, Tokenizer) else model.tokenizer.cleanings
        write_tokenizer(model, folder, cleanings)
        write_safetensors(
            folder / "model.safetensors", list(_to_tensors(model, support.format, done)), {"format": "pt"}
        )
    by_transformers = hf_preprocessor.parse_preprocess(preprocess, model.preprocess.size, support)
    warn_of_changes(dst, "transformers", model, by_transformers, hf_text_changes(model))
    return f'{config["architectures"][0]}.from_pretrained("{dst}")'


def _to_tensors(model: LoadedModel, format: WeightFormat, done: OnParameterWritten) -> Iterator[TensorToWrite]:
    """The model's parameters as tensors of a format."""
    types, scale_shape = model.stored.get("types", {}), tuple(model.stored.get("scale_shape", ()))
    params = flatten_params(model.params)
    for entry in entries(format, model.config):
        shapes = entry.tensor_shapes()
        if format.scale_keeps_shape and entry.path in ("logit_scale", "logit_bias"):
            shapes = [scale_shape]

        def make(index: int, value: Any = params[entry.path], entry: ParameterEntry = entry) -> np.ndarray:
            done(1 if index == 0 else 0)
            return entry.layout.write(np.asarray(value))[index]

        for index, (name, shape) in enumerate(zip(entry.names, shapes)):
            yield TensorToWrite(name, shape, types.get(entry.path, "float32"), partial(make, index))


def _write_pt(target: epath.Path, tensors: Sequence[TensorToWrite]) -> None:
    try:
        import torch
    except ImportError as error:
        raise NegjaxError(
            f'{target}: a .pt file needs PyTorch: pip install "negjax[torch]", or name the file .safetensors'
        ) from error
    types = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    state = {}
    for tensor in tensors:
        value = torch.from_numpy(np.array(tensor.make(), np.float32))
        state[tensor.name] = value.to(types[tensor.dtype]).reshape(tensor.shape)
    with open_atomic(target) as file:
        torch.save(state, file)
