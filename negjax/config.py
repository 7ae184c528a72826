"""Experiments and suites of tasks as frozen dataclasses; `negjax.config_file` reads them from a file."""

import dataclasses
import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from negjax.errors import NegjaxError


@dataclass(frozen=True)
class ModelSpec:
    """Which model, from where, and how it is computed.

    arch: a preset's name (`negjax.models.presets`); with `init_from` only for weights that do not say theirs.
    init_from: what to start from: a training workdir, a checkpoint or PyTorch weights; empty for fresh weights.
    activation: with `init_from`, compute with this one, whatever the weights were made with.
    dtype: type of the matrix products, "float32" or "bfloat16". remat, scan: see `negjax.models.compute.Compute`.
    """

    arch: str = ""
    init_from: str = ""
    activation: str = ""
    dtype: Literal["float32", "bfloat16"] = "float32"
    remat: Literal["none", "dots", "full"] = "none"
    scan: bool = False


@dataclass(frozen=True)
class Source:
    """One stream of examples and the weights of the objectives that are computed on it.

    The loss is the sum over sources and objectives of weight x mean over the source's batch. So data sets are mixed by
    `batch_size` (how much is seen of each) and by the weights (how much it counts); a source has no weight of its own,
    which would only multiply these.

    batch_size: examples of this source in a step, over all devices.
    contrastive, sigmoid: weight of the loss on an image and one caption of it, drawn anew each time.
    distill: weight of what keeps the embeddings of image and caption where the start, `model.init_from`, had them; see
    `negjax.objectives.distill`. For affirmative captions, against forgetting: negated ones have to move.
    mcq: weight of the loss on the image's question.
    negated_fraction: how often the caption is one of `negated_captions` instead of `captions`.
    hard_negatives: so many wrong options of the image's question, drawn anew each time without replacement, stand
    beside all captions of the batch when an image looks for its own in the contrastive loss (NegCLIP, Yuksekgonul et
    al. 2023). Where there are fewer the drawing starts again. They come from the question because `negated_captions`
    are true of their image. In a set of questions alone, as `pairs` of a caption and a wrong one are, the right option
    is the caption. Sets whose rows share their options are refused: what is wrong for one is right for its neighbour.
    crop_scale: smallest share of an image that a random crop keeps, as in RandomResizedCrop((crop_scale, 1)); 1 for the
    preprocessing of evaluation. crop_ratio: bounds of the crop's width over its height.
    flip: mirror each image left to right in half of its uses (not where captions speak of left, right, or writing).
    color_jitter, color_jitter_prob, gray_scale_prob: open_clip's and torchvision's: how far brightness, contrast,
    saturation and hue may change, how often they do, and how often an image turns grey; see `negjax.media.augment`
    (not where captions speak of colours).
    """

    dataset: str
    batch_size: int
    contrastive: float = 0.0
    sigmoid: float = 0.0
    distill: float = 0.0
    mcq: float = 0.0
    negated_fraction: float = 0.0
    hard_negatives: int = 0
    crop_scale: float = 1.0
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = False
    color_jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    color_jitter_prob: float = 1.0
    gray_scale_prob: float = 0.0

    @property
    def uses_captions(self) -> bool:
        """Whether an objective needs a caption of each image."""
        return bool(self.contrastive or self.sigmoid or self.distill)

    @property
    def recolors(self) -> bool:
        """Whether colours are changed at random."""
        return bool((any(self.color_jitter) and self.color_jitter_prob) or self.gray_scale_prob)

    def problem(self) -> str | None:
        """What is wrong with the settings, to be read after the source's name; None when all is well."""
        for name in ("contrastive", "sigmoid", "distill", "mcq"):
            if not 0 <= getattr(self, name) < math.inf:
                return f".{name} is {getattr(self, name)}: a weight must not be negative, and finite"
        if not (self.contrastive or self.sigmoid or self.distill or self.mcq):
            return " has no objective: give contrastive, sigmoid, distill or mcq a weight"
        if self.batch_size < 1:
            return f".batch_size is {self.batch_size}: it must be positive"
        for name in ("negated_fraction", "color_jitter_prob", "gray_scale_prob"):
            if not 0 <= getattr(self, name) <= 1:
                return f".{name} must lie between 0 and 1"
        if self.negated_fraction and not self.uses_captions:
            return ".negated_fraction is given, but no objective takes a caption (contrastive, sigmoid, distill)"
        if self.hard_negatives < 0 or (self.hard_negatives and not self.contrastive):
            return f".hard_negatives is {self.hard_negatives}: it must not be negative, and contrastive needs a weight"
        if not 0 < self.crop_scale <= 1:
            return ".crop_scale must lie above 0 and not above 1"
        if not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            return ".crop_ratio must be two positive numbers, the smaller first"
        if self.crop_scale == 1 and self.crop_ratio != Source.crop_ratio:
            return ".crop_ratio is given, but crop_scale is 1: nothing is cropped at random"
        if min(self.color_jitter) < 0 or self.color_jitter[3] > 0.5:
            return ".color_jitter must not be negative, and its last number, of the hue, not above 0.5"
        if self.color_jitter_prob != Source.color_jitter_prob and not any(self.color_jitter):
            return ".color_jitter_prob is given, but color_jitter is 0: no colour is changed"
        return None


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
            if getattr(self, key) is not None and not 0 < getattr(self, key) < math.inf:
                raise NegjaxError(f"config.optim.{key} is {getattr(self, key)}: it must be positive and finite")
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
            if not 0 < factor < math.inf:
                raise NegjaxError(
                    f"config.optim.lr_factors: {pattern!r} has {factor}: it must be positive and finite (see freeze)"
                )
        patterns = {"freeze": self.freeze, "lr_factors": [pattern for pattern, _ in self.lr_factors]}
        for key, pattern in ((key, pattern) for key, each in patterns.items() for pattern in each):
            try:
                re.compile(pattern)
            except re.error as error:
                raise NegjaxError(f"config.optim.{key}: {pattern!r} is no regular expression ({error})") from error


