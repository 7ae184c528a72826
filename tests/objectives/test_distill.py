"""Feature distillation against NumPy in float64: value, gradient, and on eight devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.objectives.distill import distill_loss
from negjax.runtime.mesh import make_mesh, put_batch

B, E = 16, 6


@pytest.fixture
def embeddings() -> list[np.ndarray]:
    """Image, text, the teacher's image and text."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=(B, E)) for _ in range(4)]


def numpy_loss(image, text, teacher_image, teacher_text) -> float:
    total = 0.0
    for own, kept in ((image, teacher_image), (text, teacher_text)):
        for x, y in zip(own, kept):
            total += 2 - 2 * (x @ y) / np.sqrt((x @ x) * (y @ y))
    return total / B


def test_value_is_two_less_two_cosines(embeddings):
    loss, extra = distill_loss(*map(jnp.array, embeddings))
    assert loss == pytest.approx(numpy_loss(*embeddings), rel=1e-6)
    assert 4 - 2 * (extra["image_cosine"] + extra["text_cosine"]) == pytest.approx(float(loss), rel=1e-5)
    image, text, *teacher = embeddings
    scaled = distill_loss(3 * jnp.array(image), jnp.array(text), *map(jnp.array, teacher))[0]
    assert scaled == pytest.approx(float(loss), rel=1e-6)


def test_gradient_by_differences_and_none_for_the_teacher(embeddings):
    grads = jax.grad(lambda *rows: distill_loss(*rows)[0], argnums=(0, 1, 2, 3))(*map(jnp.array, embeddings))
    rng = np.random.default_rng(1)
    for which in (0, 1):
        direction = rng.normal(size=(B, E))
        ends = []
        for sign in (1, -1):
            moved = list(embeddings)
            moved[which] = moved[which] + sign * 1e-5 * direction
            ends.append(numpy_loss(*moved))
        assert np.sum(grads[which] * direction) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)
    assert not np.any(grads[2])
    assert not np.any(grads[3])


def test_the_teacher_itself_has_no_loss_and_no_gradient(embeddings):
    image, text, *_ = map(jnp.array, embeddings)
    loss, grads = jax.value_and_grad(lambda x, y: distill_loss(x, y, image, text)[0], argnums=(0, 1))(image, text)
    assert loss == 0
    assert not any(np.any(grad) for grad in grads)


def test_eight_devices_give_the_loss_of_one_and_move_no_row(embeddings):
    rows = put_batch(make_mesh(), [x.astype(np.float32) for x in embeddings])
    compiled = jax.jit(lambda *rows: distill_loss(*rows)[0]).lower(*rows).compile()
    assert compiled(*rows) == pytest.approx(numpy_loss(*embeddings), rel=1e-6)
    assert "all-gather" not in compiled.as_text()
