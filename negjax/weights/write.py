"""A model as a checkpoint of negjax, as weights of open_clip, or as a Hugging Face folder: whole or not there at all.

Tensors are written in the types in which the source held them, while the weights are still the source's.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.clip import Params
from negjax.models.loaded import LoadedModel, to_meta
from negjax.runtime.checkpoint import Checkpoints
from negjax.runtime.files import open_atomic, write_atomic
from negjax.runtime.progress import no_progress
from negjax.tokenizers.clip import Tokenizer, vocabulary
from negjax.weights import hf_config, open_clip_config
from negjax.weights.described import CARRIED
from negjax.weights.safetensors import TensorToWrite, write_safetensors
from negjax.weights.tables import Entry, WeightFormat, entries

STEP = 0  # of the one checkpoint of converted weights

OnDone = Callable[[int], None]  # told of each parameter that is written


def write_negjax(model: LoadedModel, dst: epath.PathLike) -> None:
    """DST/checkpoints/0, for `negjax train` (init_from), `negjax eval` and `negjax.load`.

    The model's parameters become jax arrays, of which Orbax makes one copy less than of NumPy's.
    """
    _to_jax(model.params)
    with _new_folder(dst) as folder, Checkpoints(folder / "checkpoints") as checkpoints:
        checkpoints.save(STEP, {"params": model.params}, to_meta(model))


def _to_jax(params: Params) -> None:
    """One by one and in place, so that no second copy of all is held."""
    for key, value in params.items():
        if isinstance(value, dict):
            _to_jax(value)
        else:
            params[key] = jnp.asarray(value).block_until_ready()  # or the old one stays until it is copied


def write_open_clip(model: LoadedModel, dst: epath.PathLike, done: OnDone = no_progress) -> str:
    """A file (.safetensors, or .pt which needs PyTorch) or a folder, with open_clip_config.json; returns the call.

    The call is the Python expression with which open_clip loads it. Raises NegjaxError for a model that open_clip
    computes differently, and where the file's folder holds another model's config.
    """
    config = open_clip_config.write_config(model.config, model.preprocess, model.tokenizer.to_dict())
    source: WeightFormat = "open_clip_siglip" if model.config.vision.pool == "attention" else "open_clip"
    tensors = list(_tensors(model, source, done))
    target = epath.Path(dst)
    if target.suffix not in (".safetensors", ".pt"):
        with _new_folder(target) as folder:
            _write_json(folder / open_clip_config.NAME, config)
            write_safetensors(folder / "open_clip_model.safetensors", tensors, {CARRIED: json.dumps(config)})
            if not isinstance(model.tokenizer, Tokenizer):
                _write_tokenizer(model, folder)
        return f'open_clip.create_model_and_transforms("local-dir:{target}")'
    name, beside = open_clip_config.known_name(model.config), target.parent / open_clip_config.NAME
    size = model.config.vision.image_size
    if name is None or not isinstance(model.tokenizer, Tokenizer) or model.preprocess != Preprocess(size):
        what = "this architecture" if name is None else "the preprocessing and the tokenizer of this model"
        raise NegjaxError(f"{target}: open_clip knows no name for {what}: give a folder instead of a file")
    if target.exists():
        raise NegjaxError(f"{target} exists already: choose another name")
    if beside.exists() and json.loads(beside.read_text()) != config:
        raise NegjaxError(f"{beside} is of another model: write to another folder")
    if target.suffix == ".pt":
        _write_pt(target, tensors)
    else:
        write_safetensors(target, tensors, {CARRIED: json.dumps(config)})
    _write_json(beside, config)
    return f'open_clip.create_model_and_transforms("{name}", pretrained="{target}")'


def write_hf(model: LoadedModel, dst: epath.PathLike, done: OnDone = no_progress) -> str:
    """A folder for CLIPModel or SiglipModel, with its config, preprocessor and tokenizer; returns the call.

    Raises NegjaxError for a model that transformers cannot compute.
    """
    config = hf_config.write_config(model.config)
    preprocess = hf_config.write_preprocess(model.config, model.preprocess)
    source: WeightFormat = "hf_siglip" if config["model_type"] == "siglip" else "hf_clip"
    with _new_folder(dst) as folder:
        _write_json(folder / hf_config.NAME, config)
        _write_json(folder / hf_config.PREPROCESSOR, preprocess)
        _write_tokenizer(model, folder)
        write_safetensors(folder / "model.safetensors", list(_tensors(model, source, done)), {"format": "pt"})
    return f'{config["architectures"][0]}.from_pretrained("{dst}")'


def _tensors(model: LoadedModel, source: WeightFormat, done: OnDone) -> Iterator[TensorToWrite]:
    """The model's tensors under the source's names."""
    types, scale_shape = model.stored.get("types", {}), tuple(model.stored.get("scale_shape", ()))
    for entry in entries(source, model.config):
        value = model.params
        for key in entry.path.split("/"):
            value = value[key]
        shapes = [part.shape for part in entry.layout.write(np.broadcast_to(np.float32(0), entry.shape))]
        if entry.path in ("logit_scale", "logit_bias") and source.startswith("open_clip"):
            shapes = [scale_shape]

        def make(index: int, value: Any = value, entry: Entry = entry) -> np.ndarray:
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
    for each in tensors:
        value = torch.from_numpy(np.array(each.make(), np.float32))
        state[each.name] = value.to(types[each.dtype]).reshape(each.shape)
    with open_atomic(target) as file:
        torch.save(state, file)


def _write_tokenizer(model: LoadedModel, folder: epath.Path) -> None:
    """The files from which transformers makes the tokenizer."""
    tokenizer, length = model.tokenizer, model.config.text.context_length
    if isinstance(tokenizer, Tokenizer):
        ids, merges = vocabulary()
        _write_json(folder / "vocab.json", ids)
        write_atomic(folder / "merges.txt", "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
        start, end = "<|startoftext|>", "<|endoftext|>"
        special = {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": end}
        kind = {"tokenizer_class": "CLIPTokenizer", "do_lower_case": True}
    else:
        write_atomic(folder / "tokenizer.json", tokenizer.tokenizer_json)
        special = {"pad_token": tokenizer.token(tokenizer.pad_id)}
        kind = {"tokenizer_class": "PreTrainedTokenizerFast", "padding_side": tokenizer.pad_side}
    _write_json(folder / "special_tokens_map.json", special)
    _write_json(folder / "tokenizer_config.json", {**kind, **special, "model_max_length": length})


def _write_json(path: epath.Path, data: Any) -> None:
    write_atomic(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def _new_folder(dst: epath.PathLike) -> Iterator[epath.Path]:
    """A temporary folder beside DST that becomes DST at the end, or goes again after an error."""
    target = epath.Path(dst)
    if target.exists():
        raise NegjaxError(f"{target} exists already: choose another name")
    temporary = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(target)
    except OSError as error:
        raise NegjaxError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        if temporary.exists():
            temporary.rmtree()
