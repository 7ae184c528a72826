"""The kernels of attention: values and gradients against products written out, on meshes, and which one is used."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.errors import NegjaxError
from negjax.models import clip, fused_attention
from negjax.models.attention import attend
from negjax.models.compute import Compute
from negjax.models.fused_attention import choose_kernel, pallas_attention, suits
from negjax.models.init import init_params
from negjax.models.preset_kinds import make_clip
from negjax.runtime.mesh import make_mesh, put_batch
from negjax.runtime.sharding import map_over_batch_shards, state_shardings


@pytest.mark.parametrize(("length", "heads", "width"), [(133, 4, 64), (129, 1, 128), (131, 4, 32)])
def test_values_and_gradients_are_those_of_the_products(length, heads, width):
    rng = np.random.default_rng(0)
    q, k, v, dy = (jnp.asarray(rng.normal(size=(1, length, heads, width)), jnp.float32) for _ in range(4))
    assert suits("pallas", q, k, False, None)
    wanted, wanted_pull_back = jax.vjp(attend, q, k, v)
    found, pull_back = jax.vjp(partial(pallas_attention, interpret=True), q, k, v)
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    for gradient, wanted_gradient in zip(pull_back(dy), wanted_pull_back(dy)):
        np.testing.assert_allclose(gradient, wanted_gradient, atol=4e-6)


def test_bfloat16_is_rounded_where_the_products_round():
    rng = np.random.default_rng(1)
    q, k, v, dy = (jnp.asarray(rng.normal(size=(1, 130, 2, 64)), jnp.bfloat16) for _ in range(4))
    wanted, wanted_pull_back = jax.vjp(attend, q, k, v)
    found, pull_back = jax.vjp(partial(pallas_attention, interpret=True), q, k, v)
    assert found.dtype == jnp.bfloat16
    for a, b in zip((found, *pull_back(dy)), (wanted, *wanted_pull_back(dy))):
        np.testing.assert_allclose(np.float32(a), np.float32(b), atol=0.02)


class Ref:
    """A block of an array, as a kernel reads and writes it."""

    def __init__(self, array: jax.Array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def _index(self, at: tuple) -> tuple:
        return (*at[:2], slice(at[2].start, at[2].start + at[2].size))

    def __getitem__(self, at: tuple) -> jax.Array:
        return self.array[self._index(at)]

    def __setitem__(self, at: tuple, value: jax.Array) -> None:
        self.array = self.array.at[self._index(at)].set(value)


def run_block_by_block(shapes: list, kernel, *, grid, in_specs, out_specs, out_shape, interpret):
    """`pallas_call` in plain JAX, for its own interpreter does not run within a `jax.shard_map`."""

    def run(*arrays: jax.Array) -> list[jax.Array]:
        shapes.append(arrays[0].shape)
        results = [jnp.zeros_like(arrays[0]) for _ in out_shape]
        for program in np.ndindex(*grid):
            where = tuple(
                slice(i * size, (i + 1) * size)
                for i, size in zip(in_specs[0].index_map(*program), in_specs[0].block_shape)
            )
            refs = [Ref(array[where]) for array in (*arrays, *results)]
            kernel(*refs)
            results = [result.at[where].set(ref.array) for result, ref in zip(results, refs[len(arrays) :])]
        return results

    return run


@pytest.mark.parametrize("sizes", [{}, {"fsdp": 4}, {"fsdp": 2, "tensor": 2}], ids=str)
def test_gradients_on_a_mesh_are_those_of_one_device(monkeypatch, sizes):
    """Within the shard_map that encodes: rows over all devices, heads over the axis "tensor"."""
    config = make_clip("long", 32, (96, 8, 256, 2, 4), (64, 1, 1))
    params = init_params(config, 0)
    pixels_BSSC = np.random.default_rng(2).normal(size=(8, 96, 96, 3)).astype(np.float32)

    def gradient(params, pixels, mesh, kernel):
        def loss(params):
            encode = partial(clip.encode_image, config, compute=Compute(attention=kernel))
            return (map_over_batch_shards(encode, mesh, params, pixels) ** 2).sum()

        return jax.jit(jax.grad(loss))(params)

    wanted = gradient(params, pixels_BSSC, None, "xla")
    shapes = []
    monkeypatch.setattr(fused_attention.pl, "pallas_call", partial(run_block_by_block, shapes))
    mesh = make_mesh(**sizes)
    params = jax.device_put(params, state_shardings(mesh, params))
    found = gradient(params, put_batch(mesh, pixels_BSSC), mesh, "pallas")
    rows, columns = 8 // (mesh.size // mesh.shape["tensor"]), 256 // mesh.shape["tensor"]
    assert set(shapes) == {(rows, 145, columns)}
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted)):
        np.testing.assert_allclose(a, b, atol=1e-4 * max(1, np.abs(b).max()))


@pytest.mark.parametrize(
    ("shape", "keys", "causal", "mask", "suited"),
    [
        ((2, 197, 12, 64), 197, False, False, True),
        ((2, 50, 12, 64), 50, False, False, False),  # B/32: XLA's products move fewer bytes
        ((2, 257, 16, 80), 257, False, False, False),  # H/14: no block of whole heads
        ((2, 197, 12, 64), 197, True, False, False),
        ((2, 197, 12, 64), 197, False, True, False),
        ((2, 1, 12, 64), 197, False, False, False),  # of a pooling query
        ((2, 2305, 16, 64), 2305, False, False, False),  # more scores than fit
    ],
)
def test_arguments_that_the_kernel_takes(shape, keys, causal, mask, suited):
    q, k = jnp.zeros(shape), jnp.zeros((shape[0], keys, *shape[2:]))
    mask = jnp.ones((shape[0], 1, keys), bool) if mask else None
    assert suits("pallas", q, k, causal, mask) == suited


def test_the_kernel_is_that_of_the_device():
    assert choose_kernel("auto", "tpu", "bfloat16") == "pallas"
    assert choose_kernel("auto", "tpu", "float32") == choose_kernel("auto", "cpu", "bfloat16") == "xla"
    assert choose_kernel("auto", "gpu", "bfloat16") == choose_kernel("xla", "tpu", "bfloat16") == "xla"
    assert choose_kernel("cudnn", "gpu", "bfloat16") == "cudnn"
    for setting, platform, dtype in (("cudnn", "cpu", "bfloat16"), ("pallas", "gpu", "bfloat16")):
        with pytest.raises(
            NegjaxError, match=f"config.model.attention: {setting} runs on a .* not on this {platform.upper()}"
        ):
            choose_kernel(setting, platform, dtype)
    with pytest.raises(NegjaxError, match="cudnn computes in bfloat16"):
        choose_kernel("cudnn", "gpu", "float32")
