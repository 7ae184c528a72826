"""Experiments and suites of tasks as frozen dataclasses, made from an ml_collections config file.

A config file is a Python file with `get_config(arg=None) -> ml_collections.ConfigDict`. Its keys are the fields below;
an unknown key or a value of another type is an error that names the key.
"""

import ast
import dataclasses
import difflib
import re
import runpy
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from ml_collections import ConfigDict

from negjax.errors import NegjaxError

T = TypeVar("T")


@dataclass(frozen=True)
class ModelSpec:
    """Which model, from where, and how it is computed.

    arch: a preset's name (`negjax.models.presets`); with `init_from` only for weights that do not say theirs.
    init_from: what to start from: a training workdir, a checkpoint or PyTorch weights; empty for fresh weights.
    activation: with `init_from`, compute with this one, whatever the weights were made with.
    dtype: type of the matrix products, "float32" or "bfloat16". remat, scan: see `negjax.models.layers.Compute`.
    """

    arch: str = ""
    init_from: str = ""
    activation: str = ""
    dtype: Literal["float32", "bfloat16"] = "float32"
    remat: bool = False
    scan: bool = False


@dataclass(frozen=True)
class Source:
    """One stream of examples and the weights of the objectives that are computed on it.

    batch_size: examples of this source in a step, over all devices.
    contrastive, sigmoid: weight of the loss on an image and one caption of it, drawn anew each time.
    mcq: weight of the loss on the image's question. The three weights of all sources add up to the loss.
    crop_scale: smallest share of an image that a random crop keeps, as in RandomResizedCrop((crop_scale, 1)); 1 for the
    preprocessing of evaluation.
    flip: mirror each image left to right in half of its uses (not where captions speak of left, right, or writing).
    negated_fraction: how often the caption is one of `negated_captions` instead of `captions`.
    """

    dataset: str
    batch_size: int
    contrastive: float = 0.0
    sigmoid: float = 0.0
    mcq: float = 0.0
    negated_fraction: float = 0.0
    crop_scale: float = 1.0
    flip: bool = False


# What each optimizer has of its own, with its usual values.
OPTIMIZERS = {
    "adamw": {"b1": 0.9, "b2": 0.98, "eps": 1e-6},
    "lion": {"b1": 0.9, "b2": 0.99},
    "adafactor": {"b1": 0.9, "b2": 0.999, "eps": 1e-30},
    "muon": {"momentum": 0.95, "b1": 0.9, "b2": 0.98, "eps": 1e-6},
    "sgd": {"momentum": 0.9},
}


@dataclass(frozen=True)
class Optim:
    """How the parameters are updated; AdamW with linear warm-up and a cosine to zero unless said otherwise.

    name: the optimizer, see `negjax.training.optimizer`. b1, b2, eps, momentum: its own settings, left out for its
    usual values (AdamW's are open_clip's); one that it does not have is an error.
    schedule: what follows the linear warm-up from 0: "cosine" or "linear" to 0 at the last step, or "constant".
    weight_decay: is decoupled and times the learning rate; it leaves out biases, norms, the class token and the logit
    scale (fewer than two axes). clip_norm: largest global norm of the gradient, 0 for none.
    freeze: patterns of parameter paths ("visual/.*") that do not learn. lr_factors: pairs of such a pattern and what
    the learning rate is multiplied by there; the first that fits counts, without one it is 1. layer_decay: and by this
    once for each layer from the top of its tower down, the embeddings being the last; 1 for none.
    ema: decay of the running average of the parameters that `negjax eval --ema` reads, 0 for none.
    on_bad_step: what to do when the loss or the norm of the gradient is not finite, or when that norm is more than
    `spike_factor` (0: never) times its running median: "stop" the run, "skip" the update, or "roll_back" to the last
    checkpoint and go on behind the batch that did it.
    """

    learning_rate: float = 5e-4
    name: Literal["adamw", "lion", "adafactor", "muon", "sgd"] = "adamw"
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_steps: int = 0
    weight_decay: float = 0.2
    b1: float | None = None
    b2: float | None = None
    eps: float | None = None
    momentum: float | None = None
    clip_norm: float = 1.0
    freeze: tuple[str, ...] = ()
    lr_factors: tuple[tuple[str, float], ...] = ()
    layer_decay: float = 1.0
    ema: float = 0.0
    on_bad_step: Literal["stop", "skip", "roll_back"] = "stop"
    spike_factor: float = 0.0

    def __post_init__(self) -> None:
        usual = OPTIMIZERS[self.name]
        for key in ("b1", "b2", "eps", "momentum"):
            if getattr(self, key) is None:
                object.__setattr__(self, key, usual.get(key))
            elif key not in usual:
                has = ", ".join(usual)
                raise NegjaxError(f"config.optim.{key} is given, but {self.name} has only {has}: leave it out")
        for key in ("learning_rate", "eps"):
            if getattr(self, key) is not None and not getattr(self, key) > 0:
                raise NegjaxError(f"config.optim.{key} is {getattr(self, key)}: it must be positive")
        for key in ("warmup_steps", "weight_decay", "clip_norm"):
            if not getattr(self, key) >= 0:
                raise NegjaxError(f"config.optim.{key} is {getattr(self, key)}: it must not be negative")
        for key in ("b1", "b2", "momentum", "ema"):
            if getattr(self, key) is not None and not 0 <= getattr(self, key) < 1:
                raise NegjaxError(f"config.optim.{key} is {getattr(self, key)}: it must lie from 0 to below 1")
        if not 0 < self.layer_decay <= 1:
            raise NegjaxError(f"config.optim.layer_decay is {self.layer_decay}: it must lie above 0 and not above 1")
        if self.spike_factor and not self.spike_factor > 1:
            raise NegjaxError(f"config.optim.spike_factor is {self.spike_factor}: it must be above 1, or 0 for none")
        for pattern, factor in self.lr_factors:
            if not factor > 0:
                raise NegjaxError(
                    f"config.optim.lr_factors: {pattern!r} has {factor}: it must be positive (see freeze)"
                )


