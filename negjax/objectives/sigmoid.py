"""SigLIP's sigmoid loss, in three forms with the same value and gradient."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from negjax.objectives.cosine import products, unit
from negjax.objectives.objective import LossAndMetrics, LossInputs, Objective
from negjax.objectives.rows import map_rows
from negjax.runtime.mesh import BATCH_AXES, BATCH_SPEC, shard_map_over_batch


def sigmoid_loss(
    image_BE: jax.Array,
    text_BE: jax.Array,
    logit_scale: jax.Array,
    logit_bias: jax.Array,
    *,
    mesh: Mesh | None = None,
    chunk: int = 0,
) -> LossAndMetrics:
    """Every pair of the batch as a yes-or-no question; row i of both belong together.

    The forms differ in memory and communication only (memory: float32, besides the embeddings and their gradients):
    - plain: the matrix [B, B]. On rows spread over devices the compiler splits it: [b, B] for b rows a device, and
      one all-gather of the images.
    - chunk: `chunk` captions at a time against all images, [chunk, B], whose products the backward pass computes again.
    - mesh: a ring. Each device keeps its b captions while the images, and in training their gradients, are passed on
      by permutes between neighbours, one hop for each device: [b, b] and never more than b images at once. B must be a
      multiple of the mesh's batch shards. With a chunk, [chunk, b].

    Source: Zhai et al. 2023, algorithm 1 and section 3.3.

    Args:
        image_BE: embeddings of any length.
        text_BE: embeddings of any length.
        logit_scale: the learned factor on the cosines (not its logarithm); SigLIP starts it at 10.
        logit_bias: learned and added to the logits; SigLIP starts it at -10.
        mesh: the devices of the sharded form.
        chunk: rows at a time, 0 for all.

    Returns:
        the sum over pairs divided by B (natural logarithm), and {"accuracy"} as `contrastive_loss` has it.
    """
    image_BE = logit_scale * unit(image_BE)
    bias_B = jnp.broadcast_to(logit_bias, len(text_BE))
    if mesh is not None:
        ring = shard_map_over_batch(partial(_ring, chunk), mesh, BATCH_SPEC, (PartitionSpec(), BATCH_SPEC))
        loss, first_B = ring(text_BE, bias_B, image_BE)
    else:
        loss_B, right_B, best_B = _block(text_BE, bias_B, image_BE, jnp.arange(len(text_BE)), chunk)
        loss, first_B = loss_B.sum(), right_B >= best_B
    return loss / len(text_BE), {"accuracy": first_B.mean()}


def _block(text_bE: jax.Array, bias_b: jax.Array, image_nE: jax.Array, right_b: jax.Array, chunk: int) -> tuple:
    """Each caption's loss on these images, the logit of the image of that number (0 if it is none), and the best."""

    def caption_loss(text_E: jax.Array, bias: jax.Array, number: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        logits_n = products(unit(text_E), image_nE) + bias
        right_n = jnp.arange(len(image_nE)) == number
        loss = -jnp.sum(jax.nn.log_sigmoid(jnp.where(right_n, logits_n, -logits_n)))
        return loss, jnp.sum(logits_n, where=right_n), logits_n.max()

    return map_rows(caption_loss, text_bE, bias_b, right_b, chunk=chunk)


def _ring_with_gradients(chunk: int, text_bE: jax.Array, bias_b: jax.Array, image_bE: jax.Array) -> tuple:
    """The sum over all pairs of all devices, and whether this device's captions rank their images first; gradients.

    The gradients are computed in the same round: a separate backward pass would need all images of the batch in memory.
    The gradient of the images is passed on with them, and is complete when they have returned to their device.
    """
    devices, b = jax.lax.axis_size(BATCH_AXES), len(text_bE)
    to_next = [(i, (i + 1) % devices) for i in range(devices)]

    def hop(carry: tuple, number: jax.Array) -> tuple[tuple, None]:
        (image_bE, d_image_bE), (d_text_bE, d_bias_b), (loss, right_b, best_b) = carry

        def block(text_bE: jax.Array, bias_b: jax.Array, image_bE: jax.Array) -> tuple:
            loss_b, *ranks = _block(text_bE, bias_b, image_bE, jnp.where(number == 0, jnp.arange(b), -1), chunk)
            return loss_b.sum(), ranks

        (more, (right_more_b, best_more_b)), grads = jax.value_and_grad(block, argnums=(0, 1, 2), has_aux=True)(
            text_bE, bias_b, image_bE
        )
        travelling = jax.lax.ppermute((image_bE, d_image_bE + grads[2]), BATCH_AXES, to_next)
        staying = d_text_bE + grads[0], d_bias_b + grads[1]
        return (travelling, staying, (loss + more, right_b + right_more_b, jnp.maximum(best_b, best_more_b))), None

    none = jnp.zeros_like(image_bE), jnp.zeros_like(text_bE), jnp.zeros_like(bias_b)
    start = (image_bE, none[0]), none[1:], (jnp.zeros_like(bias_b[0]), none[2], jnp.full_like(bias_b, -jnp.inf))
    ((_, d_image_bE), staying, (loss, right_b, best_b)), _ = jax.lax.scan(hop, start, jnp.arange(devices))
    return (jax.lax.psum(loss, BATCH_AXES), right_b >= best_b), (*staying, d_image_bE)


def _scaled_gradients(chunk: int, grads: tuple, cotangents: tuple) -> tuple:
    return tuple(cotangents[0] * grad for grad in grads)


def _ring_value(*arguments) -> tuple:
    """The value alone; the compiler removes the gradients."""
    return _ring_with_gradients(*arguments)[0]


_ring = jax.custom_vjp(_ring_value, nondiff_argnums=(0,))
_ring.defvjp(_ring_with_gradients, _scaled_gradients)


def _loss(inputs: LossInputs) -> LossAndMetrics:
    assert inputs.logit_bias is not None  # checked before the run: needs_logit_bias
    return sigmoid_loss(
        inputs["image"],
        inputs["text"],
        inputs.logit_scale,
        inputs.logit_bias,
        mesh=inputs.form.mesh,
        chunk=inputs.form.chunk,
    )


OBJECTIVE = Objective(
    meaning="SigLIP's sigmoid loss on an image and one caption of it, drawn for each use",
    loss=_loss,
    inputs=("image", "text"),
    needs_logit_bias=True,
)
