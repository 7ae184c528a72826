import subprocess
import sys

import jax
import numpy as np
import pytest

from negjax.errors import NegjaxError
from negjax.runtime.mesh import batch_sharding, local_rows, make_mesh, put_batch, replicated

EIGHT = """
import jax, jax.numpy as jnp, numpy as np
from negjax.errors import NegjaxError
from negjax.runtime.mesh import make_mesh, put_batch, replicated, local_rows
mesh = make_mesh()
assert dict(mesh.shape) == {"data": 8, "fsdp": 1, "tensor": 1}
x = np.arange(16 * 3, dtype=np.float32).reshape(16, 3)
batch = put_batch(mesh, {"a": {"x": x}, "y": np.arange(16)})
assert [shard.data.shape for shard in batch["a"]["x"].addressable_shards] == [(2, 3)] * 8
assert (np.asarray(batch["a"]["x"]) == x).all()
w = jax.device_put(np.float32([1, 2, 3]), replicated(mesh))
got = jax.jit(lambda w, x: jnp.sum(x @ w))(w, batch["a"]["x"])  # fails on explicit axes
assert float(got) == (x @ np.float32([1, 2, 3])).sum()
assert local_rows(mesh, 16, "here") == slice(0, 16)
for wrong in (lambda: put_batch(mesh, {"x": x[:12]}), lambda: local_rows(mesh, 8, "here", multiple=2)):
    try:
        wrong()
    except NegjaxError as error:
        print(error)
"""


def test_one_device():
    mesh = make_mesh(jax.devices()[:1])
    assert dict(mesh.shape) == {"data": 1, "fsdp": 1, "tensor": 1}
    batch = put_batch(mesh, {"x": np.ones((3, 2), np.uint8)})
    assert batch["x"].sharding == batch_sharding(mesh)
    assert batch["x"].dtype == np.uint8
    assert replicated(mesh).is_fully_replicated
    assert local_rows(mesh, 6, "config.batch_size") == slice(0, 6)


def test_eight_devices():
    environment = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", EIGHT], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "a batch of 12 rows does not divide evenly over 8 devices",
        "here is 8: it must be a multiple of 8 devices x 2 rows that stay together",
    ]


def test_indivisible_batch_is_named():
    mesh = make_mesh(jax.devices()[:1])
    with pytest.raises(NegjaxError, match=r"config\.batch_size is 5"):
        local_rows(mesh, 5, "config.batch_size", multiple=4)
