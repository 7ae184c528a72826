"""launch/env.sh: what it sets, and that this JAX knows its flags."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENV = Path(__file__).parents[2] / "launch" / "env.sh"


def after(platform: str, **variables: str) -> dict[str, str]:
    """The environment that env.sh makes of nothing but PATH, HOME and the variables."""
    script = 'source "$0" "$1" && env -0'
    kept = {"PATH": os.environ["PATH"], "HOME": "/home/me"}
    command = ["bash", "-euo", "pipefail", "-c", script, ENV, platform]
    done = subprocess.run(command, env=kept | variables, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


@pytest.mark.parametrize("platform", ["tpu", "gpu"])
def test_what_is_compiled_is_kept(platform):
    assert after(platform)["JAX_COMPILATION_CACHE_DIR"] == "/home/me/.cache/negjax/xla"
    assert after(platform, JAX_COMPILATION_CACHE_DIR="gs://b/c")["JAX_COMPILATION_CACHE_DIR"] == "gs://b/c"


def test_cpu_leaves_accelerators_alone():
    assert after("cpu")["JAX_PLATFORMS"] == "cpu"
    assert "JAX_COMPILATION_CACHE_DIR" not in after("cpu")


def test_what_is_given_wins():
    mine = "--xla_gpu_enable_latency_hiding_scheduler=false"
    assert after("gpu", XLA_FLAGS=mine)["XLA_FLAGS"].endswith(mine)
    assert after("gpu", XLA_PYTHON_CLIENT_MEM_FRACTION="0.5")["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.5"
    assert "deterministic" not in after("gpu")["XLA_FLAGS"]
    assert "--xla_gpu_deterministic_ops=true" in after("gpu", DETERMINISTIC="1")["XLA_FLAGS"]


def test_jax_knows_the_flags():
    """XLA ends the process at a flag that it does not know."""
    environment = after("gpu", DETERMINISTIC="1") | {"JAX_PLATFORMS": "cpu"}
    ask = [sys.executable, "-c", "import jax; print(jax.device_count())"]
    done = subprocess.run(ask, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    wrong = environment | {"XLA_FLAGS": "--xla_gpu_no_such_flag=true"}
    assert subprocess.run(ask, env=wrong, capture_output=True, check=False).returncode != 0


def test_unknown_platforms_are_refused():
    done = subprocess.run(["bash", "-c", f". {ENV} abacus"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "tpu, gpu or cpu" in done.stderr
