"""A teacher that follows the student: its parameters, what it teaches, and on any mesh."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.drawn_batches import PREPROCESS, draw_batch
from support.trees import unit

from negjax.config import Optim, Source
from negjax.media.images import normalise
from negjax.models import clip
from negjax.runtime.mesh import make_mesh, put_batch
from negjax.runtime.sharding import state_shardings
from negjax.training.encode import Towers
from negjax.training.optimizer import make_optimizer, trainable
from negjax.training.step import make_step, new_state
from negjax.training.update import update

SOURCES = {"kept": Source("a", 16, distill=1.0, contrastive=1.0), "balanced": Source("b", 16, text_contrast=0.5)}
OPTIM = Optim(learning_rate=1e-2, name="sgd", schedule="constant", clip_norm=0, weight_decay=0, teacher_ema=0.75)


def run(config, params, steps: int, mesh=None) -> tuple[list[dict], list[dict]]:
    """States and metrics after each step."""
    mesh = mesh or make_mesh(jax.devices()[:1])
    optimizer = make_optimizer(OPTIM, 10, params)
    state = new_state(jax.tree.map(jnp.asarray, params), optimizer, OPTIM)
    shardings = state_shardings(mesh, state)
    step = make_step(
        SOURCES,
        Towers(config, PREPROCESS),
        optimizer,
        trainable(params, ()),
        optim=OPTIM,
        mesh=mesh,
    )
    jitted = jax.jit(step, out_shardings=(shardings, None))
    state, batch = jax.device_put(state, shardings), put_batch(mesh, draw_batch(SOURCES))
    states, metrics = [], []
    for _ in range(steps):
        state, found = jitted(state, batch)
        states.append(jax.device_get(state))
        metrics.append(jax.device_get(found))
    return states, metrics


@pytest.fixture(scope="module")
def three_steps(config, params):
    return run(config, params, 3)


def test_it_follows_the_student_without_a_warm_up(params, three_steps):
    teacher = params
    for state in three_steps[0]:
        teacher = jax.tree.map(lambda old, new: 0.75 * old + 0.25 * new, teacher, state["params"])
        for one, other in zip(jax.tree.leaves(state["teacher"]), jax.tree.leaves(teacher), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_the_loss_of_a_step_compares_with_the_teacher_before_it(config, three_steps):
    states, metrics = three_steps
    batch = draw_batch(SOURCES)
    student, teacher = states[1]["params"], states[1]["teacher"]

    @jax.jit
    def embeddings(params):
        image = clip.encode_image(config, params, normalise(batch["kept"]["image"], PREPROCESS))
        options = batch["balanced"]["options"]
        option = clip.encode_text(config, params, options.reshape(-1, options.shape[-1]))
        return image, clip.encode_text(config, params, batch["kept"]["text"]), option

    own, theirs = ([unit(x) for x in embeddings(of)] for of in (student, teacher))
    wanted = sum(np.mean(np.sum((a - b) ** 2, axis=-1)) for a, b in zip(own[:2], theirs[:2]))
    assert metrics[0]["kept/distill"] == pytest.approx(0, abs=1e-8)
    assert metrics[2]["kept/distill"] == pytest.approx(wanted, rel=1e-3)
    option, kept = (x[2].reshape(4, 4, -1) for x in (own, theirs))
    total = 0.0
    for row, answer in enumerate(batch["balanced"]["answer"]):
        anchor, columns = option[row // 4, answer], option[row // 4].copy()
        columns[answer] = kept[row // 4, answer]
        logits = 10 * columns @ anchor
        total += np.log(np.exp(logits).sum()) - logits[answer]
    assert metrics[2]["balanced/text_contrast"] == pytest.approx(total / 16, rel=1e-5)


@pytest.mark.slow
def test_on_a_mesh(config, params, three_steps):
    _, metrics = run(config, params, 2, make_mesh(fsdp=2, tensor=2))
    for one, many in zip(three_steps[1], metrics):
        for name in one:
            assert many[name] == pytest.approx(one[name], rel=1e-4, abs=1e-5), name


def test_a_bad_step_leaves_it(config, params):
    optim = Optim(teacher_ema=0.5)
    state = new_state({"a": jnp.ones(3)}, optax.identity(), optim)
    grads, bad = {"a": jnp.ones(3)}, {"loss": jnp.nan, "gradient_norm": jnp.array(1.0)}
    after, _ = update(state, grads, bad, optax.with_extra_args_support(optax.identity()), optim, bounded=False)
    np.testing.assert_array_equal(after["teacher"]["a"], np.ones(3))
