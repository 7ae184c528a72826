"""Packed texts in a step: the same embeddings, losses and gradients as a row for each, on any devices, in any parts."""

from functools import partial

import jax
import numpy as np
import optax
import pytest
from support.drawn_batches import PREPROCESS, assert_close, draw_batch
from support.images import png

from negjax.compile import step_shapes
from negjax.config import Experiment, LossSpec, ModelSpec, Source
from negjax.datasets.stored.store import open_set, write_set
from negjax.input.pipeline import batches
from negjax.models.compute import Compute
from negjax.models.packing import assign_rows
from negjax.models.text import lengths
from negjax.runtime.mesh import make_mesh, put_batch
from negjax.runtime.sharding import state_shardings
from negjax.tokenizers.clip import Tokenizer
from negjax.training.encode import Towers
from negjax.training.guard import with_hold
from negjax.training.optimizer import trainable
from negjax.training.step import make_step, new_state
from negjax.training.text_packing import PACKED, PLANNED_STEPS, pack_step, plan_rows, text_keys

SOURCES = {
    "pairs": Source("a", 32, contrastive=0.7, distill=0.5),
    "balanced": Source("b", 64, mcq=1.3, contrastive=0.2),
}
KEEP_GRADIENTS = with_hold(optax.trace(0.0))  # an optimizer whose state is the last gradient


def padded(config, sources=SOURCES) -> dict:
    """Batches as the pipeline makes them, with lengths."""
    local = draw_batch(sources)
    for source, name in text_keys(sources):
        ids = local[source][name]
        ids = np.pad(ids, [(0, 0)] * (ids.ndim - 1) + [(0, config.text.context_length - ids.shape[-1])])
        local[source][name] = ids
        counts = lengths(config.text, ids.reshape(-1, ids.shape[-1]))
        local[source][f"{name}_lengths"] = counts.reshape(ids.shape[:-1])
    return local


def gradients(config, params, batch, mesh, micro_batches, frozen=()):
    state = new_state(params, KEEP_GRADIENTS)
    shardings = state_shardings(mesh, state)
    towers, learns = Towers(config, PREPROCESS, Compute()), trainable(params, frozen)
    loss = LossSpec(micro_batches=micro_batches)
    step = make_step(SOURCES, towers, KEEP_GRADIENTS, learns, mesh=mesh, loss=loss)
    state, batch = jax.device_put(state, shardings), put_batch(mesh, batch)
    state, metrics = jax.jit(step, out_shardings=(shardings, None))(state, batch, state["params"])
    return jax.device_get((state["opt_state"].trace, metrics))


@pytest.mark.parametrize(
    ("devices", "fsdp", "micro_batches", "frozen"),
    [(1, 1, 1, ()), (1, 1, 4, ()), (8, 2, 1, ()), (8, 1, 2, ()), (8, 1, 1, ("text/.*",))],
)
def test_gradients_and_metrics_are_those_of_texts_in_rows_of_their_own(
    config, params, devices, fsdp, micro_batches, frozen
):
    local = padded(config)
    mesh, parts = make_mesh(jax.devices()[:devices], fsdp=fsdp), devices * micro_batches
    texts = pack_step(local, SOURCES, config.text, parts, range(parts))
    groups = texts.batches[PACKED]
    assert set(groups) == {"taught", "untaught"}
    assert texts.real_tokens / texts.tokens > 0.4
    one = make_mesh(jax.devices()[:1])
    unpacked = {name: {key: batch[key] for key in batch if "_lengths" not in key} for name, batch in local.items()}
    wanted = gradients(config, params, unpacked, one, 1, frozen)
    found = gradients(config, params, texts.batches, mesh, micro_batches, frozen)
    assert_close(found[0], wanted[0], 2e-5)
    assert set(found[1]) == set(wanted[1])
    for name, value in wanted[1].items():
        assert float(found[1][name]) == pytest.approx(float(value), rel=2e-5, abs=1e-6), name


def test_hosts_pack_what_one_alone_would(config):
    """Two hosts whose parts alternate; each has its own rows of the batches, and all lengths."""
    local = padded(config)
    whole = pack_step(local, SOURCES, config.text, 4, range(4))

    def rows_of(x, chosen):
        return x.reshape(4, -1, *x.shape[1:])[chosen].reshape(-1, *x.shape[1:])

    for first in (0, 1):
        chosen = [first, first + 2]
        own = {
            source: {key: x if "_lengths" in key else rows_of(x, chosen) for key, x in batch.items()}
            for source, batch in local.items()
        }
        packed = pack_step(own, SOURCES, config.text, 4, chosen)
        wanted = jax.tree.map(partial(rows_of, chosen=chosen), whole.batches)
        jax.tree.map(np.testing.assert_array_equal, packed.batches, wanted)
        assert packed.tokens == whole.tokens / 2


