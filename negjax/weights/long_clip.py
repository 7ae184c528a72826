"""LongCLIP (Zhang et al. 2024): OpenAI's CLIP with 248 text positions, held in two tables.

Its text tower adds rows 0 to 19 of one table and the others of a second one, so that both are one table here. Source:
github.com/beichenzbc/Long-CLIP, model/model_longclip.py.
"""

from dataclasses import replace

import numpy as np

from negjax.errors import NegjaxError
from negjax.weights.lazy_tensor import LazyTensor
from negjax.weights.tensors import TensorFile

KEPT_POSITIONS = 20  # those of CLIP itself; the others were trained
_KEPT, _TRAINED = "positional_embedding", "positional_embedding_res"


def fold_positions(opened: TensorFile, where: str) -> TensorFile:
    """LongCLIP's tensors with one table of positions, as a file in OpenAI's form, which LongCLIP's code is made from.

    Args:
        opened: Any weights file; one that is not LongCLIP's is returned as it is.
        where: Names the file in errors.

    Raises:
        NegjaxError: If the two tables differ in shape.
    """
    tensors = dict(opened.tensors)
    if _TRAINED not in tensors or _KEPT not in tensors:
        return opened
    kept, trained = tensors[_KEPT], tensors.pop(_TRAINED)
    if kept.shape != trained.shape or kept.dtype != trained.dtype:
        raise NegjaxError(
            f"{where}: {_TRAINED} is {list(trained.shape)}, {_KEPT} {list(kept.shape)}: download it again"
        )

    def load() -> np.ndarray:
        return np.concatenate([kept.load()[:KEPT_POSITIONS], trained.load()[KEPT_POSITIONS:]])

    tensors[_KEPT] = LazyTensor(kept.shape, kept.dtype, load)
    return replace(opened, tensors=tensors, openai=True)
