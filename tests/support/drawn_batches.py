"""Batches of noise in the form that the pipeline makes them, their loss, and how close gradients are."""

from collections.abc import Mapping

import jax
import numpy as np

from negjax.config import Source
from negjax.media.images import Preprocess
from negjax.models.compute import Compute
from negjax.tokenizers.clip import END, START, VOCAB_SIZE
from negjax.training.encode import Towers, encoder_inputs, teacher_inputs
from negjax.training.gradcache import encoded
from negjax.training.losses import total_loss
from negjax.training.optimizer import paths

PREPROCESS = Preprocess(size=16)
GROUP = 4  # rows of the source "balanced" that share their options


def tokens(rng: np.random.Generator, *shape: int, length: int = 16) -> np.ndarray:
    ids = np.zeros((*shape, length), np.int32)
    for row in ids.reshape(-1, length):
        end = rng.integers(3, length)
        row[: end + 1] = [START, *rng.integers(1, VOCAB_SIZE - 2, end - 1), END]
    return ids


def draw_batch(sources: Mapping[str, Source]) -> dict:
    rng = np.random.default_rng(0)
    made = {}
    for name, source in sources.items():
        made[name] = {"image": rng.integers(256, size=(source.batch_size, 16, 16, 3), dtype=np.uint8)}
        if "text" in source.inputs:
            made[name]["text"] = tokens(rng, source.batch_size)
        if "options" in source.inputs:
            group = GROUP if name == "balanced" else 1
            made[name]["options"] = tokens(rng, source.batch_size // group, 4, length=24)
            made[name]["answer"] = rng.integers(4, size=source.batch_size).astype(np.int32)
    return made


def loss_and_metrics(params, batch, sources, config, compute: Compute = Compute(), mesh=None, teacher=None) -> tuple:
    """The loss of a batch straight through the towers, to be differentiated as a whole, and its metrics."""
    run = Towers(config, PREPROCESS, compute).encode
    taught = run(teacher, teacher_inputs(batch, sources)) if teacher else {}
    embeddings = encoded(run, params, encoder_inputs(batch, sources), mesh)
    return total_loss(params, embeddings, batch, sources=sources, teacher_embeddings=taught)


def largest(tree) -> float:
    return max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(tree))


def assert_close(tree, other, tolerance: float) -> None:
    """Differences below `tolerance` of the largest entry of each leaf (and 1e-7 of the whole tree's)."""
    floor = 1e-7 * largest(other)
    for name, a, b in zip(jax.tree.leaves(paths(other)), jax.tree.leaves(tree), jax.tree.leaves(other)):
        np.testing.assert_allclose(a, b, atol=tolerance * float(np.abs(b).max()) + floor, rtol=0, err_msg=name)
