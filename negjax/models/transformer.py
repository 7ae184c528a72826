"""The transformer that both towers share. Shapes: B batch, T tokens, D width."""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.architecture import Activation, TextConfig, TextEncoderConfig, VisionConfig
from negjax.models.attention import Attention
from negjax.models.compute import Compute
from negjax.models.elementwise import LayerNorm, activate
from negjax.models.linear import Linear

_REMAT_POLICIES = {
    "none": jax.checkpoint_policies.everything_saveable,
    "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    "full": None,
}


AnyTowerConfig = VisionConfig | TextConfig | TextEncoderConfig


class Block(nnx.Module):
    """Attention, then a two-layer perceptron, each after its layer norm; or, as in BERT, each sum before its norm."""

    def __init__(self, config: AnyTowerConfig, causal: bool, norm_first: bool):
        self.norm1 = LayerNorm(config.width, config.layer_norm_eps)
        self.attention = Attention(config.width, config.heads, causal)
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
    """`depth` blocks, stored one by one; with `compute.scan` they are stacked inside the compiled function."""

    def __init__(self, config: AnyTowerConfig, *, causal: bool, compute: Compute, norm_first: bool = True):
        self.blocks = nnx.Dict({str(i): Block(config, causal, norm_first) for i in range(config.depth)})
        self.depth = config.depth
        self.compute = compute

    def in_order(self) -> list[Block]:
        """The blocks from first to last; the dictionary sorts "10" before "2"."""
        return [self.blocks[str(i)] for i in range(self.depth)]

    def __call__(self, x_BTD: jax.Array, mask_BT: jax.Array | None = None) -> jax.Array:
        """The last block's output [B, T, D]. mask_BT: False for tokens that no token attends to."""
        x_BTD = x_BTD.astype(self.compute.dtype)
        split = [nnx.split(block) for block in self.in_order()]
        graphdef, states = split[0][0], [state for _, state in split]

        def run(x: jax.Array, state: nnx.State) -> tuple[jax.Array, None]:
            return nnx.merge(graphdef, state)(x, mask_BT), None

        # A gathered kernel is not kept for the backward pass: recomputing the block gathers it again.
        sharded = self.in_order()[0].up.shard_axis is not None
        if self.compute.remat != "none" or sharded:
            run = jax.checkpoint(run, prevent_cse=not self.compute.scan, policy=_REMAT_POLICIES[self.compute.remat])
        if self.compute.scan:
            return jax.lax.scan(run, x_BTD, jax.tree.map(lambda *leaves: jnp.stack(leaves), *states))[0]
        for state in states:
            x_BTD, _ = run(x_BTD, state)
        return x_BTD
