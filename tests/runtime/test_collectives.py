"""Collectives counted in compiled programs of known content, loops included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
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
        Collective("all-gather", 1, 16 * 4 * 4 * 7 // 8),
        Collective("reduce-scatter", 1, 16 * 4 * 4 * 7 // 8),
        Collective("collective-permute", 1, 2 * 4 * 4),
        Collective("all-reduce", 1, 2 * 2 * 4 * 4 * 7 // 8),
    }


def test_what_stands_in_a_loop_counts_as_often_as_it_runs():
    def loop(x):
        return jax.lax.scan(lambda x, _: (jnp.sin(jax.lax.psum(x, "data")), None), x, None, length=7)[0]

    assert collectives(program(loop, (16, 4))) == [Collective("all-reduce", 7, 7 * (2 * 2 * 4 * 4 * 7 // 8))]


def test_every_branch_counts():
    def choose(x):
        summed = jax.lax.axis_index("data") > 3
        return jax.lax.switch(summed.astype(int), [lambda x: jax.lax.psum(x, "data"), lambda x: 2 * x], x)

    assert collectives(program(choose, (16, 4))) == [Collective("all-reduce", 1, 2 * 2 * 4 * 4 * 7 // 8)]


def test_operations_that_only_start_small_types_and_groups():
    text = """
ENTRY %main (p: bf16[8,4]) -> bf16[64,4] {
  %s = (bf16[8,4]{1,0}, bf16[64,4]{1,0:T(8,128)}) all-gather-start(%p), replica_groups=[2,8]<=[16], dimensions={0}
  %d = bf16[64,4]{1,0} all-gather-done(%s)
  %p = (f32[8]{0}, f32[8]{0}, u32[]{:S(2)}, u32[]{:S(2)}) collective-permute-start(%x), source_target_pairs={{0,1}}
  %q = (f32[4], f32[2]) all-reduce-start(%y, %z), replica_groups={{0,1}}, to_apply=%add
  %r = (pred[10], s8[6]{0}) all-reduce(%a, %b), replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%add
  %t = s4[64] all-to-all(%c), replica_groups=mesh['x'=2,'y'=4] {'x','y'}, dimensions={0}
}
"""
    assert collectives(text) == [
        Collective("all-reduce", 2, 2 * 16 * 3 // 4 + 24),
        Collective("all-gather", 1, 64 * 4 * 2 * 7 // 8),
        Collective("collective-permute", 1, 32),
        Collective("all-to-all", 1, 32 * 7 // 8),
    ]
    with pytest.raises(ValueError, match="the devices of a collective are not in the compiled program: %r = "):
        collectives(text.replace("replica_groups={{0,1,2,3},{4,5,6,7}}, ", ""))


# As the TPU's compiler writes them: loops that don't say how often they run, a gather whose pieces hide behind the
# operations of a loop, and a reduce-scatter by another name.
TPU = """
%start (a: f32[8,4]) -> (f32[8,4], f32[64,4]) {
  %all-gather.1 = f32[64,4]{1,0} all-gather(%a), replica_groups={{0,1}}, frontend_attributes={chain_id="0"}
}

%piece (b: f32[8,4]) -> f32[64,4] {
  %all-gather.2 = f32[64,4]{1,0} all-gather(%b), replica_groups={{0,1}}, frontend_attributes={chain_id="0"}
}

%all-reduce-scatter.3 (input: f32[4,3]) -> f32[2,3] {
  %all-reduce.3 = f32[4,3]{1,0} all-reduce(%input), replica_groups={{0,1}}, to_apply=%add
}

%body (c: (s32[], f32[2,3])) -> (s32[], f32[2,3]) {
  %fusion.1 = f32[64,4]{1,0} fusion(%c), kind=kCustom, calls=%piece
  %fusion.2 = f32[2,3]{1,0} fusion(%d), kind=kCustom, calls=%all-reduce-scatter.3
}

%condition (e: (s32[], f32[2,3])) -> pred[] {
  %constant.1.clone = s32[]{:T(128)} constant(12)
  %number = s32[]{:T(128)} get-tuple-element(%e), index=0
  ROOT %lt.1 = pred[]{:T(512)} compare(%number, %constant.1.clone), direction=LT, metadata={op_name="cond/lt"}
}

ENTRY %main (p: f32[8,4]) -> f32[64,4] {
  %async-collective-start = (f32[8,4], f32[64,4]) fusion(%p), kind=kCustom, calls=%start
  %while.1 = (s32[], f32[2,3]{1,0}) while(%tuple), condition=%condition, body=%body, metadata={op_name="while"}
  %async-collective-done = f32[64,4] fusion(%q), kind=kCustom, calls=%piece
}
"""


def test_what_the_compiler_of_the_tpu_writes():
    found = [Collective("all-gather", 1, 64 * 4 * 4 // 2), Collective("reduce-scatter", 12, 12 * 4 * 3 * 4 // 2)]
    assert collectives(TPU) == found
    with pytest.raises(ValueError, match="how often all-gather runs is not in the compiled program: "):
        collectives(TPU.replace("constant(12)", "parameter(0)"))
