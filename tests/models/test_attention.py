"""Attention: softmax(q k^T / sqrt(H)) v written out in float64, its gradients, and the types of its products."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.models.attention import attend

B, T, N, H = 2, 7, 3, 8


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(B, T, N, H)) for _ in range(4)]  # q, k, v, and the gradient of the output


@pytest.fixture
def mask():
    """Each query sees itself and about half of the others."""
    return (np.random.default_rng(1).random((B, T, T)) < 0.5) | np.eye(T, dtype=bool)


def written_out(q, k, v, allowed):
    """The output, and the weights, in float64."""
    scores = np.einsum("btnh,bsnh->bnts", q, k) / np.sqrt(H)
    weights = np.exp(scores) * allowed[:, None]
    weights /= weights.sum(-1, keepdims=True)
    return np.einsum("bnts,bsnh->btnh", weights, v), weights


def gradients_written_out(q, k, v, dy, allowed):
    _, p = written_out(q, k, v, allowed)
    dp = np.einsum("btnh,bsnh->bnts", dy, v)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(H)
    dq, dk = np.einsum("bnts,bsnh->btnh", ds, k), np.einsum("bnts,btnh->bsnh", ds, q)
    return dq, dk, np.einsum("bnts,btnh->bsnh", p, dy)


def test_long_sequences_are_computed_head_by_head():
    rng = np.random.default_rng(2)
    q, k, v = (rng.normal(size=(B, length, N, H)) for length in (5, 1025, 1025))
    y = attend(*(jnp.asarray(x, "float32") for x in (q, k, v)))
    np.testing.assert_allclose(y, written_out(q, k, v, np.ones((B, 5, 1025), bool))[0], atol=2e-6)
    compiled = jax.jit(attend).lower(*(jnp.asarray(x, "float32") for x in (q, k, v))).as_text()
    assert "while" in compiled


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("bfloat16", 3e-2)])
def test_values_and_gradients(arrays, mask, causal, masked, dtype, tolerance):
    allowed = (mask if masked else np.ones((B, T, T), bool)) & (np.tri(T, dtype=bool) if causal else True)
    q, k, v, dy = (jnp.asarray(x, dtype) for x in arrays)
    y, pull_back = jax.vjp(lambda q, k, v: attend(q, k, v, causal, jnp.asarray(mask) if masked else None), q, k, v)
    rounded = [np.asarray(x, np.float64) for x in (q, k, v, dy)]
    np.testing.assert_allclose(np.asarray(y, np.float64), written_out(*rounded[:3], allowed)[0], atol=tolerance)
    for found, wanted in zip(pull_back(dy), gradients_written_out(*rounded, allowed)):
        assert found.dtype == dtype
        np.testing.assert_allclose(np.asarray(found, np.float64), wanted, atol=tolerance * max(1, np.abs(wanted).max()))


def test_keys_that_all_queries_of_a_row_see(arrays):
    q, k, v, _ = (jnp.asarray(x, jnp.float32) for x in arrays)
    seen = np.random.default_rng(2).random((B, 1, T)) < 0.7
    every = jnp.asarray(np.broadcast_to(seen, (B, T, T)))
    np.testing.assert_array_equal(attend(q, k, v, mask_BTS=jnp.asarray(seen)), attend(q, k, v, mask_BTS=every))


def test_all_products_of_bfloat16_have_bfloat16_factors(arrays):
    """Forward and backward: a product of float32 factors takes several times as long on accelerators."""
    q, k, v, dy = (jnp.asarray(x, jnp.bfloat16) for x in arrays)
    jaxpr = jax.make_jaxpr(lambda q, k, v: jax.vjp(attend, q, k, v)[1](dy))(q, k, v)
    products = []

    def visit(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                products.append({str(x.aval.dtype) for x in equation.invars})
            for value in equation.params.values():
                for inner in value if isinstance(value, (list, tuple)) else [value]:
                    if hasattr(inner, "jaxpr"):
                        visit(inner.jaxpr)

    visit(jaxpr.jaxpr)
    assert len(products) == 6
    assert all(types == {"bfloat16"} for types in products)
