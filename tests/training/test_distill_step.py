"""Distillation in the step and in a run: the start is kept to, on any mesh, in parts, and after a restart."""

import dataclasses
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from support.drawn_batches import PREPROCESS, assert_close, draw_batch, largest, loss_and_metrics
from support.metrics import logged_lines
from support.trees import unit

from negjax.config import Experiment, LossSpec, MeshSpec, ModelSpec, Optim, Source
from negjax.errors import NegjaxError
from negjax.media.images import normalise
from negjax.models import clip
from negjax.models.compute import Compute
from negjax.models.init import init_params
from negjax.runtime.checkpoint import Checkpoints
from negjax.runtime.mesh import make_mesh, put_batch
from negjax.runtime.sharding import state_shardings
from negjax.training.encode import Towers
from negjax.training.guard import with_hold
from negjax.training.loop import train
from negjax.training.optimizer import trainable
from negjax.training.prepare import prepare_run
from negjax.training.step import make_step, new_state

SOURCES = {
    "kept": Source("a", 16, distill=2.0),
    "both": Source("b", 16, contrastive=0.7, distill=0.5),
    "pairs": Source("c", 16, contrastive=1.0),
}
KEEP_GRADIENTS = with_hold(optax.trace(0.0))  # an optimizer whose state is the last gradient


@pytest.fixture(scope="module")
def batch() -> dict:
    return draw_batch(SOURCES)


@pytest.fixture(scope="module")
def teacher(config, params) -> dict:
    rng = np.random.default_rng(3)
    return jax.tree.map(lambda p: np.float32(p + 0.05 * rng.normal(size=p.shape)), params)


def gradients(config, params, teacher, batch, mesh=None, freeze=(), micro_batches=1):
    """Gradients and metrics of a step, by way of the step."""
    mesh = mesh or make_mesh(jax.devices()[:1])
    state = new_state(jax.tree.map(jnp.asarray, params), KEEP_GRADIENTS)
    shardings = state_shardings(mesh, state)
    learns = trainable(params, freeze)
    loss = LossSpec(micro_batches=micro_batches)
    step = make_step(SOURCES, Towers(config, PREPROCESS, Compute()), KEEP_GRADIENTS, learns, mesh=mesh, loss=loss)
    jitted = jax.jit(step, donate_argnums=0, out_shardings=(shardings, None))
    placed = jax.device_put(jax.device_get(state), shardings), put_batch(mesh, batch)
    kept = jax.device_put(teacher, shardings["params"])
    state, metrics = jitted(*placed, kept)
    for before, after in zip(jax.tree.leaves(teacher), jax.tree.leaves(kept)):
        np.testing.assert_array_equal(before, after)  # not given away
    return jax.device_get((state["opt_state"].trace, metrics))


@pytest.fixture(scope="module")
def whole(config, params, teacher, batch):
    return gradients(config, params, teacher, batch)


def test_the_loss_is_numpys_on_the_embeddings_of_both_models(config, params, teacher, batch, whole):
    @jax.jit
    def towers(of, part):
        image = clip.encode_image(config, of, normalise(part["image"], PREPROCESS))
        return image, clip.encode_text(config, of, part["text"])

    def embeddings(of, part):
        return [unit(x) for x in towers(of, part)]

    for name in ("kept", "both"):
        (image, text), (image_there, text_there) = (embeddings(of, batch[name]) for of in (params, teacher))
        wanted = np.mean(np.sum((image - image_there) ** 2, -1) + np.sum((text - text_there) ** 2, -1))
        assert whole[1][f"{name}/distill"] == pytest.approx(wanted, rel=1e-4)
    metrics = whole[1]
    total = 2 * metrics["kept/distill"] + 0.7 * metrics["both/contrastive"] + 0.5 * metrics["both/distill"]
    assert metrics["loss"] == pytest.approx(total + metrics["pairs/contrastive"], rel=1e-5)
    assert "pairs/distill" not in metrics


def test_the_gradient_is_that_of_the_loss(config, params, teacher, batch, whole):
    def loss(params):
        return loss_and_metrics(params, batch, SOURCES, config, teacher=jax.tree.map(jnp.asarray, teacher))[0]

    assert_close(whole[0], jax.jit(jax.grad(loss))(params), 1e-5)


