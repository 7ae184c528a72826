"""Every shipped training config through the TPU's compiler, and what is wrong said in one line."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from negjax.config import Experiment
from negjax.config_file import load_config
from negjax.models.clip import abstract_params
from negjax.models.presets import preset

CONFIGS = Path(__file__).parent.parent / "configs"
ARCH = preset("tiny-quickgelu")  # of the scenes
TRAINING = sorted(path for path in CONFIGS.glob("*.py") if not path.name.startswith("eval_"))

needs_libtpu = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="needs the TPU's compiler: pip install libtpu"
)


def run(*words: object) -> subprocess.CompletedProcess:
    env = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_PLATFORMS")}
    command = [sys.executable, "-m", "negjax.cli", "compile", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=env)


@pytest.mark.tpu_aot
@needs_libtpu
@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_every_training_config_compiles_for_a_small_pod(path, tmp_path):
    arch = load_config(Experiment, str(path)).model.arch or "tiny-quickgelu"
    words = [
        "--config",
        path,
        "--topology",
        "v5e:2x2",
        "--json",
        tmp_path / "found.json",
        f"--config.model.arch={arch}",
    ]
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["chips"], found["mesh"], found["fits"]) == (4, {"data": 4, "fsdp": 1, "tensor": 1}, True)
    assert found["memory"]["peak"] >= found["memory"]["arguments"] > 1e7
    assert 0 < found["mfu"] <= 1
    assert "all-reduce" in {each["kind"] for each in found["collectives"]}
    assert "memory of each" in done.stdout


@pytest.mark.tpu_aot
@needs_libtpu
def test_fsdp_takes_less_memory_and_moves_no_activations(tmp_path):
    """Kernels are gathered in bfloat16, forward and backward, and their gradients summed in float32, once each."""
    found = []
    for fsdp in (1, 4):
        file = tmp_path / f"{fsdp}.json"
        words = ["--config.model.dtype=bfloat16", f"--config.mesh.fsdp={fsdp}"]
        done = run("--config", CONFIGS / "scenes_pretrain.py", "--topology", "v5e:2x2", "--json", file, *words)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(file.read_text()))
    assert found[1]["memory"]["arguments"] < 0.3 * found[0]["memory"]["arguments"]
    assert found[1]["memory"]["peak"] < found[0]["memory"]["peak"]
    sizes = jax.tree.leaves_with_path(jax.tree.map(lambda leaf: math.prod(leaf.shape), abstract_params(ARCH)))
    kernels = sum(size for path, size in sizes if "/blocks/" in name(path) and name(path).endswith("kernel"))
    others = sum(size for path, size in sizes if "/blocks/" not in name(path))
    gathered = {each["kind"]: each["bytes"] for each in found[1]["collectives"]}
    least = 3 / 4 * (2 * 2 * kernels + 2 * others)
    assert least <= gathered["all-gather"] <= 1.1 * (least + 3 / 4 * 2 * others)  # these in either type
    summed = gathered["all-reduce"] + gathered["reduce-scatter"]
    assert 3 / 4 * 4 * (kernels + others) <= summed <= 1.1 * 2 * 3 / 4 * 4 * (kernels + others)


def name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


@pytest.mark.tpu_aot
@needs_libtpu
def test_micro_batches_send_their_gradients_once(tmp_path):
    reduced = []
    for micro_batches in (1, 4):
        file = tmp_path / f"{micro_batches}.json"
        words = ["--topology", "v5e:2x2", "--json", file, f"--config.loss.micro_batches={micro_batches}"]
        done = run("--config", CONFIGS / "scenes_pretrain.py", *words)
        assert done.returncode == 0, done.stderr
        found = json.loads(file.read_text())
        reduced.append(sum(each["bytes"] for each in found["collectives"] if each["kind"] == "all-reduce"))
    assert reduced[1] == pytest.approx(reduced[0], rel=0.02)


@pytest.mark.tpu_aot
@needs_libtpu
def test_gradients_are_summed_over_devices_in_float32(tmp_path):
    """Also where products are computed in bfloat16: as many bytes are reduced, four for each parameter."""
    reduced = []
    for dtype in ("float32", "bfloat16"):
        file = tmp_path / f"{dtype}.json"
        words = ["--topology", "v5e:2x2", "--json", file, f"--config.model.dtype={dtype}"]
        done = run("--config", CONFIGS / "scenes_pretrain.py", *words)
        assert done.returncode == 0, done.stderr
        found = json.loads(file.read_text())
        reduced.append(sum(each["bytes"] for each in found["collectives"] if each["kind"] == "all-reduce"))
    parameters = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(abstract_params(ARCH)))
    assert min(reduced) >= 2 * 4 * parameters * 3 // 4  # there and back along a ring of four
    assert reduced[1] == pytest.approx(reduced[0], rel=0.01)


@pytest.mark.tpu_aot
@needs_libtpu
def test_what_is_wrong_is_said_in_one_line():
    for words, message in (
        (["--topology", "v5e:3x5"], "--topology v5e:3x5"),
        (["--topology", "v5e:2x2", "--config.mesh.fsdp=3"], "config.mesh: fsdp 3"),
        (["--topology", "v5e:2x2", "--config.sources.captions.batch_size=6"], "batch_size is 6"),
        (["--topology", "v5e:2x2", "--tokens", 78], "--tokens 78"),
        (["--topology", "h100:8"], "--topology h100:8: it begins with one of v4, v5e, v5p, v6e"),
    ):
        done = run("--config", CONFIGS / "scenes_pretrain.py", *words)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
