"""Rules that say where arrays lie: by path, for real towers, and for optimizer states."""

import jax
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from negjax.errors import NegjaxError
from negjax.models.clip import abstract_params
from negjax.models.presets import preset
from negjax.runtime.mesh import local_row_indices, make_mesh, num_batch_shards, put_batch
from negjax.runtime.sharding import state_shardings

BLOCK = "visual/transformer/blocks/11"


@pytest.fixture(scope="module")
def mesh():
    return make_mesh(fsdp=2, tensor=2)


def specs(mesh, tree) -> dict[str, PartitionSpec]:
    leaves = jax.tree_util.tree_leaves_with_path(state_shardings(mesh, tree))
    return {"/".join(entry.key for entry in path): sharding.spec for path, sharding in leaves}


def test_the_axes_of_a_mesh():
    assert dict(make_mesh(fsdp=4).shape) == {"data": 2, "fsdp": 4, "tensor": 1}
    assert num_batch_shards(make_mesh(fsdp=2, tensor=2)) == 4
    for sizes in ({"fsdp": 3}, {"tensor": 16}, {"fsdp": 0}, {"tensor": -1}):
        with pytest.raises(NegjaxError, match=r"config\.mesh: fsdp .* does not divide 8 devices"):
            make_mesh(**sizes)


def test_rows_of_a_batch_are_whole_on_the_tensor_axis(mesh):
    batch = put_batch(mesh, {"x": np.arange(8)})["x"]
    assert [shard.data.tolist() for shard in batch.addressable_shards] == [[i, i + 1] for i in (0, 0, 2, 2, 4, 4, 6, 6)]
    assert local_row_indices(mesh, 8, "here").tolist() == list(range(8))
    with pytest.raises(NegjaxError, match="here is 6: it must be a multiple of 4 devices"):
        local_row_indices(mesh, 6, "here")


def test_every_large_matrix_of_a_real_tower_is_cut(mesh):
    params = abstract_params(preset("ViT-B-32"))
    found = specs(mesh, params)
    assert found[f"{BLOCK}/attention/qkv/kernel"] == PartitionSpec("fsdp", None, "tensor")
    assert found[f"{BLOCK}/attention/out/kernel"] == PartitionSpec("tensor", "fsdp")
    assert found[f"{BLOCK}/up/kernel"] == PartitionSpec("fsdp", "tensor")
    assert found[f"{BLOCK}/down/kernel"] == PartitionSpec("tensor", "fsdp")
    assert found[f"{BLOCK}/down/bias"] == found["logit_scale"] == PartitionSpec()
    sizes = {"/".join(e.key for e in path): leaf.size for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
    whole = [name for name, spec in found.items() if spec == PartitionSpec()]
    assert max(sizes[name] for name in whole) < 4096
    siglip = specs(mesh, abstract_params(preset("ViT-B-16-SigLIP")))
    assert siglip["visual/pool/qkv/kernel"] == PartitionSpec("fsdp", None, "tensor")
    assert siglip["visual/pool/down/kernel"] == PartitionSpec("tensor", "fsdp")


def test_an_axis_that_does_not_divide_stays_whole(mesh):
    shape = jax.ShapeDtypeStruct((5, 3, 8), np.float32)
    assert specs(mesh, {"a": {"attention": {"qkv": {"kernel": shape}}}}) == {
        "a/attention/qkv/kernel": PartitionSpec(None, None, "tensor")
    }


def test_optimizer_states_follow_their_parameters(mesh):
    params = abstract_params(preset("tiny"))
    state = jax.eval_shape(optax.adamw(1e-3).init, params)
    moments = state_shardings(mesh, {"opt_state": state})["opt_state"][0]
    expected = state_shardings(mesh, params)
    assert jax.tree.leaves(moments.mu) == jax.tree.leaves(moments.nu) == jax.tree.leaves(expected)
    assert moments.count.spec == PartitionSpec()
