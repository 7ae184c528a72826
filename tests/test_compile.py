"""Every shipped training config through the TPU's compiler, and what is wrong said in one line."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from negjax.compile import model_flops
from negjax.config import Experiment, Source, load_config
from negjax.errors import NegjaxError
from negjax.models.flops import image_flops, text_flops
from negjax.models.presets import preset
from negjax.runtime.chips import chip_of

CONFIGS = Path(__file__).parent.parent / "configs"
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
def test_fsdp_takes_less_memory_and_gathers(tmp_path):
    found = []
    for fsdp in (1, 4):
        file = tmp_path / f"{fsdp}.json"
        words = ["--config.model.arch=ViT-B-32", "--config.model.scan=true", f"--config.mesh.fsdp={fsdp}"]
        done = run("--config", CONFIGS / "scenes_pretrain.py", "--topology", "v5e:2x2", "--json", file, *words)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(file.read_text()))
    assert found[1]["memory"]["arguments"] < 0.3 * found[0]["memory"]["arguments"]
    gathered = [sum(each["bytes"] for each in one["collectives"] if each["kind"] == "all-gather") for one in found]
    assert gathered[1] > 10 * gathered[0]


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


def test_model_operations_of_a_step():
    config = preset("tiny")
    sources = {"a": Source("x", 8, contrastive=1.0, mcq=1.0), "b": Source("y", 4, sigmoid=1.0)}
    values = {"model": {"arch": "tiny"}, "data_dir": "", "steps": 10}
    experiment = Experiment(**load(values, sources))
    image, text = image_flops(config), text_flops(config, 20)
    assert model_flops(experiment, config, 20) == 3 * (12 * image + (8 * 5 + 4) * text)
    frozen = Experiment(**load(values | {"optim": {"freeze": ("visual/.*",)}}, sources))
    assert model_flops(frozen, config, 20) == 12 * image + 3 * (8 * 5 + 4) * text


def load(values: dict, sources: dict) -> dict:
    from negjax.config import ModelSpec, Optim

    made = values | {"model": ModelSpec(**values["model"]), "sources": sources}
    return made | ({"optim": Optim(**values["optim"])} if "optim" in values else {})


def test_chips():
    assert chip_of("v5e:4x4").memory == 16 * 2**30
    with pytest.raises(NegjaxError, match="it begins with one of"):
        chip_of("v9:2x2")
