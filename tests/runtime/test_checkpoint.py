import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.trees import assert_same

from negjax.errors import NegjaxError
from negjax.runtime.checkpoint import Checkpoints

META = {"arch": {"name": "tiny", "eps": 1e-05}, "config": {"freeze": ["a/.*"], "none": None}}


def new_state(seed=0, width=300):
    """An optimizer state with all that optax puts into one: empty and masked nodes, named tuples, counters."""
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal((200, width)).astype(np.float32)
    kernel[0, :5] = [np.nan, np.inf, -0.0, 1e-45, np.finfo(np.float32).max]
    params = {
        "visual": {"blocks": {"0": {"kernel": jnp.array(kernel)}, "10": {"bias": jnp.zeros(3)}}},
        "logit_scale": jnp.float32(2.6593),
    }
    decays = {"visual": {"blocks": {"0": {"kernel": True}, "10": {"bias": False}}}, "logit_scale": False}
    adamw = optax.adamw(optax.cosine_decay_schedule(1e-3, 10), mu_dtype=jnp.bfloat16, mask=decays)
    optimizer = optax.multi_transform(
        {"learn": optax.chain(optax.clip_by_global_norm(1.0), adamw), "freeze": optax.set_to_zero()},
        {"visual": {"blocks": {"0": {"kernel": "learn"}, "10": {"bias": "freeze"}}}, "logit_scale": "learn"},
    )
    grads = jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.1), params)
    _, opt_state = optimizer.update(grads, optimizer.init(params), params)
    return {"params": params, "opt_state": opt_state, "step": jnp.int32(7)}


def abstract(tree):
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), tree)


def contents(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*")}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A directory with one checkpoint of new_state(), step 7."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoints"
    with Checkpoints(folder, best_metric="task/accuracy") as checkpoints:
        checkpoints.save(7, new_state(), META, {"task/accuracy": 0.5, "other": 1.0})
    return folder


def test_restores_every_bit(saved):
    checkpoints = Checkpoints(saved)
    assert_same(checkpoints.restore(abstract(new_state(1))), new_state())
    assert checkpoints.read_meta(7) == META


def test_restores_from_abstract_shapes_alone(saved):
    shapes = jax.eval_shape(new_state)  # no shardings
    restored = Checkpoints(saved).restore(shapes, 7)
    assert_same(restored, new_state())
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(restored))  # on the host


def test_parameters_alone(saved, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "checkpoints")
    shutil.rmtree(folder / "7" / "training")
    checkpoints = Checkpoints(folder)
    assert_same(checkpoints.restore_params(7, abstract(new_state(1)["params"])), new_state()["params"])
    with pytest.raises(NegjaxError, match=r"damaged \(training/.* is missing\)"):
        checkpoints.restore(abstract(new_state()))


def test_reading_changes_nothing(saved, tmp_path):
    before = contents(saved)
    with Checkpoints(saved, keep=1, best_metric="task/accuracy") as checkpoints:
        assert checkpoints.steps() == [7]
        assert (checkpoints.latest(), checkpoints.best()) == (7, 7)
        checkpoints.restore(abstract(new_state()))
        checkpoints.read_meta(7)
    assert contents(saved) == before

    with Checkpoints(tmp_path / "none") as checkpoints:
        assert (checkpoints.steps(), checkpoints.latest(), checkpoints.best()) == ([], None, None)
        with pytest.raises(NegjaxError, match=f"no checkpoint found in {tmp_path}/none"):
            checkpoints.restore(abstract(new_state()))
    assert not (tmp_path / "none").exists()


def test_arrays_may_be_donated_right_after_saving(tmp_path):
    overwrite = jax.jit(lambda x: x * 0 - 1, donate_argnums=0)
    values = np.random.default_rng(0).standard_normal((2000, 1000)).astype(np.float32)
    state = {"params": {"x": jnp.array(values)}, "step": jnp.int32(1)}
    shapes = abstract(state)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state, {})
        x = state["params"]["x"]
        for _ in range(3):
            x = overwrite(x)
        x.block_until_ready()
    assert np.array_equal(Checkpoints(tmp_path).restore(shapes)["params"]["x"], values)