@dataclass(frozen=True)
class Evaluation:
    """Tasks evaluated every `every` steps and at the end (0: at the end only); no tasks, no evaluation.

    best: "TASK/metric" by which the best checkpoint is kept, empty for none.
    """

    tasks: tuple[str, ...] = ()
    every: int = 0
    batch_size: int = 256
    best: str = ""


@dataclass(frozen=True)
class MeshSpec:
    """How the devices are arranged: the axis "data" has all that `fsdp` x `tensor` leave, see `runtime.sharding`."""

    fsdp: int = 1
    tensor: int = 1


@dataclass(frozen=True)
class LossSpec:
    """How the losses of a large batch are computed, without changing what they are.

    sharded: each device takes its own rows of the contrastive and sigmoid losses, see `negjax.objectives`. chunk: rows
    of a device that are taken at a time, 0 for all. micro_batches: in so many parts the towers see the batch, so that a
    batch larger than memory has the gradient of the whole; see `negjax.training.gradcache`.
    """

    sharded: bool = False
    chunk: int = 0
    micro_batches: int = 1

    def __post_init__(self) -> None:
        if self.chunk < 0 or self.micro_batches < 1:
            raise NegjaxError("config.loss: chunk must not be negative, and micro_batches at least 1")


@dataclass(frozen=True)
class Experiment:
    """All that decides a training run. `seed` decides weights, order and draws."""

    model: ModelSpec
    sources: dict[str, Source]
    data_dir: str
    steps: int
    optim: Optim = field(default_factory=Optim)
    loss: LossSpec = field(default_factory=LossSpec)
    mesh: MeshSpec = field(default_factory=MeshSpec)
    evaluation: Evaluation = field(default_factory=Evaluation)
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 1000
    keep: int = 3

    def __post_init__(self) -> None:
        if not self.sources:
            raise NegjaxError("config.sources is empty: name at least one source of examples")
        for name, source in self.sources.items():
            if not (source.contrastive or source.sigmoid or source.mcq):
                raise NegjaxError(f"config.sources.{name} has no objective: give contrastive, sigmoid or mcq a weight")
            if source.batch_size < 1:
                raise NegjaxError(f"config.sources.{name}.batch_size is {source.batch_size}: it must be positive")
            if not 0 <= source.negated_fraction <= 1:
                raise NegjaxError(f"config.sources.{name}.negated_fraction must lie between 0 and 1")
            if not 0 < source.crop_scale <= 1:
                raise NegjaxError(f"config.sources.{name}.crop_scale must lie above 0 and not above 1")
        for key in ("steps", "log_every", "checkpoint_every", "keep"):
            if getattr(self, key) < 1:
                raise NegjaxError(f"config.{key} is {getattr(self, key)}: it must be positive")
        if self.seed < 0:
            raise NegjaxError(f"config.seed is {self.seed}: it must not be negative")
        best = self.evaluation.best
        if best and best.partition("/")[0] not in self.evaluation.tasks:
            raise NegjaxError(f"config.evaluation.best is {best!r}: it must be TASK/metric of one of evaluation.tasks")
        if not (self.model.arch or self.model.init_from):
            raise NegjaxError("config.model needs an arch, or weights to start from (init_from)")
        if self.model.activation and not self.model.init_from:
            raise NegjaxError("config.model.activation is for init_from: of fresh weights the arch decides")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form; `build(Experiment, ...)` is its inverse."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class SetSource:
    """How a set of a suite is made: of a file as `negjax data build`, or of another set as `negjax data derive`.

    kind: their --kind. file: the name of the CSV or JSON file; for kind "folder" a folder below the media root ("." for
    itself). source: the set to derive from. classnames, templates: for kind "folder".
    """

    kind: str
    file: str = ""
    source: str = ""
    classnames: str = ""
    templates: str = "openai"

    def __post_init__(self) -> None:
        if bool(self.file) == bool(self.source):
            raise NegjaxError(f"a set of kind {self.kind} needs a file or a source to derive from, one of them")


