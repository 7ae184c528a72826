"""SigLIP's sigmoid loss, in three forms that give the same value and gradient."""

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from negjax.objectives.cosine import products, unit
from negjax.objectives.rows import batch_axes, each_row, on_each_device


def sigmoid_loss(
    image_BE: jax.Array,
    text_BE: jax.Array,
    logit_scale: jax.Array,
    logit_bias: jax.Array,
    *,
    mesh: Mesh | None = None,
    chunk: int = 0,
) -> tuple[jax.Array, dict]:
    """Every pair of the batch as a yes-or-no question; row i of both belong together.

    image_BE, text_BE: embeddings of any length. logit_scale (a factor) and logit_bias are learned; SigLIP starts
    them at 10 and -10. Returns the sum over pairs divided by B (natural logarithm), and {"accuracy"} as InfoNCE does.

    The form is a matter of memory and communication alone (memory: float32, beside the embeddings and their gradients):
    - as it is: the matrix [B, B]. On rows spread over devices the compiler splits it: [b, B] for b rows a device, and
      one all-gather of the images.
    - chunk: `chunk` captions at a time against all images, [chunk, B], whose products the backward pass computes anew.
    - mesh: a ring. Each device keeps its b captions while the images, and in training their gradients, go round by
      permutes between neighbours, one hop for each device: [b, b] and never more than b images at once. B must be a
      multiple of the mesh's batch shards. With a chunk, [chunk, b].

    Source: Zhai et al. 2023, algorithm 1 and section 3.3.
    """
    image_BE = logit_scale * unit(image_BE)
    bias_B = jnp.broadcast_to(logit_bias, len(text_BE))
    if mesh is not None:
        axes = batch_axes(mesh)

        def own(text_bE: jax.Array, bias_b: jax.Array, image_bE: jax.Array) -> tuple:
            return _ring(axes, chunk, text_bE, bias_b, image_bE)

        loss, first_B = on_each_device(own, mesh, (PartitionSpec(), PartitionSpec(axes)), text_BE, bias_B, image_BE)
    else:
        loss_B, right_B, best_B = _block(text_BE, bias_B, image_BE, jnp.arange(len(text_BE)), chunk)
        loss, first_B = loss_B.sum(), right_B >= best_B
    return loss / len(text_BE), {"accuracy": first_B.mean()}


def _block(text_bE: jax.Array, bias_b: jax.Array, image_nE: jax.Array, right_b: jax.Array, chunk: int) -> tuple:
    """Each caption's loss on these images, the logit of the image of that number (0 if it is none), and the best."""

    def one(text_E: jax.Array, bias: jax.Array, number: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        logits_n = products(unit(text_E), image_nE) + bias
        right_n = jnp.arange(len(image_nE)) == number
        loss = -jnp.sum(jax.nn.log_sigmoid(jnp.where(right_n, logits_n, -logits_n)))
        return loss, jnp.sum(logits_n, where=right_n), logits_n.max()

    return each_row(one, text_bE, bias_b, right_b, chunk=chunk)


def _ring_with_gradients(
    axes: tuple[str, ...], chunk: int, text_bE: jax.Array, bias_b: jax.Array, image_bE: jax.Array
) -> tuple:
    """The sum over all pairs of all devices, and whether this device's captions rank their images first; gradients.

    These come in the same round, for to keep what a backward pass needs is to keep all images of the batch. The
    gradient of the images travels along with them, and is complete when they are home.
    """
    devices, b = jax.lax.axis_size(axes), len(text_bE)
    to_next = [(i, (i + 1) % devices) for i in range(devices)]

    def meet(carry: tuple, hop: jax.Array) -> tuple[tuple, None]:
        (image_bE, d_image_bE), (d_text_bE, d_bias_b), (loss, right_b, best_b) = carry

        def block(text_bE: jax.Array, bias_b: jax.Array, image_bE: jax.Array) -> tuple:
            loss_b, *ranks = _block(text_bE, bias_b, image_bE, jnp.where(hop == 0, jnp.arange(b), -1), chunk)
            return loss_b.sum(), ranks

        (more, (right_more_b, best_more_b)), grads = jax.value_and_grad(block, argnums=(0, 1, 2), has_aux=True)(
            text_bE, bias_b, image_bE
        )
        travelling = jax.lax.ppermute((image_bE, d_image_bE + grads[2]), axes, to_next)
        staying = d_text_bE + grads[0], d_bias_b + grads[1]
        return (travelling, staying, (loss + more, right_b + right_more_b, jnp.maximum(best_b, best_more_b))), None

    none = jnp.zeros_like(image_bE), jnp.zeros_like(text_bE), jnp.zeros_like(bias_b)
    start = (image_bE, none[0]), none[1:], (jnp.zeros_like(bias_b[0]), none[2], jnp.full_like(bias_b, -jnp.inf))
    ((_, d_image_bE), staying, (loss, right_b, best_b)), _ = jax.lax.scan(meet, start, jnp.arange(devices))
    return (jax.lax.psum(loss, axes), right_b >= best_b), (*staying, d_image_bE)


def _scaled_gradients(axes: tuple[str, ...], chunk: int, grads: tuple, cotangents: tuple) -> tuple:
    return tuple(cotangents[0] * grad for grad in grads)


def _ring_alone(*arguments) -> tuple:
    """Value without gradients, which the compiler drops."""
    return _ring_with_gradients(*arguments)[0]


_ring = jax.custom_vjp(_ring_alone, nondiff_argnums=(0, 1))
_ring.defvjp(_ring_with_gradients, _scaled_gradients)