def test_nothing_pulls_where_the_student_is_the_teacher(config, params, batch, whole):
    same = gradients(config, params, params, batch)
    assert same[1]["kept/distill"] == pytest.approx(0, abs=1e-10)
    assert same[1]["kept/distill_text_cosine"] == pytest.approx(1, abs=1e-5)
    without = {name: dataclasses.replace(source, distill=0.0) for name, source in SOURCES.items() if name != "kept"}
    plain = jax.jit(jax.grad(lambda params: loss_and_metrics(params, batch, without, config)[0]))(params)
    assert_close(same[0], plain, 1e-4)
    assert largest(jax.tree.map(np.subtract, same[0], whole[0])) > 0.01 * largest(whole[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "micro_batches"), [({}, 2), ({"fsdp": 2, "tensor": 2}, 1), ({"fsdp": 4}, 2)], ids=str
)
def test_on_any_mesh_and_in_parts(config, params, teacher, batch, whole, sizes, micro_batches):
    found = gradients(config, params, teacher, batch, make_mesh(**sizes), micro_batches=micro_batches)
    assert_close(found[0], whole[0], 3e-5)
    for name, value in whole[1].items():
        assert found[1][name] == pytest.approx(value, rel=1e-4), name


def test_a_frozen_tower_is_not_run_as_a_teacher(config, params, batch):
    """It is the start's, so that its embeddings are those of the teacher."""
    teacher = params | {"visual": jax.tree.map(lambda p: p + np.nan, params["visual"])}
    frozen = gradients(config, params, teacher, batch, freeze=("visual/.*",))
    usual = gradients(config, params, params, batch)
    assert frozen[1]["kept/distill_image_cosine"] == pytest.approx(1, abs=1e-6)
    assert frozen[1]["loss"] == pytest.approx(usual[1]["loss"], rel=1e-6)
    assert_close(frozen[0]["text"], usual[0]["text"], 1e-5)


@pytest.fixture(scope="module")
def experiment(scenes) -> Experiment:
    """Four steps; the captions are kept to the start."""
    return Experiment(
        ModelSpec(arch="mini", init_from="the start"),
        {
            "captions": Source("scenes_captions", 16, distill=1.0),
            "balanced": Source("scenes_balanced", 32, mcq=1.0),
        },
        str(scenes),
        steps=4,
        optim=Optim(learning_rate=3e-3),
        log_every=1,
        checkpoint_every=2,
    )


@pytest.fixture(scope="module")
def begun(mini):
    """The model with the name of its weights, as reading it gives it."""
    return dataclasses.replace(mini, info=mini.info | {"sha256": "a" * 64})


def losses(workdir: Path) -> list[tuple[float, float]]:
    return [(line["loss"], line["captions/distill"]) for line in logged_lines(workdir)]


@pytest.fixture(scope="module")
def unbroken(experiment, begun, tmp_path_factory) -> Path:
    workdir = tmp_path_factory.mktemp("unbroken")
    train(prepare_run(experiment, begun), workdir)
    return workdir


def cut_off(experiment, model, workdir) -> None:
    """As if it died at the first evaluation, after the checkpoint of step 2."""
    with pytest.raises(ZeroDivisionError):
        train(prepare_run(experiment, model), workdir, lambda model: 1 / 0)
    assert Checkpoints(workdir / "checkpoints").steps() == [2]


@pytest.mark.slow
def test_a_run_starts_at_no_distance_and_leaves(unbroken):
    kept = [distance for _, distance in losses(unbroken)]
    assert kept[0] == pytest.approx(0, abs=1e-10)
    assert kept[-1] > 1e-4


@pytest.mark.slow
def test_a_run_that_was_cut_off_goes_on_bit_for_bit(experiment, begun, unbroken, tmp_path):
    cut_off(experiment, begun, tmp_path)
    train(prepare_run(experiment, begun), tmp_path)
    assert losses(tmp_path) == losses(unbroken)


@pytest.mark.slow
def test_another_start_is_refused_when_the_run_goes_on(experiment, begun, tmp_path):
    cut_off(experiment, begun, tmp_path)
    other = dataclasses.replace(begun, params=init_params(begun.config, 1), info={"sha256": "b" * 64})
    with pytest.raises(
        NegjaxError, match=r"config\.model\.init_from: the start holds other weights than when this run"
    ):
        train(prepare_run(experiment, other), tmp_path)


def test_the_teacher_is_no_part_of_a_checkpoint(begun, unbroken):
    """Which holds the parameters and AdamW's two moments, and nothing else of that size."""
    numbers = 0
    for item in ("params", "training"):
        tree = ocp.PyTreeCheckpointHandler().metadata(unbroken / "checkpoints" / "4" / item).tree
        numbers += sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(begun.params))
    assert 3 * parameters <= numbers < 3.01 * parameters


@pytest.mark.slow
def test_how_it_is_computed_changes_no_loss(experiment, begun, unbroken, tmp_path):
    cut = {"mesh": MeshSpec(fsdp=2, tensor=2), "loss": LossSpec(sharded=True, micro_batches=2)}
    train(prepare_run(dataclasses.replace(experiment, **cut), begun), tmp_path)
    np.testing.assert_allclose(losses(tmp_path), losses(unbroken), rtol=2e-4, atol=1e-8)
