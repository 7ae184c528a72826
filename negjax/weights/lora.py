"""LoRA adapters of PEFT, merged into the tensors of their base: W + scale * B A (Hu et al. 2021).

Source: peft 0.21.2, LoraConfig and the `get_delta_weight` of its layers; DoRA: Liu et al. 2024, equation 5.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.weights.lazy_tensor import LazyTensor
from negjax.weights.safetensors import parse_json_object
from negjax.weights.tensors import TensorFile, open_tensors

ADAPTER_CONFIG = "adapter_config.json"
_ADAPTER_FILES = ("adapter_model.safetensors", "adapter_model.bin")
_PREFIX = "base_model.model."  # of all tensors in such a file
_FACTOR = re.compile(r"(.+)\.(lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)(?:\.weight)?")
# Settings of LoraConfig that change the weights in another way, or the base that they belong to.
_UNSUPPORTED = (
    "layer_replication",
    "alora_invocation_tokens",
    "trainable_token_indices",
    "target_parameters",
    "lora_bias",
)
_INITS_THAT_CHANGE_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True)
class _LoraConfig:
    """What an adapter_config.json says about the merge."""

    alpha: float
    rank_stabilised: bool
    transposed: bool
    dora: bool
    alpha_pattern: Mapping[str, float]

    def scale(self, module: str, rank: int) -> float:
        """The factor of B A for a module, by the rank that its factors have."""
        patterns = (alpha for key, alpha in self.alpha_pattern.items() if re.fullmatch(rf"(.*\.)?({key})", module))
        return next(patterns, self.alpha) / (math.sqrt(rank) if self.rank_stabilised else rank)


def is_adapter(folder: epath.Path) -> bool:
    """Whether a folder holds an adapter of PEFT."""
    return (folder / ADAPTER_CONFIG).exists()


def base_name(folder: epath.Path) -> str:
    """The name or path of the base that an adapter states; "" without one."""
    name = _read_json(folder / ADAPTER_CONFIG).get("base_model_name_or_path")
    return name if isinstance(name, str) else ""


def merge_adapter(base: TensorFile, folder: epath.Path) -> TensorFile:
    """The tensors of a base with an adapter merged into them, as they are read.

    Args:
        base: The base's tensors.
        folder: Of the adapter.

    Raises:
        NegjaxError: If the adapter is of a kind that cannot be merged, is malformed, or belongs to another base.
    """
    config = _read_lora_config(folder / ADAPTER_CONFIG)
    file = next((folder / name for name in _ADAPTER_FILES if (folder / name).exists()), None)
    if file is None:
        raise NegjaxError(f"{folder} has an {ADAPTER_CONFIG}, but none of {', '.join(_ADAPTER_FILES)}: copy it again")
    adapter = open_tensors(file)
    tensors = dict(base.tensors)
    factors: dict[str, dict[str, LazyTensor]] = {}
    for name, tensor in adapter.tensors.items():
        own_name = name.removeprefix(_PREFIX).replace(".base_layer.", ".").replace(".modules_to_save.", ".")
        if factor := _FACTOR.fullmatch(own_name):
            factors.setdefault(factor[1].removesuffix(".base_layer"), {})[factor[2]] = tensor
        elif own_name in tensors and tensors[own_name].shape == tensor.shape:
            tensors[own_name] = tensor  # a bias or a module that was trained as a whole
        else:
            raise NegjaxError(
                f"{file}: {name} is neither a factor of LoRA nor a tensor of the base: is it another base?"
            )
    for module, parts in factors.items():
        adapted = f"{module}.weight"
        if f"{module}.in_proj_weight" in tensors:
            raise NegjaxError(
                f"{file} adapts {module}, whose projections are one tensor in the base: merge it with peft's "
                "merge_and_unload()"
            )
        if adapted not in tensors:
            raise NegjaxError(f"{file} adapts {module}, which the base does not have: give its own base with --base")
        tensors[adapted] = _merged(tensors[adapted], module, parts, config, file)
    return replace(base, tensors=tensors, files=(*base.files, folder / ADAPTER_CONFIG, *adapter.files))


def _read_json(path: epath.Path) -> dict[str, Any]:
    try:
        return parse_json_object(path, path.read_bytes())
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error


def _read_lora_config(path: epath.Path) -> _LoraConfig:
    data = _read_json(path)
    if data.get("peft_type") != "LORA":
        raise NegjaxError(f"{path}: peft_type is {data.get('peft_type')!r}; only LORA is supported: merge it with peft")
    for key in _UNSUPPORTED:
        if data.get(key):
            raise NegjaxError(f"{path}: {key} is not supported: merge the adapter with peft's merge_and_unload()")
    init = data.get("init_lora_weights")
    if isinstance(init, str) and init.lower().startswith(_INITS_THAT_CHANGE_THE_BASE):
        raise NegjaxError(
            f"{path}: init_lora_weights {init!r} changes the base, too: merge it with peft's merge_and_unload()"
        )
    alpha, pattern = data.get("lora_alpha", 8), data.get("alpha_pattern") or {}
    numbers: list[Any] = [alpha, *pattern.values()] if isinstance(pattern, dict) else [None]
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        raise NegjaxError(f"{path}: lora_alpha and alpha_pattern must be finite numbers: copy it again")
    try:
        _ = [re.compile(key) for key in pattern]
    except re.error as error:
        raise NegjaxError(f"{path}: alpha_pattern has no valid pattern {error.pattern!r}: copy it again") from error
    return _LoraConfig(
        alpha,
        rank_stabilised=bool(data.get("use_rslora")),
        transposed=bool(data.get("fan_in_fan_out")),
        dora=bool(data.get("use_dora")),
        alpha_pattern=pattern,
    )


def _merged(
    weight: LazyTensor, module: str, parts: Mapping[str, LazyTensor], config: _LoraConfig, file: epath.Path
) -> LazyTensor:
    """The base's weight of a module with its factors merged when it is read, in float32 as the sum demands."""
    embedding = "lora_embedding_A" in parts
    names = ("lora_embedding_A", "lora_embedding_B") if embedding else ("lora_A", "lora_B")
    if not all(name in parts for name in names):
        raise NegjaxError(f"{file}: {module} has no {' and '.join(names)}: save the adapter again")
    a, b = (parts[name] for name in names)
    magnitude = parts.get("lora_magnitude_vector")
    if (magnitude is not None or config.dora) and (magnitude is None or embedding or len(weight.shape) != 2):
        raise NegjaxError(f"{file}: DoRA of {module} is not supported: merge it with peft's merge_and_unload()")
    delta_of = _delta_of(weight.shape, a.shape, b.shape, embedding, config.transposed)
    if delta_of is None:
        shapes = f"{list(a.shape)} and {list(b.shape)}"
        raise NegjaxError(
            f"{file}: factors {shapes} of {module} do not fit its weight {list(weight.shape)}: another base?"
        )
    scale = config.scale(module, a.shape[0])

    def load() -> np.ndarray:
        total = weight.load().astype(np.float32) + scale * delta_of(*(x.load().astype(np.float32) for x in (a, b)))
        if magnitude is not None:
            norm = np.linalg.norm(total, axis=0 if config.transposed else 1).astype(np.float32)
            ratio = magnitude.load().astype(np.float32).reshape(-1) / norm
            total = total * (ratio if config.transposed else ratio[:, None])
        return np.ascontiguousarray(total, np.float32)

    return LazyTensor(weight.shape, "float32", load)


def _delta_of(
    weight: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...], embedding: bool, transposed: bool
) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """(A, B) -> B A in the weight's layout; None where the shapes do not fit."""
    if len(weight) < 2 or len(a) < 2 or len(b) < 2 or a[0] != b[1] or math.prod(b) != b[0] * b[1]:
        return None
    rows, columns = (weight[1], weight[0]) if embedding or transposed else (weight[0], math.prod(weight[1:]))
    if b[0] != rows or math.prod(a[1:]) != columns or ((embedding or transposed) and len(weight) != 2):
        return None

    def delta(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        product = b.reshape(rows, -1) @ a.reshape(len(a), -1)
        return product.T if embedding or transposed else product.reshape(weight)

    return delta
