"""An experiment: all settings of a training run, and how it is computed, logged and stored."""

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from negjax.config.adapter import ADAPTER_SETTINGS, LoRA, NeRo, PeakPatch
from negjax.config.optim import Optim
from negjax.config.source import Source
from negjax.errors import NegjaxError
from negjax.objectives.table import objective
from negjax.runtime.paths import check_path


@dataclass(frozen=True)
class ModelSpec:
    """The model to start from, and how it is computed.

    Attributes:
        arch: name of a preset (`negjax.models.presets`); with `init_from` only for weights that do not state theirs.
        init_from: weights to start from: a training workdir, a checkpoint or PyTorch weights; empty for fresh weights.
        activation: with `init_from`, the activation to compute with instead of the one of the weights.
        dtype: type of the matrix products.
        remat: what the backward pass recomputes to save memory, see `negjax.models.compute.Compute`.
        scan: whether the layers run in a loop that is compiled once, see `negjax.models.compute.Compute`.
        attention: what computes attention, "auto" for what suits the device: the compiler's own products (xla), or
            kernels for bfloat16 on NVIDIA GPUs (cudnn) or TPUs (pallas), see `negjax.models.fused_attention`.
    """

    arch: str = ""
    init_from: str = ""
    activation: str = ""
    dtype: Literal["float32", "bfloat16"] = "float32"
    remat: Literal["none", "dots", "full"] = "none"
    scan: bool = False
    attention: Literal["auto", "xla", "cudnn", "pallas"] = "auto"

    def __post_init__(self) -> None:
        check_path(self.init_from, "config.model.init_from")


