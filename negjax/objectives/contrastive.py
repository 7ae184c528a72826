"""CLIP's symmetric InfoNCE, optionally with hard negatives, in three forms with the same value and gradient."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from negjax.objectives.cosine import products, unit
from negjax.objectives.objective import LossAndMetrics, LossForm, LossInputs, Objective
from negjax.objectives.rows import map_rows
from negjax.runtime.mesh import BATCH_AXES, BATCH_SPEC, shard_map_over_batch


def contrastive_loss(
    image_BE: jax.Array,
    text_BE: jax.Array,
    logit_scale: jax.Array,
    *,
    negative_text_NE: jax.Array | None = None,
    mesh: Mesh | None = None,
    chunk: int = 0,
) -> LossAndMetrics:
    """Mean over both directions of the cross-entropy of each item against the batch; row i of both belong together.

    The forms differ in memory and communication only (memory: float32, besides the embeddings and their gradients):
    - plain: the matrix [B, B + N]. On rows spread over devices the compiler splits it: [b, B + N] for b rows a device,
      and one all-gather of the captions.
    - chunk: `chunk` images at a time against all captions, [chunk, B + N], whose products the backward pass computes
      again. For large batches on one device.
    - mesh: each device computes its b rows of both directions, [b, B + N] and [b, B], against all others: two
      all-gathers of embeddings forward, two reduce-scatters of their gradients backward. B and N must be multiples
      of the mesh's batch shards. With a chunk, [chunk, B + N].

    Source: Radford et al. 2021, figure 3; for negative_text_NE Yuksekgonul et al. 2023, section 4.

    Args:
        image_BE: embeddings of any length.
        text_BE: embeddings of any length.
        logit_scale: the factor on the cosines (not its logarithm).
        negative_text_NE: captions that are wrong for every image: when an image is compared with the batch's captions,
            they are among these; they are compared with no image themselves.
        mesh: the devices of the sharded form.
        chunk: rows at a time, 0 for all.

    Returns:
        the loss (natural logarithm) and {"accuracy": share of captions that rank their image first}.
    """
    losses = contrastive_losses(image_BE, text_BE, logit_scale, negative_text_NE, LossForm(mesh, chunk))
    to_text_B, to_image_B, first_B = losses
    return 0.5 * (to_text_B.mean() + to_image_B.mean()), {"accuracy": first_B.mean()}


def contrastive_losses(
    image_BE: jax.Array, text_BE: jax.Array, logit_scale: jax.Array, negative_text_NE: jax.Array | None, form: LossForm
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The rows that `contrastive_loss` takes the mean of, with its arguments.

    Returns:
        the loss of each image among the captions, of each caption among the images, and whether that caption ranks its
        image first; [B] each.
    """
    text_BE = unit(text_BE)
    negative_NE = text_BE[:0] if negative_text_NE is None else unit(negative_text_NE)
    if form.mesh is None:
        return _matrix_losses(image_BE, text_BE, negative_NE, logit_scale, form.chunk)
    row_losses = shard_map_over_batch(partial(_row_losses, chunk=form.chunk), form.mesh, BATCH_SPEC, BATCH_SPEC)
    return row_losses(logit_scale * unit(image_BE), text_BE, negative_NE)


def _matrix_losses(
    image_BE: jax.Array, text_BE: jax.Array, negative_NE: jax.Array, logit_scale: jax.Array, chunk: int
) -> tuple:
    """Each image's loss among captions, each caption's among images, and whether it ranks its image first."""
    B = len(image_BE)
    number_B = jnp.arange(B)

    def part(image_cE: jax.Array, number_c: jax.Array) -> tuple[tuple, tuple]:
        """Of these images: loss and right logit. Of all captions: logsumexp and best logit among these images."""
        image_cE = logit_scale * unit(image_cE)
        logits_cB, logits_cN = products(image_cE, text_BE), products(image_cE, negative_NE)
        column_1B = jax.lax.broadcasted_iota(number_c.dtype, (1, B), 1)
        right_c = jnp.sum(logits_cB, axis=1, where=column_1B == number_c[:, None])
        to_text_c = jax.nn.logsumexp(jnp.concatenate([logits_cB, logits_cN], axis=1), axis=1) - right_c
        logits_cB = jnp.where(number_c[:, None] < B, logits_cB, -jnp.inf)
        return (to_text_c, right_c), (jax.nn.logsumexp(logits_cB, axis=0), logits_cB.max(axis=0))

    if chunk:
        image_KcE, number_Kc = _in_chunks(image_BE, chunk, 0), _in_chunks(number_B, chunk, B)
        of_images, (sum_KB, best_KB) = jax.lax.map(lambda rows: jax.checkpoint(part)(*rows), (image_KcE, number_Kc))
        to_text_B, right_B = (x.reshape(-1)[:B] for x in of_images)
        sum_B, best_B = jax.nn.logsumexp(sum_KB, axis=0), best_KB.max(axis=0)
    else:
        (to_text_B, right_B), (sum_B, best_B) = part(image_BE, number_B)
    return to_text_B, sum_B - right_B, right_B >= best_B


def _in_chunks(rows: jax.Array, chunk: int, filler: int) -> jax.Array:
    """[B, ...] as [K, chunk, ...]; the last chunk is padded with `filler`."""
    missing = -len(rows) % chunk
    padded = jnp.pad(rows, [(0, missing)] + [(0, 0)] * (rows.ndim - 1), constant_values=filler)
    return padded.reshape(-1, chunk, *rows.shape[1:])


def _row_losses(image_bE: jax.Array, text_bE: jax.Array, negative_nE: jax.Array, chunk: int) -> tuple:
    """As `_matrix_losses`, for the rows of this device against those of all devices that the batch is split over."""
    caption_mE = jnp.concatenate([text_bE, negative_nE])
    caption_ME, image_BE = (jax.lax.all_gather(x, BATCH_AXES, tiled=True) for x in (caption_mE, image_bE))
    device, row_b = jax.lax.axis_index(BATCH_AXES), jnp.arange(len(image_bE))
    to_text_b, _ = _cross_entropy(image_bE, caption_ME, device * len(caption_mE) + row_b, chunk)
    to_image_b, first_b = _cross_entropy(text_bE, image_BE, device * len(image_bE) + row_b, chunk)
    return to_text_b, to_image_b, first_b


def _cross_entropy(row_bE: jax.Array, other_NE: jax.Array, right_b: jax.Array, chunk: int) -> tuple:
    """Each row's cross-entropy among the others with right answer `right_b`, and whether that ranks first."""

    def row_loss(row_E: jax.Array, number: jax.Array) -> tuple[jax.Array, jax.Array]:
        logits_N = products(row_E, other_NE)
        right = jnp.sum(logits_N, where=jnp.arange(len(other_NE)) == number)
        return jax.nn.logsumexp(logits_N) - right, right >= logits_N.max()

    return map_rows(row_loss, row_bE, right_b, chunk=chunk)


def _loss(inputs: LossInputs) -> LossAndMetrics:
    return contrastive_loss(
        inputs["image"],
        inputs["text"],
        inputs.logit_scale,
        negative_text_NE=inputs.get("negative_text"),
        mesh=inputs.form.mesh,
        chunk=inputs.form.chunk,
    )


OBJECTIVE = Objective(
    meaning="CLIP's softmax loss on an image and one caption of it, drawn for each use",
    loss=_loss,
    inputs=("image", "text"),
    optional_inputs=("negative_text",),
)
