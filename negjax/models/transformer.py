"""The transformer that both towers share, and how blocks are run. Shapes: B batch, T tokens, K some of
them, D width."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.architecture import Activation, AnyTowerConfig, TextEncoderConfig, VisionConfig
from negjax.models.attention import Attention, TokenIndex, take_tokens
from negjax.models.compute import Compute
from negjax.models.elementwise import LayerNorm, activate
from negjax.models.fused_attention import Kernel
from negjax.models.linear import Linear

AfterBlock = Callable[[int, jax.Array], jax.Array]

_REMAT_POLICIES = {
    "none": jax.checkpoint_policies.everything_saveable,
    "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    "full": None,
}


class Block(nnx.Module):
    """Attention, then a perceptron, each added to its input; where the layer norms are depends on the tower."""

    def __init__(self, config: AnyTowerConfig, causal: bool, kernel: Kernel):
        self.norm1 = LayerNorm(config.width, config.layer_norm_eps)
        self.attention = Attention(config, causal, kernel)
        self.norm2 = LayerNorm(config.width, config.layer_norm_eps)
        self.up = Linear((config.width, config.mlp_width))
        self.down = Linear((config.mlp_width, config.width))
        self.form = _form(config)
        gated = self.form == "sub_norm"
        self.gate = Linear((config.width, config.mlp_width)) if gated else None
        self.norm_hidden = LayerNorm(config.mlp_width, config.layer_norm_eps) if gated else None
        self.activation: Activation = config.activation

    def __call__(self, x_BTD: jax.Array, mask_BTS: jax.Array | None = None, at: TokenIndex | None = None) -> jax.Array:
        """Runs the block.

        Args:
            x_BTD: Its input.
            mask_BTS: False for tokens that a token does not attend to; [B, 1, T] where it is the same for all of a row.
            at: The only tokens whose output is computed; all by default.

        Returns:
            The output [B, T, D]; [B, K, D] with `at`.
        """
        y_BTD = x_BTD if at is None else take_tokens(x_BTD, at)
        if self.form == "post_norm":
            y_BTD = self.norm1(y_BTD + self.attention(x_BTD, mask_BTS, at))
            return self.norm2(y_BTD + self.perceptron(y_BTD))
        if self.form == "res_post_norm":
            y_BTD = y_BTD + self.norm1(self.attention(x_BTD, mask_BTS, at))
            return y_BTD + self.norm2(self.perceptron(y_BTD))
        y_BTD = y_BTD + self.attention(self.norm1(x_BTD), mask_BTS, at)
        return y_BTD + self.perceptron(self.norm2(y_BTD))

    def perceptron(self, x_BTD: jax.Array) -> jax.Array:
        """Two linear layers with the activation between them, or three, of which it makes one a gate."""
        if self.gate and self.norm_hidden:
            return self.down(self.norm_hidden(activate(self.gate(x_BTD), self.activation) * self.up(x_BTD)))
        return self.down(activate(self.up(x_BTD), self.activation))


def _form(config: AnyTowerConfig) -> str:
    """One of `BlockForm`, or "post_norm" for BERT, whose sums are normed."""
    if isinstance(config, TextEncoderConfig):
        return "pre_norm" if config.norm_first else "post_norm"
    return config.block if isinstance(config, VisionConfig) else "pre_norm"


class Transformer(nnx.Module):
    """`depth` blocks, stored one by one."""

    def __init__(self, config: AnyTowerConfig, *, causal: bool, compute: Compute):
        self.blocks = nnx.Dict({str(i): Block(config, causal, compute.attention) for i in range(config.depth)})
        self.compute = compute

    def in_order(self) -> list[Block]:
        """The blocks from first to last; the dictionary sorts "10" before "2"."""
        return in_order(self.blocks)

    def __call__(
        self,
        x_BTD: jax.Array,
        mask_BTS: jax.Array | None = None,
        at: TokenIndex | None = None,
        after_block: AfterBlock | None = None,
    ) -> jax.Array:
        """Runs the blocks.

        Args:
            x_BTD: Input of the first block.
            mask_BTS: False for tokens that a token does not attend to; [B, 1, T] where it is the same for all of a row.
            at: The only tokens whose output is wanted, of a tower without rotary positions: the last block computes
                nothing but the keys and values of the others.
            after_block: Maps the index of a block and its output [B, T, D] to the next block's input. With it all
                tokens are computed.

        Returns:
            The output of the last block [B, T, D], [B, K, D] with `at`, in the type of the products.
        """
        blocks, x_BTD = self.in_order(), x_BTD.astype(self.compute.dtype)
        if after_block is not None:
            for index, block in enumerate(blocks):
                x_BTD = after_block(index, block(x_BTD, mask_BTS))
            return x_BTD if at is None else take_tokens(x_BTD, at)
        if at is None:
            return run_blocks(blocks, x_BTD, self.compute, mask_BTS)
        return run_blocks(
            blocks[-1:], run_blocks(blocks[:-1], x_BTD, self.compute, mask_BTS), self.compute, mask_BTS, at
        )

    def tapped(
        self, x_BTD: jax.Array, mask_BTS: jax.Array | None, at: TokenIndex, taps: Collection[int]
    ) -> tuple[jax.Array, dict[int, jax.Array]]:
        """As `__call__`, and states on the way.

        Args:
            x_BTD, mask_BTS, at: See `__call__`.
            taps: After how many blocks the states are wanted; fewer than there are.

        Returns:
            The output [B, K, D], and for each of `taps` the states of all tokens [B, T, D].
        """
        blocks, x_BTD, states, first = self.in_order(), x_BTD.astype(self.compute.dtype), {}, 0
        for tap in sorted(set(taps)):
            x_BTD = states[tap] = run_blocks(blocks[first:tap], x_BTD, self.compute, mask_BTS)
            first = tap
        x_BTD = run_blocks(blocks[first:-1], x_BTD, self.compute, mask_BTS)
        return run_blocks(blocks[-1:], x_BTD, self.compute, mask_BTS, at), states


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
    run = jax.jit(run)  # blocks of equal shapes are traced once
    for state in states:
        x, _ = run(x, state)
    return x
