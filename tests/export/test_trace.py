"""Operations of JAX as ONNX graphs: onnxruntime computes what JAX computes, for a batch of any length."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.errors import NegjaxError
from negjax.export.onnx_file import open_session, write_onnx
from negjax.export.towers import ExportedTower

WIDTH = 6


def shapes(weights, x_BTD):
    """Axes: broadcast, transposed, sliced with a stride, reversed, joined, padded, split and merged."""
    added_BTD = x_BTD[:, ::-1] + jnp.broadcast_to(weights["row"], x_BTD.shape)
    joined = jnp.concatenate([added_BTD[:, 1:4:2], jnp.broadcast_to(weights["row"], (x_BTD.shape[0], 1, WIDTH))], 1)
    padded = jnp.pad(joined, ((0, 0), (1, 2), (0, 0)), constant_values=0.5)
    split = padded.reshape(x_BTD.shape[0], -1, 2, WIDTH // 2).transpose(0, 2, 1, 3)
    return split.reshape(x_BTD.shape[0], -1) * jnp.tile(weights["row"], 6)


def elements(weights, x_BTD):
    """Functions of single elements, and choices between them."""
    masked = jnp.where((x_BTD > 0.2) & (x_BTD != 0.5) | (x_BTD <= -0.3), x_BTD**3, -jnp.abs(x_BTD))
    waves = jnp.sin(x_BTD) + jnp.cos(x_BTD) + jnp.tanh(x_BTD) + jnp.exp(-x_BTD) + jnp.log(1 + jnp.square(x_BTD))
    bells = jax.nn.gelu(x_BTD, approximate=False) + jax.nn.sigmoid(x_BTD) + jax.lax.rsqrt(1 + x_BTD**2)
    return masked + waves + bells + jax.lax.erfc(x_BTD) + jnp.minimum(x_BTD, 0.1) * ~(x_BTD >= 0.1)


def sums(weights, x_BTD):
    """Over axes: sums, maxima, running sums, where the largest is, softmax."""
    index_B = jnp.argmax(x_BTD.sum(2), axis=1)
    picked_BD = jnp.take_along_axis(x_BTD, index_B[:, None, None], axis=1)[:, 0]
    first_B = jnp.argmax(x_BTD[:, :, 0] > 0, axis=1)
    counts = jnp.cumsum((x_BTD > 0).astype(jnp.int32), axis=1)[:, ::-1].max((1, 2))
    return jax.nn.softmax(picked_BD, -1) + (first_B + counts)[:, None]


def products(weights, x_BTD):
    """Products with matrices, between rows, over several axes, and look-ups in tables."""
    mixed = jnp.einsum("btd,def->btef", x_BTD, weights["cube"])
    scores = jnp.einsum("btef,bsef->bets", mixed, mixed)
    looked_up = (
        weights["table"][jnp.arange(x_BTD.shape[1])] + weights["table"][jnp.clip(x_BTD, 0, 3).astype(int)][..., 0]
    )
    return jnp.einsum("bets,btd->bed", scores, x_BTD + looked_up[:, :, :1]).reshape(x_BTD.shape[0], -1)


def convolutions(weights, x_BTD):
    """In groups, with a stride and padding."""
    x_BHWC = x_BTD.reshape(x_BTD.shape[0], 5, 3, 2)
    return jax.lax.conv_general_dilated(
        x_BHWC, weights["filters"], (2, 1), [(1, 1), (0, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=2,
    ).reshape(x_BTD.shape[0], -1)  # fmt: skip


def tower(function, rng) -> ExportedTower:
    sizes = {"row": (WIDTH,), "cube": (WIDTH, 2, 3), "table": (7, WIDTH), "filters": (3, 2, 1, 4)}
    weights = {name: jnp.asarray(rng.normal(size=size), jnp.float32) for name, size in sizes.items()}
    return ExportedTower("x", (5, WIDTH), "float32", function, weights)


@pytest.mark.parametrize("function", [shapes, elements, sums, products, convolutions], ids=lambda f: f.__name__)
def test_operations(function, tmp_path: Path):
    rng = np.random.default_rng(0)
    made = tower(function, rng)
    write_onnx(tmp_path / "x.onnx", made)
    session = open_session(tmp_path / "x.onnx")
    assert session.get_inputs()[0].shape == ["batch", 5, WIDTH]
    for batch in (1, 4):
        x = rng.normal(size=(batch, 5, WIDTH)).astype(np.float32)
        (result,) = session.run(None, {"x": x})
        expected = np.asarray(jax.jit(function)(made.weights, x))
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=2e-6 * max(1, np.abs(expected).max()))


def test_constants_are_computed_when_the_file_is_written(tmp_path: Path):
    made = tower(lambda weights, x: x * jnp.exp(weights["row"]).sum() @ jnp.eye(WIDTH), np.random.default_rng(0))
    write_onnx(tmp_path / "x.onnx", made)
    import onnx

    operators = [node.op_type for node in onnx.load(tmp_path / "x.onnx").graph.node]
    assert sorted(operators) == ["Identity", "MatMul", "Mul"]


def test_weights_beside_the_file(tmp_path: Path):
    """As files of more than a gigabyte have them: a file of ONNX holds two."""
    made = tower(products, np.random.default_rng(0))
    big = ExportedTower("x", (5, WIDTH), "float32", made.function, made.weights | {"table": jnp.ones((400, WIDTH))})
    write_onnx(tmp_path / "inside.onnx", big)
    write_onnx(tmp_path / "outside.onnx", big, most_inside=0)
    assert (tmp_path / "outside.onnx.data").stat().st_size >= 400 * WIDTH * 4
    assert (tmp_path / "outside.onnx").stat().st_size < (tmp_path / "inside.onnx").stat().st_size - 9000
    x = np.random.default_rng(1).normal(size=(2, 5, WIDTH)).astype(np.float32)
    inside, outside = (open_session(tmp_path / f"{name}.onnx").run(None, {"x": x})[0] for name in ("inside", "outside"))
    np.testing.assert_array_equal(inside, outside)


def test_an_operation_without_a_form_in_onnx_is_named(tmp_path: Path):
    made = tower(lambda weights, x: jnp.sort(x, axis=1), np.random.default_rng(0))
    with pytest.raises(NegjaxError, match=r"x\.onnx: the operation sort .* --to stablehlo"):
        write_onnx(tmp_path / "x.onnx", made)
    assert not list(tmp_path.iterdir())
