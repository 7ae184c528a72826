"""Compiled programs are kept in the user's cache, unless the environment says otherwise."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment_without

from negjax.runtime.compilation_cache import MOST_BYTES, keep_compiled_programs

PROGRAM = """
from negjax.runtime.compilation_cache import keep_compiled_programs
keep_compiled_programs()
import jax
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
print(jax.jit(lambda x: (x @ x).sum())(jax.numpy.ones((8, 8))))
print(hits.count("/jax/compilation_cache/cache_hits") > 0)
"""


def run(home: Path, **environment: str) -> str:
    names = ("JAX_COMPILATION_CACHE_DIR", "JAX_COMPILATION_CACHE_MAX_SIZE", "XDG_CACHE_HOME")
    settings = {"HOME": str(home), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    env = environment_without(*names) | settings | environment
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, text=True, capture_output=True, check=True)
    return done.stdout.split()[-1]


def test_the_second_process_finds_what_the_first_compiled(tmp_path):
    assert (run(tmp_path), run(tmp_path)) == ("False", "True")
    assert list((tmp_path / ".cache" / "negjax" / "xla").glob("*/*-cache"))


def test_no_cache(tmp_path):
    assert run(tmp_path, JAX_ENABLE_COMPILATION_CACHE="0") == "False"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("folder", ["/elsewhere", "gs://bucket/xla"])
def test_the_users_folder_stays(folder):
    environment = {"JAX_COMPILATION_CACHE_DIR": folder}
    keep_compiled_programs(environment)
    assert environment == {"JAX_COMPILATION_CACHE_DIR": folder}


def test_the_place_of_caches():
    environment = {"XDG_CACHE_HOME": "/scratch/cache", "JAX_COMPILATION_CACHE_MAX_SIZE": "-1"}
    keep_compiled_programs(environment)
    assert environment["JAX_COMPILATION_CACHE_DIR"].startswith("/scratch/cache/negjax/xla/")
    assert environment["JAX_COMPILATION_CACHE_MAX_SIZE"] == "-1"
    empty = {"XDG_CACHE_HOME": ""}
    keep_compiled_programs(empty)
    assert Path(empty["JAX_COMPILATION_CACHE_DIR"]).is_relative_to(Path.home() / ".cache" / "negjax")
    assert empty["JAX_COMPILATION_CACHE_MAX_SIZE"] == str(MOST_BYTES)