@dataclass(frozen=True)
class Evaluation:
    """Tasks evaluated every `every` steps and at the end (0: at the end only); no tasks, no evaluation.

    best: "TASK/metric" by which the best checkpoint is kept, empty for none.
    """

    tasks: tuple[str, ...] = ()
    every: int = 0
    batch_size: int = 256
    best: str = ""

    def __post_init__(self) -> None:
        if self.every < 0 or self.batch_size < 1:
            raise NegjaxError("config.evaluation: every must not be negative, and batch_size at least 1")


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
class Logging:
    """Where figures go besides WORKDIR/metrics.jsonl, which always has them.

    tensorboard: to event files in WORKDIR/tensorboard. wandb: to this project of Weights & Biases, "PROJECT" or
    "ENTITY/PROJECT"; empty for none.
    """

    tensorboard: bool = False
    wandb: str = ""


@dataclass(frozen=True)
class Experiment:
    """All that decides a training run. `seed` decides weights, order and draws.

    most_broken: so many rows of a source whose image cannot be decoded are replaced, by each process, before the run
    stops.
    """

    model: ModelSpec
    sources: dict[str, Source]
    data_dir: str
    steps: int
    optim: Optim = field(default_factory=Optim)
    loss: LossSpec = field(default_factory=LossSpec)
    mesh: MeshSpec = field(default_factory=MeshSpec)
    evaluation: Evaluation = field(default_factory=Evaluation)
    logging: Logging = field(default_factory=Logging)
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 1000
    keep: int = 3
    most_broken: int = 100

    def __post_init__(self) -> None:
        if not self.sources:
            raise NegjaxError("config.sources is empty: name at least one source of examples")
        for name, source in self.sources.items():
            if problem := source.problem():
                raise NegjaxError(f"config.sources.{name}{problem}")
            if source.distill and not self.model.init_from:
                raise NegjaxError(f"config.sources.{name}.distill needs weights to start from (config.model.init_from)")
        for key in ("steps", "log_every", "checkpoint_every", "keep"):
            if getattr(self, key) < 1:
                raise NegjaxError(f"config.{key} is {getattr(self, key)}: it must be positive")
        for key in ("seed", "most_broken"):
            if getattr(self, key) < 0:
                raise NegjaxError(f"config.{key} is {getattr(self, key)}: it must not be negative")
        best = self.evaluation.best
        if best and best.partition("/")[0] not in self.evaluation.tasks:
            raise NegjaxError(f"config.evaluation.best is {best!r}: it must be TASK/metric of one of evaluation.tasks")
        if not (self.model.arch or self.model.init_from):
            raise NegjaxError("config.model needs an arch, or weights to start from (init_from)")
        if self.model.activation and not self.model.init_from:
            raise NegjaxError("config.model.activation is for init_from: of fresh weights the arch decides")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form; `config_file.build(Experiment, ...)` is its inverse."""
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
