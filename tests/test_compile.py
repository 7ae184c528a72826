"""Every shipped training config through the TPU's compiler, and what is wrong said in one line."""

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from support.command import environment_without, run_process

from negjax.commands.compile import COMPILER
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
    env = environment_without("XLA_FLAGS", "JAX_PLATFORMS", "JAX_COMPILATION_CACHE_DIR")
    return run_process("compile", *words, env=env)


def compiled(tmp_path: Path, *words: object, config: Path = CONFIGS / "scenes_pretrain.py") -> dict:
    """What `--json` says, for four chips of v5e unless told otherwise."""
    file = tmp_path / "found.json"
    done = run("--config", config, "--topology", "v5e:2x2", "--json", file, *words)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "memory per chip" in done.stdout
    return json.loads(file.read_text())


def sent(found: dict, *kinds: str) -> int:
    return sum(each["bytes"] for each in found["collectives"] if each["kind"] in kinds)


@pytest.mark.tpu_aot
@needs_libtpu
@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_every_training_config_compiles_for_a_small_pod(path, tmp_path):
    arch = load_config(Experiment, str(path)).model.arch or "tiny-quickgelu"
    found = compiled(tmp_path, f"--config.model.arch={arch}", config=path)
    assert (found["chips"], found["mesh"], found["fits"]) == (4, {"data": 4, "fsdp": 1, "tensor": 1}, True)
    assert found["memory"]["peak"] >= found["memory"]["arguments"] > 1e7
    assert found["memory_traffic"] > found["memory"]["arguments"]  # all are read, and the state is written
    assert found["step_seconds"] == max(found["at_best"][name] for name in ("compute", "memory", "collectives"))
    assert 0 < found["mfu"] <= 1
    assert sent(found, "all-reduce") > 0


@pytest.mark.tpu_aot
@needs_libtpu
@pytest.mark.parametrize(("remat", "scan"), [("none", "false"), ("full", "true")])
def test_fsdp_takes_less_memory_and_moves_no_activations(tmp_path, remat, scan):
    """Kernels are gathered in bfloat16, forward and backward, and their gradients summed in float32, once each."""
    words = ["--config.model.dtype=bfloat16", f"--config.model.remat={remat}", f"--config.model.scan={scan}"]
    whole, cut = (compiled(tmp_path, *words, f"--config.mesh.fsdp={fsdp}") for fsdp in (1, 4))
    assert cut["memory"]["arguments"] < 0.3 * whole["memory"]["arguments"]
    assert cut["memory"]["peak"] < whole["memory"]["peak"]
    sizes = jax.tree.leaves_with_path(jax.tree.map(lambda leaf: math.prod(leaf.shape), abstract_params(ARCH)))
    kernels = sum(size for path, size in sizes if "/blocks/" in name(path) and name(path).endswith("kernel"))
    others = sum(size for path, size in sizes if "/blocks/" not in name(path))
    least = 3 / 4 * (2 * 2 * kernels + 2 * others)
    assert least <= sent(cut, "all-gather") <= 1.1 * (least + 3 / 4 * 2 * others)  # these in either type
    # The compiler may sum all and throw the rest away, which sends twice as much.
    least = 3 / 4 * 4 * (kernels + others)
    assert least <= sent(cut, "all-reduce", "reduce-scatter") <= 1.1 * 2 * least


def name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


@pytest.mark.tpu_aot
@needs_libtpu
def test_a_program_that_the_compiler_cannot_write_down(tmp_path):
    found = compiled(tmp_path, "--topology", "v5p:2x2x1", "--config.mesh.fsdp=4", "--config.model.scan=true")
    assert found["fits"]
    if found["collectives"] is None:  # libtpu 0.0.52; a later one may say
        assert found["at_best"].keys() == {"compute"}
    else:
        assert sent(found, "all-gather") > 0


@pytest.mark.tpu_aot
@needs_libtpu
def test_micro_batches_send_their_gradients_once(tmp_path):
    once, parts = (compiled(tmp_path, f"--config.loss.micro_batches={number}") for number in (1, 4))
    assert sent(parts, "all-reduce") == pytest.approx(sent(once, "all-reduce"), rel=0.02)
    assert parts["at_best"]["compute"] == pytest.approx(4 / 3 * once["at_best"]["compute"])


@pytest.mark.tpu_aot
@needs_libtpu
def test_gradients_are_summed_over_devices_in_float32(tmp_path):
    """Also where products are computed in bfloat16: as many bytes are reduced, four for each parameter."""
    reduced = [
        sent(compiled(tmp_path, f"--config.model.dtype={dtype}"), "all-reduce") for dtype in ("float32", "bfloat16")
    ]
    parameters = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(abstract_params(ARCH)))
    assert min(reduced) >= 2 * 4 * parameters * 3 // 4  # there and back along a ring of four
    assert reduced[1] == pytest.approx(reduced[0], rel=0.01)


FLOAT32 = """
import jax, jax.numpy as jnp
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding
from negjax.models import clip
from negjax.models.compute import Compute
from negjax.models.presets import preset
config = preset("tiny")
chip = topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2").devices[0]
def on_chip(*leaf):
    return jax.ShapeDtypeStruct(*leaf, sharding=SingleDeviceSharding(chip))
params = jax.tree.map(lambda leaf: on_chip(leaf.shape, leaf.dtype), clip.abstract_params(config))
pixels = on_chip((16, 40, 40, 3), jnp.float32)
for dtype in ("float32", "bfloat16"):
    def loss(params, pixels):
        return clip.encode_image(config, params, pixels, Compute(dtype)).sum()
    print(jax.jit(jax.grad(loss)).lower(params, pixels).compile().as_text().count("bf16["))
"""


@pytest.mark.tpu_aot
@needs_libtpu
def test_float32_is_not_rounded_forward_or_backward():
    done = subprocess.run([sys.executable, "-c", FLOAT32], capture_output=True, text=True, env=COMPILER)
    assert done.returncode == 0, done.stderr
    float32, bfloat16 = map(int, done.stdout.split())
    assert float32 == 0 < bfloat16


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
