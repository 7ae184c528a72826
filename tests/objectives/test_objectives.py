"""The losses against loops in float64 NumPy, and on eight devices against one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from negjax.objectives.contrastive import contrastive_loss
from negjax.objectives.mcq import mcq_loss
from negjax.objectives.sigmoid import sigmoid_loss

B, M, E = 16, 4, 8  # batch, options, width


@pytest.fixture
def embeddings():
    rng = np.random.default_rng(4)  # of which some are ranked first, not as many in either direction
    return (
        rng.normal(size=(B, E)),
        rng.normal(size=(B, E)),
        rng.normal(size=(B, M, E)),
        rng.integers(M, size=B),
    )


def cosine(x, y):
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def cross_entropy(logits, right):
    return float(np.log(sum(np.exp(z) for z in logits)) - logits[right])


def test_contrastive_loss_is_the_mean_over_both_directions(embeddings):
    image, text, _, _ = embeddings
    logits = [[7.0 * cosine(i, t) for t in text] for i in image]
    rows = [cross_entropy(logits[i], i) for i in range(B)]
    columns = [cross_entropy([logits[i][j] for i in range(B)], j) for j in range(B)]
    ranked_first = np.mean([logits[j][j] == max(logits[i][j] for i in range(B)) for j in range(B)])
    loss, extra = contrastive_loss(jnp.array(image), jnp.array(text), jnp.array(7.0))
    assert loss == pytest.approx(0.5 * (np.mean(rows) + np.mean(columns)), rel=1e-5)
    assert extra["accuracy"] == pytest.approx(ranked_first)


def test_mcq_loss_is_on_cosines(embeddings):
    image, _, options, answer = embeddings
    logits = [[7.0 * cosine(i, o) for o in row] for i, row in zip(image, options)]
    expected = np.mean([cross_entropy(row, a) for row, a in zip(logits, answer)])
    args = jnp.array(image), jnp.array(options), jnp.array(answer), jnp.array(7.0)
    loss, extra = mcq_loss(*args)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert extra["accuracy"] == pytest.approx(np.mean([np.argmax(row) == a for row, a in zip(logits, answer)]))
    longer = mcq_loss(3 * args[0], 5 * args[1], *args[2:])[0]
    assert longer == pytest.approx(float(loss), rel=1e-5)


def test_sigmoid_loss_asks_about_every_pair(embeddings):
    image, text, _, _ = embeddings
    total = 0.0
    for i in range(B):
        for j in range(B):
            z = 7.0 * cosine(image[i], text[j]) - 2.0
            total += np.log1p(np.exp(-z if i == j else z))
    loss, _ = sigmoid_loss(jnp.array(image), jnp.array(text), jnp.array(7.0), jnp.array(-2.0))
    assert loss == pytest.approx(total / B, rel=1e-5)


def test_a_zero_embedding_has_a_finite_gradient():
    def loss(image):
        return contrastive_loss(image, jnp.ones((2, E)), jnp.array(10.0))[0]

    assert np.isfinite(jax.grad(loss)(jnp.zeros((2, E)))).all()


@pytest.mark.parametrize("name", ["contrastive", "mcq", "sigmoid"])
def test_eight_devices_give_the_loss_and_gradients_of_one(embeddings, name):
    image, text, options, answer = (jnp.array(x, jnp.float32 if x.dtype.kind == "f" else None) for x in embeddings)
    scale, bias = jnp.array(7.0), jnp.array(-2.0)
    losses = {
        "contrastive": (lambda i, t, s: contrastive_loss(i, t, s)[0], (image, text)),
        "mcq": (lambda i, o, s, a=answer: mcq_loss(i, o, a, s)[0], (image, options)),
        "sigmoid": (lambda i, t, s: sigmoid_loss(i, t, s, bias)[0], (image, text)),
    }
    loss, arrays = losses[name]
    step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))
    alone = step(*arrays, scale)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    over = NamedSharding(mesh, PartitionSpec("data"))
    together = step(*jax.device_put(arrays, over), jax.device_put(scale, NamedSharding(mesh, PartitionSpec())))
    for one, many in zip(jax.tree.leaves(alone), jax.tree.leaves(together)):
        np.testing.assert_allclose(many, one, rtol=1e-5, atol=1e-6)
