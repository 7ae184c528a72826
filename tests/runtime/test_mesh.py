import importlib.util
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from negjax.commands.compile import COMPILER
from negjax.errors import NegjaxError
from negjax.runtime.mesh import batch_sharding, local_row_indices, make_mesh, put_batch, replicated

EIGHT = """
import jax, jax.numpy as jnp, numpy as np
from negjax.errors import NegjaxError
from negjax.runtime.mesh import make_mesh, put_batch, replicated, local_row_indices
mesh = make_mesh()
assert dict(mesh.shape) == {"data": 8, "fsdp": 1, "tensor": 1}
x = np.arange(16 * 3, dtype=np.float32).reshape(16, 3)
batch = put_batch(mesh, {"a": {"x": x}, "y": np.arange(16)})
assert [shard.data.shape for shard in batch["a"]["x"].addressable_shards] == [(2, 3)] * 8
assert (np.asarray(batch["a"]["x"]) == x).all()
w = jax.device_put(np.float32([1, 2, 3]), replicated(mesh))
got = jax.jit(lambda w, x: jnp.sum(x @ w))(w, batch["a"]["x"])  # fails on explicit axes
assert float(got) == (x @ np.float32([1, 2, 3])).sum()
assert local_row_indices(mesh, 16, "here").tolist() == list(range(16))
for wrong in (lambda: put_batch(mesh, {"x": x[:12]}), lambda: local_row_indices(mesh, 8, "here", multiple=2)):
    try:
        wrong()
    except NegjaxError as error:
        print(error)
"""


# Two processes with two devices each, which lie on the mesh as those of a TPU may: not process after process.
SCATTERED = """
import sys
import jax, numpy as np
from negjax.runtime.cluster import join_cluster
from negjax.runtime.mesh import batch_sharding, local_row_indices, make_mesh, put_batch, replicated
join_cluster(f"127.0.0.1:{sys.argv[1]}", 2, int(sys.argv[2]))
for order in ((0, 2, 3, 1), (0, 2, 1, 3), (0, 1, 2, 3)):
    for sizes in ({}, {"fsdp": 2}, {"tensor": 2}, {"fsdp": 2, "tensor": 2}):
        mesh = make_mesh([jax.devices()[i] for i in order], **sizes)
        rows = local_row_indices(mesh, 16, "here")
        whole = np.arange(32).reshape(16, 2)
        batch = put_batch(mesh, whole[rows])
        assert batch.shape == (16, 2), batch.shape
        for shard in batch.addressable_shards:
            assert np.array_equal(shard.data, whole[shard.index])
        assert np.array_equal(jax.jit(lambda x: x, out_shardings=replicated(mesh))(batch), whole)
        print(order, sizes, rows.tolist())
"""


# Every mesh whose sizes divide, on real topologies, of one slice and of two, and the rows of its first process.
TOPOLOGIES = """
from jax.experimental import topologies
from negjax.errors import NegjaxError
from negjax.runtime.mesh import batch_sharding, local_row_indices, make_mesh
scattered = 0
for name in ("v5e:2x4", "v5e:4x4", "v5e:16x16", "v6e:4x4", "v6e:8x8", "v5p:2x2x2", "v5p:4x4x4"):
    for slices in (1, 2):
        chips = topologies.get_topology_desc(platform="tpu", topology_name=name, num_slices=slices).devices
        for fsdp, tensor in ((f, t) for f in (1, 2, 4, 8, 16, 64) for t in (1, 2, 4)):
            if len(chips) // slices % (fsdp * tensor):
                continue
            mesh, batch = make_mesh(chips, fsdp=fsdp, tensor=tensor), 2 * len(chips)
            assert dict(mesh.shape) == {"data": len(chips) // fsdp // tensor, "fsdp": fsdp, "tensor": tensor}
            for row in mesh.devices:
                assert len({getattr(chip, "slice_index", 0) for chip in row.flat}) == 1
            places = batch_sharding(mesh).devices_indices_map((batch,)).items()
            mine = {i for chip, (rows,) in places if chip.process_index == 0 for i in range(batch)[rows]}
            rows = local_row_indices(mesh, batch, "here").tolist()
            assert rows == sorted(mine), (name, rows)
            scattered += max(rows) - min(rows) >= len(rows)
        try:
            make_mesh(chips, fsdp=len(chips) // slices, tensor=slices)
        except NegjaxError as error:
            print(error)
print(scattered, "scattered")
"""


@pytest.mark.tpu_aot
@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="needs the TPU's compiler: pip install libtpu")
def test_meshes_of_tpus():
    run = subprocess.run([sys.executable, "-c", TOPOLOGIES], capture_output=True, text=True, env=COMPILER)
    assert run.returncode == 0, run.stderr
    *errors, scattered = run.stdout.splitlines()
    assert len(errors) == 7
    assert (
        errors[0]
        == "config.mesh: fsdp 8 x tensor 2 does not divide the 8 devices of each of 2 slices: choose sizes that do"
    )
    assert int(scattered.split()[0]) > 50


def test_one_device():
    mesh = make_mesh(jax.devices()[:1])
    assert dict(mesh.shape) == {"data": 1, "fsdp": 1, "tensor": 1}
    batch = put_batch(mesh, {"x": np.ones((3, 2), np.uint8)})
    assert batch["x"].sharding == batch_sharding(mesh)
    assert batch["x"].dtype == np.uint8
    assert replicated(mesh).is_fully_replicated
    assert local_row_indices(mesh, 6, "config.batch_size").tolist() == list(range(6))


def test_eight_devices():
    environment = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", EIGHT], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "a batch of 12 rows does not divide evenly over 8 devices",
        "here is 8: it must be a multiple of 8 devices x 2 rows that stay together",
    ]


@pytest.mark.slow
def test_rows_of_processes_that_lie_scattered_over_the_mesh():
    environment = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        command = [sys.executable, "-c", SCATTERED, str(listener.getsockname()[1])]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    running = [subprocess.Popen([*command, str(process)], **pipes) for process in range(2)]
    said = [each.communicate(timeout=120) for each in running]
    assert [each.returncode for each in running] == [0, 0], said
    assert f"(0, 2, 3, 1) {{}} {[*range(4), *range(12, 16)]}" in said[0][0]
    assert f"(0, 2, 3, 1) {{}} {[*range(4, 12)]}" in said[1][0]
    assert sum(line.startswith("(") for line in said[0][0].splitlines()) == 12


def test_indivisible_batch_is_named():
    mesh = make_mesh(jax.devices()[:1])
    with pytest.raises(NegjaxError, match=r"config\.batch_size is 5"):
        local_row_indices(mesh, 5, "config.batch_size", multiple=4)
