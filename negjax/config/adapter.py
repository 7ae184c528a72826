"""Settings of the small adapters that are trained beside frozen weights: of each kind, none by default."""

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

    @property
    def is_used(self) -> bool:
        """Whether there is one."""
        return self.rank > 0

    def __post_init__(self) -> None:
        _check_size("lora.rank", self.rank)
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


@dataclass(frozen=True)
class NeRo:
    """A small residual on the embeddings of captions that deny something, see `negjax.adapters.nero`.

    All other captions, and all images, keep their embeddings to the bit. Such a model stays a model of negjax: other
    libraries have no place for it.

    Attributes:
        rank: the rank of the residual, 8 in NeRo-CLIP; 0 for no adapter.
    """

    rank: int = 0

    @property
    def is_used(self) -> bool:
        """Whether there is one."""
        return self.rank > 0

    def __post_init__(self) -> None:
        _check_size("nero.rank", self.rank)


@dataclass(frozen=True)
class PeakPatch:
    """A small network that corrects embeddings of captions from inside the text tower: `negjax.adapters.peakpatch`.

    Images keep their embeddings to the bit. Such a model stays a model of negjax: other libraries have no place for it.

    Attributes:
        width: of the hidden layers, 1024 in PeakPatch; 0 for no adapter.
    """

    width: int = 0

    @property
    def is_used(self) -> bool:
        """Whether there is one."""
        return self.width > 0

    def __post_init__(self) -> None:
        _check_size("peakpatch.width", self.width)


# By the names of `Experiment`'s settings, which are those of `negjax.adapters.table`.
ADAPTER_SETTINGS = {"lora": LoRA, "nero": NeRo, "peakpatch": PeakPatch}


def _check_size(setting: str, size: int) -> None:
    if size < 0:
        raise NegjaxError(f"config.{setting} is {size}: it must not be negative, and 0 is no adapter")