@dataclass(frozen=True)
class Suite:
    """Tasks that belong together: how their sets are made, and how they are evaluated.

    frames, video_preprocess: how clips are cut, see `negjax.evaluation.plan.Video`.
    """

    tasks: dict[str, SetSource]
    frames: int = 4
    video_preprocess: Literal["negbench", "clip"] = "negbench"

    def __post_init__(self) -> None:
        if not self.tasks:
            raise NegjaxError("config.tasks is empty: name at least one task")


def build(cls: type[T], values: Mapping[str, Any], where: str = "config") -> T:
    """A dataclass made from nested mappings, every key and type checked. `where` names the place in errors."""
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, cls))}
    for key in values:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(fields)}"
            raise NegjaxError(f"{where}.{key} is not a setting: {hint}")
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise NegjaxError(f"{where}.{name} is missing")
    return cls(**{key: _value(hints[key], value, f"{where}.{key}") for key, value in values.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:  # of a type and None, for what may be left out
        return None if value is None else _value(args[0], value, where)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise NegjaxError(f"{where} is {value!r}: it must be a group of settings")
        return build(typing.cast(type, kind), value, where)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise NegjaxError(f"{where} is {value!r}: it must be a group of named entries")
        return {str(key): _value(args[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise NegjaxError(f"{where} is {value!r}: it must be a list")
        kinds = args if args[-1] is not Ellipsis else args[:1] * len(value)
        if len(kinds) != len(value):
            raise NegjaxError(f"{where} is {value!r}: it must have {len(kinds)} entries")
        return tuple(_value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value)))
    if origin is Literal:
        if value not in args:
            raise NegjaxError(f"{where} is {value!r}: it must be {' or '.join(map(str, args))}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise NegjaxError(f"{where} is {value!r}: it must be of type {kind.__name__}")
    return value


def load_config(cls: type[T], file: str, overrides: Sequence[str] = ()) -> T:
    """The `Experiment` or `Suite` that a config file describes.

    file: "FILE.py" or "FILE.py:arg", the latter passing `arg` to get_config. overrides: "--config.a.b=value" each, for
    any setting, whether the file gives it or not; lists are separated by commas.
    """
    name, _, arg = file.partition(":")
    path = Path(name)
    if not path.is_file():
        raise NegjaxError(f"there is no config file {path}")
    try:
        config = runpy.run_path(name)["get_config"](*[arg] if arg else [])
    except Exception as error:  # the file is a program, which may raise anything
        reason = " ".join(str(error).split())
        raise NegjaxError(f"{file}: the config file cannot be run ({type(error).__name__}: {reason})") from error
    if not isinstance(config, ConfigDict):
        raise NegjaxError(f"{path}: get_config() must return an ml_collections.ConfigDict")
    values = config.to_dict()
    for override in overrides:
        _override(cls, values, override)
    return build(cls, values)


def _override(cls: Any, values: dict[str, Any], override: str) -> None:
    """Puts the value of "--config.a.b=value" in its place; `build` checks that there is such a setting."""
    found = re.fullmatch(r"--config\.([^=]+)=(.*)", override, re.DOTALL)
    if not found:
        raise NegjaxError(f"{override}: a setting is changed by --config.NAME=VALUE")
    *groups, last = found[1].split(".")
    kind = cls
    for key in groups:
        kind = _kind(kind, key)
        if not isinstance(values.setdefault(key, {}), dict):
            raise NegjaxError(f"{override}: {key} is not a group of settings")
        values = values[key]
    values[last] = _parse(_kind(kind, last), found[2])


def _kind(kind: Any, key: str) -> Any:
    """The type of a group's setting; str where there is no such setting."""
    if typing.get_origin(kind) is dict:
        return typing.get_args(kind)[1]
    return typing.get_type_hints(kind).get(key, str) if dataclasses.is_dataclass(kind) else str


def _parse(kind: Any, text: str) -> Any:
    """A text as a value of the type; the text itself where it is none."""
    if typing.get_origin(kind) is types.UnionType:
        kind = typing.get_args(kind)[0]
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        if kind in (int, float):
            return kind(text)
        if typing.get_origin(kind) is tuple:
            return ast.literal_eval(text) if text[:1] in ("(", "[") else [part for part in text.split(",") if part]
    except (ValueError, SyntaxError):
        pass
    return text
