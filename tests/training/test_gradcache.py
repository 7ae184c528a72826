"""Gradients of a batch in parts: those of the whole batch, on one device and on eight, in less memory."""

import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.drawn_batches import PREPROCESS, assert_close, draw_batch, tokens

from negjax.config import LossSpec, Source
from negjax.errors import NegjaxError
from negjax.models.compute import Compute
from negjax.runtime.mesh import make_mesh, put_batch, replicated
from negjax.runtime.sharding import state_shardings
from negjax.training.encode import Towers
from negjax.training.guard import with_hold
from negjax.training.optimizer import trainable
from negjax.training.step import make_step, new_state

SOURCES = {
    "pairs": Source("a", 32, contrastive=0.7, sigmoid=0.3),
    "balanced": Source("b", 64, mcq=1.3, contrastive=0.2),
}
KEEP_GRADIENTS = with_hold(optax.trace(0.0))  # an optimizer whose state is the last gradient


@pytest.fixture(scope="module")
def batch() -> dict:
    return draw_batch(SOURCES)


def step_of(config, params, *, sources=SOURCES, mesh=None, freeze: tuple[str, ...] = (), compute=Compute(), **how):
    learns, towers = trainable(params, freeze), Towers(config, PREPROCESS, compute)
    step = make_step(sources, towers, KEEP_GRADIENTS, learns, mesh=mesh, loss=LossSpec(**how))
    return jax.jit(step)


def gradients(step, params, batch):
    state, metrics = step(new_state(params, KEEP_GRADIENTS), batch)
    return jax.device_get((state["opt_state"].trace, metrics))


def assert_gradients_and_metrics(found, wanted) -> None:
    assert_close(found[0], wanted[0], 1e-5)
    assert {name: float(x) for name, x in found[1].items()} == pytest.approx(
        {name: float(x) for name, x in wanted[1].items()}, rel=1e-5
    )


@pytest.fixture(scope="module")
def whole(config, params, batch):
    """Gradients and metrics of the whole batch on one device."""
    return gradients(step_of(config, params), params, batch)


@pytest.mark.parametrize("micro_batches", [2, 16])
def test_micro_batches_give_the_gradients_of_the_whole_batch(config, params, batch, whole, micro_batches):
    assert_gradients_and_metrics(gradients(step_of(config, params, micro_batches=micro_batches), params, batch), whole)
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(whole[0]))
    assert whole[0]["logit_scale"] != 0
    assert whole[0]["logit_bias"] != 0


@pytest.mark.slow
def test_hard_negatives_count(config, params, batch, whole):
    """Two for each image of one of the sources."""
    harder = {**batch, "pairs": {**batch["pairs"], "negative_text": tokens(np.random.default_rng(1), 64)}}
    sources = SOURCES | {"pairs": replace(SOURCES["pairs"], hard_negatives=2)}
    at_once, in_parts = (
        gradients(step_of(config, params, sources=sources, micro_batches=m), params, harder) for m in (1, 2)
    )
    assert_gradients_and_metrics(in_parts, at_once)
    assert at_once[1]["pairs/contrastive"] > whole[1]["pairs/contrastive"] + 0.1
    assert at_once[1]["pairs/sigmoid"] == pytest.approx(whole[1]["pairs/sigmoid"], rel=1e-5)


def test_what_is_frozen_has_no_gradient(config, params, batch, whole):
    grads, _ = gradients(step_of(config, params, micro_batches=2, freeze=("visual/.*",)), params, batch)
    assert not any(leaf.any() for leaf in jax.tree.leaves(grads["visual"]))
    assert_close(grads["text"], whole[0]["text"], 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("form", [{}, {"sharded": True, "chunk": 3}], ids=["plain losses", "sharded losses"])
def test_eight_devices_cut_within_their_own_rows(config, params, batch, whole, form):
    mesh = make_mesh()
    step = step_of(config, params, mesh=mesh, micro_batches=2, **form)
    state = jax.device_put(new_state(params, KEEP_GRADIENTS), replicated(mesh))
    program = step.lower(state, put_batch(mesh, batch)).compile()
    assert_gradients_and_metrics(
        gradients(program, jax.device_put(params, replicated(mesh)), put_batch(mesh, batch)), whole
    )
    # Pixels and tokens stay where they are: the losses alone send embeddings, and a number for each.
    text, width = program.as_text(), config.embed_dim
    sent = re.findall(r"= (\w+\[[\d,]*\])\S* (?:all-gather|all-to-all|collective-permute)\(", text)
    assert sent
    assert not [shape for shape in sent if not re.fullmatch(rf"f32\[(\d+,{width}|{width},\d+|\d+)\]", shape)]
    assert bool(re.search(" (all-to-all|collective-permute)", text)) == bool(form)  # the sigmoid loss's ring


FREEZE = ("visual/transformer/blocks/0/.*", "text/tokens", "logit_scale")


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "reference"), [("float32", None), ("bfloat16", make_mesh())], ids=["f32", "bf16"])
def test_cut_parameters_and_frozen_ones(config, params, batch, dtype, reference):
    """As on one device; in bfloat16, where 8 rows are not rounded as 64 are, as on eight that have all parameters."""
    mesh, compute = make_mesh(fsdp=4), Compute(dtype=dtype, remat="full", scan=True)
    cut = jax.device_put(params, state_shardings(mesh, params))
    step = step_of(config, params, mesh=mesh, freeze=FREEZE, compute=compute, sharded=True, micro_batches=2)
    found = gradients(step, cut, put_batch(mesh, batch))
    if reference:
        params, batch = jax.device_put(params, replicated(reference)), put_batch(reference, batch)
    wanted = gradients(step_of(config, params, mesh=reference, freeze=FREEZE, compute=compute), params, batch)
    assert_close(found[0], wanted[0], 1e-5)
    assert not any(leaf.any() for leaf in jax.tree.leaves(found[0]["visual"]["transformer"]["blocks"]["0"]))
    assert not found[0]["text"]["tokens"].any()
    assert found[0]["visual"]["transformer"]["blocks"]["1"]["up"]["kernel"].any()


@pytest.mark.slow
def test_memory_falls_with_the_number_of_micro_batches(config, params):
    """On shapes alone: a batch of 3,072 rows, with chunked losses."""

    def large(x):
        return jax.ShapeDtypeStruct((32 * len(x), *x.shape[1:]), x.dtype)

    batch = jax.tree.map(large, draw_batch(SOURCES))
    state = jax.eval_shape(lambda: new_state(jax.tree.map(jnp.asarray, params), KEEP_GRADIENTS))
    used = []
    for micro_batches in (1, 4, 16):
        program = step_of(config, params, chunk=64, micro_batches=micro_batches).lower(state, batch).compile()
        used.append(program.memory_analysis().temp_size_in_bytes)
    assert used[1] < 0.4 * used[0]
    assert used[2] < 0.4 * used[1]


def test_rows_that_cannot_be_cut(config, params, batch):
    step = step_of(config, params, mesh=make_mesh(), micro_batches=4)
    said = r"\('balanced', 'options'\).* has 16 rows, not divisible by 8 devices x 4 micro-batches"
    with pytest.raises(NegjaxError, match=said):
        step.lower(new_state(params, KEEP_GRADIENTS), batch)
