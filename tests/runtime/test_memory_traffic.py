"""Memory traffic of programs whose operations are known: compiled for the CPU, and a text as of a TPU."""

import jax
import jax.numpy as jnp

from negjax.runtime.memory_traffic import memory_traffic

FLOAT = 4


def traffic(function, *shapes, donate=()) -> int:
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return memory_traffic(jax.jit(function, donate_argnums=donate).lower(*arrays).compile().as_text())


def test_a_product_and_a_chain_that_is_fused():
    assert traffic(jnp.matmul, (256, 128), (128, 64)) == FLOAT * (256 * 128 + 128 * 64 + 256 * 64)
    assert traffic(lambda x, y: jnp.sin(x) * y + x, (300, 500), (300, 500)) == FLOAT * 3 * 300 * 500


def test_of_what_is_sliced_or_updated_in_place_the_part_counts():
    index = FLOAT  # is read, too
    sliced = traffic(lambda x: 2 * jax.lax.dynamic_slice(x, (jnp.int32(x[0, 0]), 0), (3, 500)), (300, 500))
    assert 2 * FLOAT * 3 * 500 <= sliced <= 2 * FLOAT * 3 * 500 + 10 * index
    updated = traffic(lambda x, y: jax.lax.dynamic_update_slice(x, 2 * y, (5, 0)), (300, 500), (3, 500), donate=0)
    assert 2 * FLOAT * 3 * 500 <= updated <= 4 * FLOAT * 3 * 500 + 10 * index


def test_a_loop_counts_as_often_as_it_runs():
    def run(times):
        return traffic(lambda x: jax.lax.fori_loop(0, times, lambda _, x: jnp.sin(x) + 1, x), (300, 500))

    assert run(9) - run(4) >= 5 * FLOAT * 2 * 300 * 500
    assert run(9) - run(4) <= 5 * (FLOAT * 2 * 300 * 500 + 20 * FLOAT)


TPU = """
%fused_update (p0: f32[10,256], p1: f32[2,256]) -> (f32[10,256], f32[256]) {
  %p0 = f32[10,256]{1,0:T(8,128)} parameter(0)
  %p1 = f32[2,256]{1,0:T(2,128)S(1)} parameter(1)
  %zero = s32[]{:T(128)} constant(0)
  %new = f32[10,256]{1,0:T(8,128)} dynamic-update-slice(%p0, %p1, %zero, %zero)
  %sum = f32[256]{0:T(256)} reduce(%p1, %zero), dimensions={0}, to_apply=%add
  ROOT %both = (f32[10,256]{1,0:T(8,128)}, f32[256]{0:T(256)}) tuple(%new, %sum)
}

ENTRY %main (a: f32[10,256], b: bf16[2,256]) -> f32[10,256] {
  %a = f32[10,256]{1,0:T(8,128)} parameter(0)
  %b = bf16[2,256]{1,0:T(2,128)(2,1)} parameter(1)
  %start = (bf16[2,256]{1,0:T(2,128)(2,1)S(1)}, bf16[2,256]{1,0:T(2,128)(2,1)}, u32[]{:S(2)}) copy-start(%b)
  %done = bf16[2,256]{1,0:T(2,128)(2,1)S(1)} copy-done(%start)
  %piece = ((f32[10,256]{1,0:T(8,128)}), f32[2,256]{1,0:T(2,128)S(1)}, s32[]{:S(2)}) slice-start(%a), slice={[0:2]}
  %part = f32[2,256]{1,0:T(2,128)S(1)} slice-done(%piece)
  %wide = f32[2,256]{1,0:T(2,128)S(1)} add(%done, %part)
  %summed = f32[2,256]{1,0:T(2,128)S(1)} all-reduce(%wide), replica_groups={{0,1}}, to_apply=%add
  %f = (f32[10,256]{1,0:T(8,128)}, f32[256]{0:T(256)}) fusion(%a, %summed), kind=kLoop, calls=%fused_update
  ROOT %x = f32[10,256]{1,0:T(8,128)} get-tuple-element(%f), index=0
}
"""


def test_what_stays_in_the_cores_memory_does_not_count():
    copied, sliced, updated, summed = 2 * 2 * 256, FLOAT * 2 * 256, FLOAT * 2 * 256, FLOAT * 256
    assert memory_traffic(TPU) == copied + sliced + updated + summed
