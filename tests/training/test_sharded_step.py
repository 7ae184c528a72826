"""Replicated, cut by FSDP and by tensors: the same losses and gradients as on one device."""

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from negjax.config import LossSpec, Optim, Source
from negjax.media.images import Preprocess
from negjax.models.compute import Compute
from negjax.runtime.collectives import collectives
from negjax.runtime.mesh import make_mesh, put_batch
from negjax.runtime.sharding import param_shards, state_shardings
from negjax.tokenizers.clip import END, START, VOCAB_SIZE
from negjax.training.encode import Towers
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


def placed_step(config, params, mesh, compute=Compute(), loss=LossSpec()) -> tuple:
    """The jitted step and the state on the mesh."""
    optimizer = make_optimizer(OPTIM, 10, params)
    state = new_state(params, optimizer)
    shardings = state_shardings(mesh, state)
    learns = trainable(params, ())
    step = jax.jit(
        make_step(SOURCES, Towers(config, Preprocess(size=16), compute), optimizer, learns, mesh=mesh, loss=loss),
        donate_argnums=0,
        out_shardings=(shardings, None),
    )
    return step, jax.device_put(state, shardings)


def run(config, params, batches, mesh, **how) -> tuple[list[dict], dict]:
    """Metrics of each step and the last parameters."""
    step, state = placed_step(config, params, mesh, **how)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    found = []
    for batch in batches:
        state, metrics = step(state, put_batch(mesh, batch))
        found.append({name: float(value) for name, value in metrics.items()})
    for leaf, sharding in zip(jax.tree.leaves(state), jax.tree.leaves(shardings)):
        assert leaf.sharding.is_equivalent_to(sharding, leaf.ndim)
    return found, jax.device_get(state["params"])


@pytest.fixture(scope="module")
def one(config, params, batches) -> tuple[list[dict], dict]:
    """On one device."""
    return run(config, params, batches, make_mesh(jax.devices()[:1]))


HARD = {"compute": Compute(remat="dots", scan=True), "loss": LossSpec(sharded=True, chunk=1, micro_batches=2)}
FULL = {"compute": Compute(remat="full")}
FORMS = [({}, {}), ({"fsdp": 4}, {}), ({"fsdp": 4}, FULL), ({"tensor": 2}, {}), ({"fsdp": 2, "tensor": 2}, {})]


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "how"), [*FORMS, ({"fsdp": 8}, HARD), ({"fsdp": 2, "tensor": 4}, HARD)], ids=str)
def test_every_mesh_gives_what_one_device_gives(config, params, batches, one, sizes, how):
    many, cut = run(config, params, batches, make_mesh(**sizes), **how)
    for a, b in zip(one[0], many):
        assert a.keys() == b.keys()
        for name in a:
            assert b[name] == pytest.approx(a[name], rel=1e-5, abs=1e-5), name
    for a, b in zip(jax.tree.leaves(one[1]), jax.tree.leaves(cut)):
        np.testing.assert_allclose(b, a, atol=3e-5)


def sent(config, params, batch, mesh, **how) -> dict[str, int]:
    """Bytes that a device sends in a step, by kind of collective."""
    step, state = placed_step(config, params, mesh, **how)
    program = step.lower(state, put_batch(mesh, batch)).compile()
    return {each.kind: each.bytes for each in collectives(program.as_text())}


@pytest.mark.slow
@pytest.mark.parametrize("micro_batches", [1, 2])
def test_fsdp_moves_parameters_and_no_activations(config, params, batches, micro_batches):
    """A block's kernels are gathered forward and backward, all else once; gradients are summed where they belong."""
    mesh = make_mesh(fsdp=8)
    moved = sent(config, params, batches[0], mesh, loss=LossSpec(micro_batches=micro_batches))
    of = param_shards(mesh, params)
    cut = jax.tree.leaves_with_path(jax.tree.map(lambda leaf, share: leaf if any(share.spec) else None, params, of))
    share = 4 * 7 / 8  # of what goes along a ring of eight
    kernels = share * sum(leaf.size for path, leaf in cut if "blocks" in jax.tree_util.keystr(path))
    others = share * sum(leaf.size for _, leaf in cut) - kernels
    whole = share * sum(leaf.size for leaf in jax.tree.leaves(params)) - kernels - others
    losses = 2 * share * 16 * config.embed_dim  # embeddings and their gradients
    # At most, for the compiler may keep kernels; a micro-batch is encoded once more before its gradient.
    gathers = 2 if micro_batches == 1 else 3 * micro_batches
    assert kernels + others <= moved["all-gather"] <= gathers * kernels + others + losses
    scattered = micro_batches * kernels + others
    assert scattered <= moved["reduce-scatter"] <= scattered + losses
    assert 2 * whole <= moved["all-reduce"] <= 2 * whole + 3 * losses
    assert moved.keys() == {"all-gather", "reduce-scatter", "all-reduce"}


@pytest.mark.slow
def test_micro_batches_send_no_more_gradients(config, params, batches):
    """Each device adds up its own, and the sum is sent once."""
    one, four = (
        sent(config, params, batches[0], make_mesh(jax.devices()[:4]), loss=LossSpec(micro_batches=m)) for m in (1, 4)
    )
    gradients = 2 * 4 * sum(leaf.size for leaf in jax.tree.leaves(params)) * 3 // 4
    assert gradients <= one["all-reduce"] < 1.1 * gradients
    assert four["all-reduce"] == pytest.approx(one["all-reduce"], rel=0.01)


def test_cut_parameters_are_really_cut(config, params):
    mesh = make_mesh(fsdp=2, tensor=2)
    placed = jax.device_put(params, state_shardings(mesh, params))
    kernel = placed["visual"]["transformer"]["blocks"]["0"]["up"]["kernel"]
    assert kernel.sharding.spec == PartitionSpec("fsdp", "tensor")
    assert kernel.addressable_shards[0].data.size * 4 == kernel.size
