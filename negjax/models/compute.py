"""How a tower is computed: number type, recomputation in the backward pass, scan over blocks, attention."""

from dataclasses import dataclass
from typing import Literal

from negjax.models.fused_attention import Kernel


@dataclass(frozen=True)
class Compute:
    """How a tower is computed, without changing what it computes.

    Attributes:
        dtype: Type of the matrix products. Parameters stay float32, and layer norms, softmax and embeddings are
            float32. With "float32", accelerators multiply in full float32 instead of rounding the factors. "float16" is
            for models that are exported: nothing trains in it.
        remat: What the backward pass recomputes instead of storing it. "none" keeps all activations; "dots" keeps
            the results of the linear layers and recomputes attention, norms and activations; "full" keeps only the
            input of each block.
        scan: Run the blocks as one `jax.lax.scan`, so that compile time does not grow with depth.
        attention: What computes attention, see `negjax.models.fused_attention`.
    """

    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    remat: Literal["none", "dots", "full"] = "none"
    scan: bool = False
    attention: Kernel = "xla"