def test_keeps_the_last_and_the_best(tmp_path):
    state = {"params": {"x": jnp.zeros(2)}, "step": jnp.int32(0)}
    figures = {10: 0.5, 20: 0.9, 30: None, 40: 0.9, 50: float("nan"), 60: 0.7, 70: 0.1}
    with Checkpoints(tmp_path, keep=2, best_metric="mcq/accuracy") as checkpoints:
        for step, figure in figures.items():
            if step == 60:
                break
            checkpoints.save(step, state, {}, None if figure is None else {"mcq/accuracy": figure, "loss": 9.0})
        checkpoints.wait()
        assert checkpoints.steps() == [40, 50]  # the later of equals
    with Checkpoints(tmp_path, keep=2, best_metric="mcq/accuracy") as checkpoints:  # after a restart
        for step in (60, 70):
            checkpoints.save(step, state, {}, {"mcq/accuracy": np.float32(figures[step])})
    assert Checkpoints(tmp_path).steps() == [40, 60, 70]
    assert Checkpoints(tmp_path).best() == 40
    assert [Checkpoints(tmp_path).resolve_step(which) for which in ("best", "latest", "60", 60)] == [40, 70, 60, 60]


def test_without_a_best_metric_only_the_last_are_kept(tmp_path):
    state = {"params": {"x": jnp.zeros(2)}, "step": jnp.int32(0)}
    with Checkpoints(tmp_path, keep=1) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, state, {}, {"accuracy": 1 / step})
    assert Checkpoints(tmp_path).steps() == [3]
    with pytest.raises(NegjaxError, match=f"no checkpoint in {tmp_path} has a metric to compare"):
        Checkpoints(tmp_path).resolve_step("best")


def test_unknown_steps(saved, tmp_path):
    with pytest.raises(NegjaxError, match=f"no checkpoint of step 8 in {saved}; choose one of 7"):
        Checkpoints(saved).resolve_step(8)
    with pytest.raises(NegjaxError, match="unknown step 'newest'; choose latest, best or a number"):
        Checkpoints(saved).resolve_step("newest")
    for which in ("latest", "best", "7"):
        with pytest.raises(NegjaxError, match=f"no checkpoint found in {tmp_path}/none"):
            Checkpoints(tmp_path / "none").resolve_step(which)


def test_an_interrupted_save_is_no_checkpoint(saved, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "checkpoints")
    half = shutil.copytree(folder / "7", folder / "8.orbax-checkpoint-tmp")
    (half / "checksums.json").unlink()
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.steps() == [7]
        assert half.exists()  # reading deletes nothing
        checkpoints.save(8, new_state(1), META)
    assert not half.exists()
    assert_same(Checkpoints(folder).restore(abstract(new_state())), new_state(1))


def test_a_step_is_written_once(saved):
    before = contents(saved)
    with Checkpoints(saved) as checkpoints, pytest.raises(NegjaxError, match=f"{saved}/7 exists already"):
        checkpoints.save(7, new_state(1), META)
    assert contents(saved) == before


def test_unwritable_directory(tmp_path, capfd):
    (tmp_path / "file").write_text("")
    wanted = pytest.raises(NegjaxError, match=f"^cannot write a checkpoint to {tmp_path}/file/checkpoints: .+")
    with wanted, Checkpoints(tmp_path / "file" / "checkpoints") as checkpoints:
        checkpoints.save(1, new_state(), META)
    assert capfd.readouterr().err == ""


def test_a_full_disk_is_one_line_and_the_last_checkpoint_stays(saved, tmp_path, capfd):
    folder = shutil.copytree(saved, tmp_path / "checkpoints")
    large = {"params": {"x": jax.random.normal(jax.random.key(0), (1000, 1000))}, "step": jnp.int32(8)}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Checkpoints(folder) as checkpoints:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
            checkpoints.save(8, large, META)
            with pytest.raises(NegjaxError, match=f"^cannot write a checkpoint to {folder}: .*File too large") as error:
                checkpoints.wait()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert "\n" not in str(error.value)
        assert checkpoints.steps() == [7]
        checkpoints.save(9, large, META)
    assert Checkpoints(folder).steps() == [7, 9]
    assert capfd.readouterr().err == ""