@dataclass(frozen=True)
class Evaluation:
    """Evaluation during training; without tasks there is none.

    Attributes:
        tasks: names of the sets of `data_dir` to evaluate on.
        every: steps from one evaluation to the next; 0 for one at the end only. There is always one at the end.
        batch_size: images or captions encoded at a time.
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
    """How the devices are arranged, see `negjax.runtime.sharding`; the axis "data" has the remaining devices.

    Attributes:
        fsdp: devices over which both parameters and batches are sharded.
        tensor: devices over which only parameters are sharded.
    """

    fsdp: int = 1
    tensor: int = 1


@dataclass(frozen=True)
class LossSpec:
    """How the losses of a large batch are computed, without changing their values.

    Attributes:
        sharded: whether each device takes its own rows of the contrastive and sigmoid losses, see `negjax.objectives`.
        chunk: rows of a device that are computed at a time, 0 for all.
        micro_batches: parts of the batch that the towers encode one after the other, so that a batch larger than memory
            has the gradient of the whole batch; see `negjax.training.gradcache`.
    """

    sharded: bool = False
    chunk: int = 0
    micro_batches: int = 1

    def __post_init__(self) -> None:
        if self.chunk < 0 or self.micro_batches < 1:
            raise NegjaxError("config.loss: chunk must not be negative, and micro_batches at least 1")


@dataclass(frozen=True)
class Logging:
    """Where metrics are written besides WORKDIR/metrics.jsonl, which is always written.

    Attributes:
        tensorboard: whether they are written to event files in WORKDIR/tensorboard.
        wandb: project of Weights & Biases, "PROJECT" or "ENTITY/PROJECT"; empty for none.
    """

    tensorboard: bool = False
    wandb: str = ""


@dataclass(frozen=True)
class Experiment:
    """All settings of a training run.

    Attributes:
        model: the model to start from.
        sources: name of a source of examples -> its settings.
        data_dir: folder of the data sets.
        steps: training steps in all.
        optim: the optimizer.
        lora: a small adapter that is trained instead of the weights of the start.
        nero: another kind of adapter.
        peakpatch: another kind of adapter.
        loss: how the losses are computed.
        mesh: how the devices are arranged.
        evaluation: tasks evaluated during training.
        logging: where metrics are written.
        seed: seed of fresh weights, of the order of the examples and of all random draws.
        log_every: steps from one line of WORKDIR/metrics.jsonl to the next.
        checkpoint_every: steps from one checkpoint to the next.
        keep: number of latest checkpoints to keep.
        most_broken: how many rows of a source with images that cannot be decoded each process replaces by other rows
            before the run stops.
    """

    model: ModelSpec
    sources: dict[str, Source]
    data_dir: str
    steps: int
    optim: Optim = field(default_factory=Optim)
    lora: LoRA = field(default_factory=LoRA)
    nero: NeRo = field(default_factory=NeRo)
    peakpatch: PeakPatch = field(default_factory=PeakPatch)
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
        check_path(self.data_dir, "config.data_dir")
        if not self.sources:
            raise NegjaxError("config.sources is empty: name at least one source of examples")
        for name, source in self.sources.items():
            if problem := source.problem():
                raise NegjaxError(f"config.sources.{name}{problem}")
            for key in source.weights:
                if objective(key).teacher_inputs and not self.model.init_from:
                    raise NegjaxError(
                        f"config.sources.{name}.{key} needs weights to start from (config.model.init_from)"
                    )
        for key in ("steps", "log_every", "checkpoint_every", "keep"):
            if getattr(self, key) < 1:
                raise NegjaxError(f"config.{key} is {getattr(self, key)}: it must be positive")
        for key in ("seed", "most_broken"):
            if getattr(self, key) < 0:
                raise NegjaxError(f"config.{key} is {getattr(self, key)}: it must not be negative")
        self._check_adapter()
        if self.optim.teacher_ema and not self.teacher_objectives:
            raise NegjaxError(
                "config.optim.teacher_ema is given, but no objective has a teacher (distill, text_contrast)"
            )
        best = self.evaluation.best
        if best and best.partition("/")[0] not in self.evaluation.tasks:
            raise NegjaxError(f"config.evaluation.best is {best!r}: it must be TASK/metric of one of evaluation.tasks")
        if not (self.model.arch or self.model.init_from):
            raise NegjaxError("config.model needs an arch, or weights to start from (init_from)")
        if self.model.activation and not self.model.init_from:
            raise NegjaxError("config.model.activation is only for init_from: remove it, fresh weights follow the arch")

    def _check_adapter(self) -> None:
        names = self.adapters
        if not names:
            return
        if len(names) > 1:
            raise NegjaxError(f"config.{names[0]} and config.{names[1]} are both given: train one adapter at a time")
        (name,) = names
        if not self.model.init_from:
            raise NegjaxError(f"config.{name} is given, but no weights to adapt (config.model.init_from)")
        if self.optim.layer_decay != 1:
            raise NegjaxError(
                f"config.optim.layer_decay is given, but an adapter (config.{name}) has no layers: leave it out"
            )
        if name == "nero":
            self._check_nero()

    def _check_nero(self) -> None:
        """NeRo only sees captions that deny something."""
        if self.teacher_objectives:
            raise NegjaxError(
                f"config.nero changes only captions that deny something, and {self.teacher_objectives[0]} holds these "
                "to the model of the start: leave that objective out"
            )
        if not any(source.has_negations for source in self.sources.values()):
            raise NegjaxError(
                "config.nero changes only captions that deny something, and no source has any: give one "
                "negated_fraction or an objective on questions or negated captions, such as mcq"
            )

    @cached_property
    def objectives(self) -> tuple[str, ...]:
        """The names of the objectives that have a weight in any source."""
        return tuple(dict.fromkeys(name for source in self.sources.values() for name in source.weights))

    @property
    def teacher_objectives(self) -> tuple[str, ...]:
        """The names of the objectives that compare with a teacher, the model that the run started from."""
        return tuple(name for name in self.objectives if objective(name).teacher_inputs)

    @property
    def adapters(self) -> tuple[str, ...]:
        """The kinds of adapters that are used: at most one of a valid experiment."""
        return tuple(name for name in ADAPTER_SETTINGS if getattr(self, name).is_used)

    @property
    def needs_start(self) -> bool:
        """Whether the steps need the parameters of the start: as the teacher, or as what an adapter belongs to."""
        return bool(self.adapters or (self.teacher_objectives and not self.optim.teacher_ema))

    @property
    def needs_logit_bias(self) -> bool:
        """Whether an objective needs the model's logit bias."""
        return any(objective(name).needs_logit_bias for name in self.objectives)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form; `config_file.build(Experiment, ...)` is its inverse."""
        return dataclasses.asdict(self)
