"""Compiled programs on disk, so that a command that ran before starts without compiling."""

import hashlib
import os
import platform
from collections.abc import MutableMapping
from pathlib import Path

MOST_BYTES = 10 * 2**30  # after which JAX removes the programs that were not used for longest


def keep_compiled_programs(environment: MutableMapping[str, str] = os.environ) -> None:
    """Lets JAX keep what it compiles in a folder of the user's cache; to be called before JAX is imported.

    JAX_COMPILATION_CACHE_DIR=FOLDER selects another folder, JAX_ENABLE_COMPILATION_CACHE=0 none.

    Args:
        environment: that of this process and those that it starts.
    """
    if "JAX_COMPILATION_CACHE_DIR" in environment:
        return
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    environment["JAX_COMPILATION_CACHE_DIR"] = str(cache / "negjax" / "xla" / _machine())
    environment.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(MOST_BYTES))


def _machine() -> str:
    """The kind of this machine's CPU: a home folder may be shared, and programs for another kind may crash."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(errors="replace").splitlines() if cpus.exists() else []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