DAMAGES = {
    "deleted": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "altered": lambda path: path.write_bytes(bytes(byte ^ 255 for byte in path.read_bytes())),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_every_damaged_file_is_one_clear_line(saved, tmp_path, how, capfd):
    """Each file of the checkpoint in turn: refused in one line, or not needed and the state is right."""
    refused = set()
    for original in sorted(path for path in (saved / "7").rglob("*") if path.is_file()):
        folder = shutil.copytree(saved, tmp_path / "checkpoints", dirs_exist_ok=True)
        path = folder / original.relative_to(saved)
        DAMAGES[how](path)
        checkpoints = Checkpoints(folder)
        message = ""
        try:
            checkpoints.best()
            assert checkpoints.read_meta(7) == META
            assert_same(checkpoints.restore(abstract(new_state())), new_state())
        except NegjaxError as error:
            message = str(error)
            refused.add(path.relative_to(folder / "7").parts[0])
        assert not message or message.startswith(f"checkpoint {folder}/7 is damaged (")
        assert "\n" not in message
        shutil.rmtree(folder)
    assert refused == {"params", "training", "meta", "metrics", "checksums.json"}
    assert capfd.readouterr().err == ""


def test_an_empty_folder_is_a_damaged_checkpoint(saved, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "checkpoints")
    (folder / "9").mkdir()
    with pytest.raises(NegjaxError, match=f"checkpoint {folder}/9 is damaged .*resume from another step .*: 7"):
        Checkpoints(folder).restore(abstract(new_state()))


def test_another_architecture_or_optimizer(saved, capfd):
    checkpoints = Checkpoints(saved)
    with pytest.raises(NegjaxError) as wider:
        checkpoints.restore_params(7, abstract(new_state(width=301)["params"]))
    assert "another model or optimizer: 1 arrays differ, first visual/blocks/0/kernel: " in str(wider.value)
    assert "float32[200, 300] in the checkpoint, float32[200, 301] in this run" in str(wider.value)

    params = abstract(new_state()["params"])
    deeper = params | {"extra": {"kernel": jax.ShapeDtypeStruct((3,), jnp.float32)}}
    with pytest.raises(NegjaxError, match=r"extra/kernel: missing in the checkpoint, float32\[3\] in this run"):
        checkpoints.restore_params(7, deeper)
    with pytest.raises(NegjaxError, match=r"logit_scale: float32\[\] in the checkpoint, missing in this run"):
        checkpoints.restore_params(7, {"visual": params["visual"]})
    half = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, jnp.bfloat16), params)
    with pytest.raises(NegjaxError, match=r"float32.* in the checkpoint, bfloat16.* in this run"):
        checkpoints.restore_params(7, half)

    plain = optax.sgd(0.1).init(new_state()["params"])
    with pytest.raises(NegjaxError, match="another model or optimizer"):
        checkpoints.restore(abstract(new_state() | {"opt_state": plain}))
    assert capfd.readouterr().err == ""


SAVE_ON_EIGHT = """
import sys, jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from negjax.runtime.checkpoint import Checkpoints
from negjax.runtime.mesh import make_mesh, replicated
mesh = make_mesh()
x = np.arange(64, dtype=np.float32).reshape(16, 4)
state = {
    "params": {"split": jax.device_put(x, NamedSharding(mesh, PartitionSpec("data")))},
    "step": jax.device_put(np.int32(5), replicated(mesh)),
}
with Checkpoints(sys.argv[1]) as checkpoints:
    checkpoints.save(5, state, {})
"""


@pytest.mark.slow
def test_saved_on_eight_devices_and_restored_on_one(tmp_path):
    environment = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run(
        [sys.executable, "-c", SAVE_ON_EIGHT, tmp_path], capture_output=True, text=True, env=environment
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    shapes = {"params": {"split": jax.ShapeDtypeStruct((16, 4), jnp.float32)}, "step": jax.ShapeDtypeStruct((), "i4")}
    restored = Checkpoints(tmp_path).restore(shapes)
    assert np.array_equal(restored["params"]["split"], np.arange(64).reshape(16, 4))
    assert restored["step"] == 5


def test_a_relative_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Checkpoints("run/checkpoints") as checkpoints:
        checkpoints.save(1, new_state(), META)
    assert_same(Checkpoints("run/checkpoints").restore(abstract(new_state())), new_state())
    sums = json.loads((tmp_path / "run/checkpoints/1/checksums.json").read_text())
    assert all((tmp_path / "run/checkpoints/1" / name).stat().st_size == size for name, (size, _) in sums.items())
