"""One flipped bit in any file of a checkpoint is found, or changes nothing that is read."""

import jax
import numpy as np
from support.damage import flip_bits
from support.trees import assert_same

from negjax.errors import NegjaxError
from negjax.runtime.checkpoint import Checkpoints

META = {"arch": {"name": "tiny", "eps": 1e-05}, "activation": "gelu"}


def test_every_file_of_a_checkpoint(tmp_path):
    params = {"a": {"kernel": np.arange(600, dtype=np.float32).reshape(20, 30)}, "logit_scale": np.float32(2.5)}
    state = {"params": params, "step": np.int32(7)}
    with Checkpoints(tmp_path / "c", best_metric="accuracy") as checkpoints:
        checkpoints.save(7, jax.tree.map(jax.numpy.asarray, state), META, {"accuracy": 0.5})
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state)
    files = sorted(path for path in (tmp_path / "c").rglob("*") if path.is_file())
    assert {"checksums.json", "metadata"} <= {path.name for path in files}
    errors = []
    for _ in flip_bits(files, 5 * len(files)):
        reader = Checkpoints(tmp_path / "c")
        try:
            assert reader.best() == 7
            assert reader.read_meta(7) == META
            assert_same(reader.restore(shapes, 7), state)
        except NegjaxError as error:
            errors.append(str(error))
    assert len(errors) > 3 * len(files)
    assert all(str(tmp_path / "c") in error for error in errors)
