"""The transformer that both towers share, and how blocks are run. Shapes: B batch, T tokens, D width."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.architecture import Activation, AnyTowerConfig
from negjax.models.attention import Attention
from negjax.models.compute import Compute
from negjax.models.elementwise import LayerNorm, activate
from negjax.models.linear import Linear

_REMAT_POLICIES = {
    "none": jax.checkpoint_policies.everything_saveable,
    "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    "full": None,
}


class Block(nnx.Module):
    """Attention, then a two-layer perceptron, each after its layer norm; or, as in BERT, each sum before its norm."""

    def __init__(self, config: AnyTowerConfig, causal: bool, norm_first: bool):
        self.norm1 = LayerNorm(config.width, config.layer_norm_eps)
        self.attention = Attention(config, causal)
        self.norm2 = LayerNorm(config.width, config.layer_norm_eps)
        self.up = Linear((config.width, config.mlp_width))
        self.down = Linear((config.mlp_width, config.width))
        self.activation: Activation = config.activation
        self.norm_first = norm_first

    def __call__(self, x_BTD: jax.Array, mask_BT: jax.Array | None = None) -> jax.Array:
        """The block's output [B, T, D]. mask_BT: False for tokens that no token attends to."""
        if self.norm_first:
            x_BTD = x_BTD + self.attention(self.norm1(x_BTD), mask_BT)
            return x_BTD + self.perceptron(self.norm2(x_BTD))
        x_BTD = self.norm1(x_BTD + self.attention(x_BTD, mask_BT))
        return self.norm2(x_BTD + self.perceptron(x_BTD))

    def perceptron(self, x_BTD: jax.Array) -> jax.Array:
        """The two linear layers with the activation between them."""
        return self.down(activate(self.up(x_BTD), self.activation))


class Transformer(nnx.Module):
    """`depth` blocks, stored one by one."""

    def __init__(self, config: AnyTowerConfig, *, causal: bool, compute: Compute, norm_first: bool = True):
        self.blocks = nnx.Dict({str(i): Block(config, causal, norm_first) for i in range(config.depth)})
        self.compute = compute

    def in_order(self) -> list[Block]:
        """The blocks from first to last; the dictionary sorts "10" before "2"."""
        return in_order(self.blocks)

    def __call__(self, x_BTD: jax.Array, mask_BT: jax.Array | None = None) -> jax.Array:
        """Runs the blocks.

        Args:
            x_BTD: Input of the first block.
            mask_BT: False for tokens that no token attends to.

        Returns:
            The output of the last block, in the type of the products.
        """
        return run_blocks(self.in_order(), x_BTD.astype(self.compute.dtype), self.compute, mask_BT)


def in_order(blocks: Mapping[str, Any]) -> list[Any]:
    """Numbered modules from first to last; the dictionary sorts "10" before "2"."""
    return [blocks[str(i)] for i in range(len(blocks))]


def run_blocks(blocks: Sequence[nnx.Module], x: jax.Array, compute: Compute, *shared: Any) -> jax.Array:
    """Runs blocks of equal structure one after another.

    With `compute.scan` their parameters are stacked inside the compiled function.

    Args:
        blocks: Modules called with (x, *shared), which return an array like x; a single one may return any.
        x: Input of the first block.
        compute: What the backward pass recomputes, and whether the blocks are scanned.
        shared: Further arguments of every block.
    """
    if not blocks:
        return x
    split = [nnx.split(block) for block in blocks]
    graphdef, states = split[0][0], [state for _, state in split]

    def run(x: jax.Array, state: nnx.State) -> tuple[jax.Array, None]:
        return nnx.merge(graphdef, state)(x, *shared), None

    # A gathered kernel is not kept for the backward pass: recomputing the block gathers it again.
    sharded = any(getattr(module, "shard_axis", None) is not None for _, module in nnx.iter_modules(blocks[0]))
    if compute.remat != "none" or sharded:
        run = jax.checkpoint(run, prevent_cse=not compute.scan, policy=_REMAT_POLICIES[compute.remat])
    if compute.scan and len(states) > 1:
        return jax.lax.scan(run, x, jax.tree.map(lambda *leaves: jnp.stack(leaves), *states))[0]
    for state in states:
        x, _ = run(x, state)
    return x
