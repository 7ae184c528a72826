"""The linear layers' product and its gradients, in float32 and in bfloat16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.models.linear import affine

ROWS, D, OUT = (16, 40), 8, (3, 5)


@pytest.fixture
def arrays() -> tuple[np.ndarray, ...]:
    """Input, kernel, bias, and the gradient of the output."""
    rng = np.random.default_rng(0)
    shapes = (*ROWS, D), (D, *OUT), OUT, (*ROWS, *OUT)
    return tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)


def pulled_back(x, kernel, bias, dy):
    y, pull_back = jax.vjp(affine, x, kernel, bias)
    return y, *pull_back(dy.astype(y.dtype))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_value_and_gradients(arrays, dtype):
    """Gradients of kernel and bias are not rounded to `dtype`; only the factors are."""
    x, kernel, bias, dy = arrays
    x = jnp.asarray(x, dtype)
    y, dx, dkernel, dbias = pulled_back(x, jnp.asarray(kernel), jnp.asarray(bias), jnp.asarray(dy))
    assert (y.dtype, dx.dtype, dkernel.dtype, dbias.dtype) == (dtype, dtype, "float32", "float32")
    x, dy, rounded = (np.asarray(jnp.asarray(each, dtype), np.float64) for each in (x, dy, kernel))
    near = 1e-5 if dtype == "float32" else 0.02
    np.testing.assert_allclose(np.float64(y), np.einsum("btd,dno->btno", x, rounded) + bias, atol=10 * near)
    np.testing.assert_allclose(np.float64(dx), np.einsum("btno,dno->btd", dy, rounded), atol=10 * near)
    np.testing.assert_allclose(dkernel, np.einsum("btd,btno->dno", x, dy), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(dbias, dy.sum((0, 1)), rtol=1e-4, atol=1e-4)


def test_without_a_bias_and_for_a_single_row(arrays):
    x, kernel, _, dy = arrays
    found = pulled_back(jnp.asarray(x[0, 0], jnp.bfloat16), jnp.asarray(kernel), None, jnp.asarray(dy[0, 0]))
    assert found[3] is None
    np.testing.assert_allclose(found[2], np.multiply.outer(x[0, 0], dy[0, 0]), rtol=0.02)


def test_in_float32_it_is_the_plain_product(arrays):
    """The value bit for bit; JAX's own gradient makes other products, which may sum in another order."""
    *inputs, dy = map(jnp.asarray, arrays)
    plain, pull_back = jax.vjp(lambda x, kernel, bias: jnp.tensordot(x, kernel, axes=1) + bias, *inputs)
    value, *gradients = pulled_back(*inputs, dy)
    np.testing.assert_array_equal(value, plain)
    for got, wanted in zip(gradients, pull_back(dy)):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