def test_rows_are_those_of_the_part_with_the_longest_texts(config):
    sources = {"pairs": Source("a", 8, contrastive=1.0)}
    local = padded(config, sources)
    counts = local["pairs"]["text_lengths"].reshape(4, 2)
    rows = len(pack_step(local, sources, config.text, 4, range(4)).batches[PACKED]["untaught"].token_RT) // 4
    assert rows == max(assign_rows(each, config.text.context_length)[1] for each in counts)


def test_longer_texts_than_were_said_keep_their_end(config):
    sources = {"pairs": Source("a", 8, contrastive=1.0)}
    local = padded(config, sources)
    ids, counts = local["pairs"]["text"], local["pairs"]["text_lengths"]
    most = counts.copy()
    most[3] -= 2
    packed = pack_step(local | {"pairs": local["pairs"] | {"text_lengths": most}}, sources, config.text, 1, [0])
    rows, slot = packed.batches[PACKED]["untaught"], packed.batches["pairs"]["text"][3]
    row, end = slot // rows.end_RK.shape[1], rows.end_RK.reshape(-1)[slot]
    found = rows.token_RT[row, end - most[3] + 1 : end + 1]
    assert found.tolist() == [*ids[3, : most[3] - 1], ids[3, counts[3] - 1]]
    assert packed.lengths["pairs", "text"].tolist() == most.tolist()


def test_texts_that_are_all_taught_are_one_group(config):
    sources = {"kept": Source("a", 8, distill=1.0)}
    assert set(pack_step(padded(config, sources), sources, config.text, 1, [0]).batches[PACKED]) == {"taught"}


@pytest.mark.parametrize(("total", "enough_for", "most"), [(500, (0.99, 1.0), 1.15), (50_000, (0.5, 0.95), 1.05)])
def test_rows_are_planned_for_nearly_all_steps_of_a_short_run_and_most_of_a_long_one(config, total, enough_for, most):
    """Captions of 5 to 15 tokens, as in a context that several of them share."""
    rng, sources = np.random.default_rng(3), {"a": Source("a", 256, contrastive=1.0)}
    steps = [{"a": {"text_lengths": rng.integers(5, 16, 256)}} for _ in range(300)]
    (planned,) = plan_rows(steps[:PLANNED_STEPS], sources, config.text, 2, total).values()
    needed = [
        max(assign_rows(part_N, config.text.context_length)[1] for part_N in step["a"]["text_lengths"].reshape(2, -1))
        for step in steps
    ]
    assert enough_for[0] <= np.mean(np.array(needed) <= planned) <= enough_for[1]
    assert planned <= most * np.mean(needed)


def test_a_step_has_the_planned_rows_and_more_only_where_it_must(config):
    sources = {"pairs": Source("a", 32, contrastive=0.7)}
    local = padded(config, sources)
    alone = pack_step(local, sources, config.text, 1, [0]).batches
    rows = len(alone[PACKED]["untaught"].token_RT)
    for planned, wanted in ((2 * rows, 2 * rows), (rows, rows), (1, rows)):
        packed = pack_step(local, sources, config.text, 1, [0], {"untaught": planned}).batches
        assert len(packed[PACKED]["untaught"].token_RT) == wanted
        np.testing.assert_array_equal(packed["pairs"]["text"], alone["pairs"]["text"])
        np.testing.assert_array_equal(packed[PACKED]["untaught"].token_RT[:rows], alone[PACKED]["untaught"].token_RT)


def test_compiling_for_a_tpu_takes_shapes_that_steps_have(config, tmp_path):
    """`negjax compile` has no data; with all that a source can ask for, and captions of the whole context."""
    rows = [{"media": png(i), "captions": ["a " * 50], "options": ["b " * 50] * 4, "answer": 1} for i in range(8)]
    write_set(tmp_path, "asked", lambda: iter(rows), ["captions", "question"], {"task_kind": "train", "negated": True})
    more = {"mcq": 1.0, "distill": 1.0, "gray_scale_prob": 0.5}
    sources = {"asked": Source("asked", 8, contrastive=1.0, hard_negatives=2, **more)}
    stream = batches(
        open_set(tmp_path, "asked"),
        sources["asked"],
        preprocess=PREPROCESS,
        tokenizer=Tokenizer(config.text.context_length),
        context_length=config.text.context_length,
        with_lengths=True,
        seed=0,
        first_step=0,
        rows=range(8),
    )
    texts = pack_step({"asked": next(stream)}, sources, config.text, 8, range(8))
    experiment = Experiment(model=ModelSpec(init_from="start"), data_dir=str(tmp_path), steps=1, sources=sources)
    shapes = step_shapes(experiment, config, make_mesh(), config.text.context_length)

    def forms(tree) -> dict:
        return {jax.tree_util.keystr(path): (x.shape, x.dtype) for path, x in jax.tree.leaves_with_path(tree)}

    assert forms(shapes.batches) == forms(texts.batches)
    assert shapes.tokens == texts.tokens
