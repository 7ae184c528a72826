"""Settings of a small adapter that is trained beside frozen weights."""

import math
import re
from dataclasses import dataclass

from negjax.errors import NegjaxError


@dataclass(frozen=True)
class LoRA:
    """Low-rank additions to matrices of the model, which is frozen otherwise; see `negjax.adapters.lora`.

    Checkpoints hold the adapter alone, and name the weights that it belongs to by a hash.

    Attributes:
        rank: the rank of what is added to a matrix; 0 for no adapter, so that the weights themselves are trained.
        alpha: what is added is multiplied by alpha / rank.
        matrices: patterns of the paths of the kernels that get an adapter, such as
            "(visual|text)/.*/(qkv|out|up|down)/kernel".
        dora: whether the length of each column of a matrix is learned apart from its direction (DoRA).
    """

    rank: int = 0
    alpha: float = 8.0
    matrices: tuple[str, ...] = ("text/transformer/.*/kernel",)
    dora: bool = False

    def __post_init__(self) -> None:
        if self.rank < 0:
            raise NegjaxError(f"config.lora.rank is {self.rank}: it must not be negative, and 0 is no adapter")
        if not 0 < self.alpha < math.inf:
            raise NegjaxError(f"config.lora.alpha is {self.alpha}: it must be positive and finite")
        if not self.matrices:
            raise NegjaxError("config.lora.matrices is empty: give a pattern of the paths of kernels")
        for pattern in self.matrices:
            try:
                re.compile(pattern)
            except re.error as error:
                raise NegjaxError(
                    f"config.lora.matrices: {pattern!r} is not a valid regular expression ({error})"
                ) from error
