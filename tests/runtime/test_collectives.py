"""Collectives counted in compiled programs of known content, loops included."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from negjax.runtime.collectives import Collective, collectives
from negjax.runtime.mesh import make_mesh

ROWS = PartitionSpec("data")


def program(function, *shapes) -> str:
    mesh = make_mesh()
    mapped = jax.shard_map(function, mesh=mesh, in_specs=ROWS, out_specs=ROWS, check_vma=False)
    arrays = [jax.ShapeDtypeStruct(shape, np.float32, sharding=NamedSharding(mesh, ROWS)) for shape in shapes]
    return jax.jit(mapped).lower(*arrays).compile().as_text()


def test_one_of_each():
    def each(x):
        whole = jax.lax.all_gather(x, "data", tiled=True)  # [16, 4]
        part = jax.lax.psum_scatter(whole, "data", tiled=True)  # [2, 4]
        moved = jax.lax.ppermute(part, "data", [(i, (i + 1) % 8) for i in range(8)])
        return moved + jax.lax.psum(x, "data")

    assert set(collectives(program(each, (16, 4)))) == {
        Collective("all-gather", 1, 16 * 4 * 4),
        Collective("reduce-scatter", 1, 2 * 4 * 4),
        Collective("collective-permute", 1, 2 * 4 * 4),
        Collective("all-reduce", 1, 2 * 4 * 4),
    }


def test_what_stands_in_a_loop_counts_as_often_as_it_runs():
    def loop(x):
        return jax.lax.scan(lambda x, _: (jnp.sin(jax.lax.psum(x, "data")), None), x, None, length=7)[0]

    assert collectives(program(loop, (16, 4))) == [Collective("all-reduce", 7, 7 * 2 * 4 * 4)]


def test_operations_that_only_start_and_small_types():
    text = """
ENTRY %main (p: bf16[8,4]) -> bf16[64,4] {
  %s = (bf16[8,4]{1,0}, bf16[64,4]{1,0:T(8,128)}) all-gather-start(%p), dimensions={0}
  %d = bf16[64,4]{1,0} all-gather-done(%s)
  %r = (pred[10], s8[6]{0}) all-reduce(%a, %b), to_apply=%add
}
"""
    assert collectives(text) == [Collective("all-reduce", 1, 16), Collective("all-gather", 1, 64 * 4 * 2)]
