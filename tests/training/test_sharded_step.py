"""Replicated, cut by FSDP and by tensors: the same losses and gradients as on one device."""

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from negjax.config import Optim, Source
from negjax.media.images import Preprocess
from negjax.models.layers import Compute
from negjax.runtime.mesh import batch_shards, make_mesh, put_batch
from negjax.runtime.sharding import state_shardings
from negjax.tokenizer import END, START, VOCAB_SIZE
from negjax.training.optimizer import make_optimizer, trainable
from negjax.training.step import make_step, new_state

SOURCES = {"pairs": Source("a", 16, contrastive=0.7, sigmoid=0.3), "questions": Source("b", 16, mcq=1.3)}
OPTIM = Optim(learning_rate=1e-3)


@pytest.fixture(scope="module")
def batches() -> list[dict]:
    rng = np.random.default_rng(0)

    def tokens(*shape: int) -> np.ndarray:
        ids = rng.integers(1, VOCAB_SIZE - 2, size=(*shape, 12)).astype(np.int32)
        ids[..., 0], ids[..., -1] = START, END
        return ids

    def images() -> np.ndarray:
        return rng.integers(256, size=(16, 16, 16, 3), dtype=np.uint8)

    return [
        {
            "pairs": {"image": images(), "text": tokens(16)},
            "questions": {"image": images(), "options": tokens(16, 4), "answer": rng.integers(4, size=16)},
        }
        for _ in range(4)
    ]


def run(config, params, batches, mesh) -> tuple[list[dict], dict]:
    """Metrics of each step and the last parameters."""
    optimizer = make_optimizer(OPTIM, 10, params)
    state = new_state(params, optimizer)
    shardings = state_shardings(mesh, state)
    shards = batch_shards(mesh)
    learns = trainable(params, ())
    step = jax.jit(
        make_step(SOURCES, config, Preprocess(size=16), Compute(), optimizer, learns, shards),
        donate_argnums=0,
        out_shardings=(shardings, None),
    )
    state, found = jax.device_put(state, shardings), []
    for batch in batches:
        state, metrics = step(state, put_batch(mesh, batch))
        found.append({name: float(value) for name, value in metrics.items()})
    for leaf, sharding in zip(jax.tree.leaves(state), jax.tree.leaves(shardings)):
        assert leaf.sharding.is_equivalent_to(sharding, leaf.ndim)
    return found, jax.device_get(state["params"])


@pytest.mark.parametrize("sizes", [{}, {"fsdp": 4}, {"tensor": 2}, {"fsdp": 2, "tensor": 2}], ids=str)
def test_every_mesh_gives_what_one_device_gives(config, params, batches, sizes):
    one, weights = run(config, params, batches, make_mesh(jax.devices()[:1]))
    many, cut = run(config, params, batches, make_mesh(**sizes))
    for a, b in zip(one, many):
        assert a.keys() == b.keys()
        for name in a:
            assert b[name] == pytest.approx(a[name], rel=1e-5, abs=1e-5), name
    for a, b in zip(jax.tree.leaves(weights), jax.tree.leaves(cut)):
        np.testing.assert_allclose(b, a, atol=3e-5)


def test_cut_parameters_are_really_cut(config, params):
    mesh = make_mesh(fsdp=2, tensor=2)
    placed = jax.device_put(params, state_shardings(mesh, params))
    kernel = placed["visual"]["transformer"]["blocks"]["0"]["up"]["kernel"]
    assert kernel.sharding.spec == PartitionSpec("fsdp", "tensor")
    assert kernel.addressable_shards[0].data.size * 4 == kernel.size
