"""The optimizer's settings."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from negjax.errors import NegjaxError

# The settings that only some optimizers have, with their usual values.
OPTIMIZERS = {
    "adamw": {"b1": 0.9, "b2": 0.98, "eps": 1e-6},
    "lion": {"b1": 0.9, "b2": 0.99},
    "adafactor": {"b1": 0.9, "b2": 0.999, "eps": 1e-30},
    "muon": {"momentum": 0.95, "b1": 0.9, "b2": 0.98, "eps": 1e-6},
    "sgd": {"momentum": 0.9},
}


@dataclass(frozen=True)
class Optim:
    """How the parameters are updated; by default AdamW with a linear warm-up and a cosine to zero.

    Attributes:
        learning_rate: the peak learning rate, after the warm-up.
        name: the optimizer, see `negjax.training.optimizer`.
        schedule: learning rate after the linear warm-up from 0: "cosine" or "linear" to 0 at the last step, or
            "constant".
        warmup_steps: steps of the warm-up.
        weight_decay: decoupled and multiplied by the learning rate; not applied to biases, norms, the class token and
            the logit scale (fewer than two axes).
        b1: decay of the first moment; None for the optimizer's usual value (AdamW's are open_clip's). A value for an
            optimizer that has no such setting is an error, as for `b2`, `eps` and `momentum`.
        b2: decay of the second moment (the optimizer's own meaning for others than AdamW); None for the usual value.
        eps: the number added to the denominator; None for the usual value.
        momentum: of "muon" and "sgd"; None for the usual value.
        clip_norm: largest global norm of the gradient, 0 for no limit.
        freeze: patterns of parameter paths ("visual/.*") that are not trained.
        lr_factors: pairs of a pattern of parameter paths and a factor of their learning rate; the first pattern that
            matches counts, and the factor of other paths is 1.
        layer_decay: factor of the learning rate for each layer from the top of its tower down, the embeddings being the
            last; 1 for none.
        ema: decay of the running average of the parameters that `negjax eval --ema` reads, 0 for none.
        teacher_ema: decay of the running average of the parameters that objectives with a teacher compare with (0.9996
            in DeGLA); 0 for a teacher that stays the model of the start. Unlike `ema` it has no warm-up.
        on_bad_step: what to do when the loss or the norm of the gradient is not finite, or when that norm is more than
            `spike_factor` times its running median: "stop" the run, "skip" the update, or "roll_back" to the last
            checkpoint and continue with the batch after the bad one.
        spike_factor: see `on_bad_step`; 0 for no limit.
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
    teacher_ema: float = 0.0
    on_bad_step: Literal["stop", "skip", "roll_back"] = "stop"
    spike_factor: float = 0.0

    def __post_init__(self) -> None:
        usual = OPTIMIZERS[self.name]
        for key in ("b1", "b2", "eps", "momentum"):
            if getattr(self, key) is None:
                object.__setattr__(self, key, usual.get(key))
            elif key not in usual:
                settings = ", ".join(usual)
                raise NegjaxError(f"config.optim.{key} is given, but {self.name} has only {settings}: leave it out")
        self._check_numbers()
        self._check_patterns()

    def _check_numbers(self) -> None:
        for key in ("learning_rate", "eps"):
            if getattr(self, key) is not None and not 0 < getattr(self, key) < math.inf:
                raise NegjaxError(f"config.optim.{key} is {getattr(self, key)}: it must be positive and finite")
        for key in ("warmup_steps", "weight_decay", "clip_norm"):
            if not getattr(self, key) >= 0:
                raise NegjaxError(f"config.optim.{key} is {getattr(self, key)}: it must not be negative")
        for key in ("b1", "b2", "momentum", "ema", "teacher_ema"):
            if getattr(self, key) is not None and not 0 <= getattr(self, key) < 1:
                raise NegjaxError(f"config.optim.{key} is {getattr(self, key)}: it must be at least 0 and below 1")
        if not 0 < self.layer_decay <= 1:
            raise NegjaxError(f"config.optim.layer_decay is {self.layer_decay}: it must be above 0 and at most 1")
        if self.spike_factor and not self.spike_factor > 1:
            raise NegjaxError(f"config.optim.spike_factor is {self.spike_factor}: it must be above 1, or 0 for none")

    def _check_patterns(self) -> None:
        for pattern, factor in self.lr_factors:
            if not 0 < factor < math.inf:
                raise NegjaxError(
                    f"config.optim.lr_factors: {pattern!r} has {factor}: it must be positive and finite (see freeze)"
                )
        patterns = [("freeze", pattern) for pattern in self.freeze]
        patterns += [("lr_factors", pattern) for pattern, _ in self.lr_factors]
        for key, pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                message = f"config.optim.{key}: {pattern!r} is not a valid regular expression ({error})"
                raise NegjaxError(message) from error
