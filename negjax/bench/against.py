"""`negjax bench --against open_clip`: the same work by two scripts of PyTorch and by this package, in turns."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from negjax.bench.comparisons import COMPARISONS, CONTENDERS
from negjax.bench.inputs import draw_inputs
from negjax.bench.machine import describe_devices, load_average
from negjax.bench.settings import BenchSettings
from negjax.bench.timings import figures, speedup
from negjax.bench.worker import BenchProcess
from negjax.errors import NegjaxError
from negjax.runtime.progress import track_progress

# Largest difference of results, over their length: rounding, and for figures of tasks a few items that swap.
TOLERANCES = {"float32": 1e-3, "bfloat16": 5e-2}
FIGURES_TOLERANCE = 2e-2


def compare_all(settings: BenchSettings, names: Sequence[str]) -> dict[str, Any]:
    """Compares, and returns what is written to --json.

    Args:
        settings: the size of the work.
        names: keys of COMPARISONS.

    Raises:
        NegjaxError: PyTorch or open_clip is missing, the sides have other devices or results, or a process was killed.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the sides share the memory of a GPU
    with BenchProcess("open_clip") as process:
        versions = process.call(check_open_clip)
    with BenchProcess("the inputs") as process:
        machine = process.call(describe_devices)
        check_one_device(machine)
        process.call(draw_inputs, settings)
        process.call(export_inputs, settings)
    machine |= {"pytorch": versions, "load_average_before": load_average()}
    compared = {}
    with track_progress(len(names), "comparing") as done:
        for name in names:
            compared[name] = _compare(settings, name)
            done(1)
    machine["load_average_after"] = load_average()
    return {"machine": machine, "comparisons": compared}


def check_open_clip() -> dict[str, str]:
    """Versions of PyTorch and open_clip; to be called in a process of its own.

    Raises:
        NegjaxError: they do not import.
    """
    try:
        from negjax.bench.pytorch.peer import versions
    except (ImportError, RuntimeError, OSError) as error:  # the latter two from binaries that do not belong together
        reason = " ".join(str(error).split())
        raise NegjaxError(
            f'--against open_clip needs PyTorch and open_clip ({reason}): pip install "negjax[torch]"'
        ) from error
    return versions()


def check_one_device(machine: Mapping[str, Any]) -> None:
    """Checks that negjax has no more devices than PyTorch, whose scripts use one GPU.

    Args:
        machine: `describe_devices`; on a CPU several devices are the same cores.

    Raises:
        NegjaxError: it has.
    """
    if machine["device_count"] > 1 and machine["software"]["backend"] != "cpu":
        raise NegjaxError(
            f"--against open_clip compares on one device, here are {machine['software']['devices']}: set "
            "CUDA_VISIBLE_DEVICES=0"
        )


def export_inputs(settings: BenchSettings) -> None:
    """As `negjax.bench.exports.write_exports`, which imports JAX: to be called in a process of its own."""
    from negjax.bench.exports import write_exports

    write_exports(settings)


def _compare(settings: BenchSettings, name: str) -> dict[str, Any]:
    comparison = COMPARISONS[name]
    warmup = settings.warmup if comparison.warmed else 0
    with ExitStack() as stack:
        sides = {side: stack.enter_context(BenchProcess(f"{name} ({side})")) for side in CONTENDERS}
        works = {side: process.prepare(comparison.targets[side], settings, warmup) for side, process in sides.items()}
        differences = check_agreement(name, works, TOLERANCES[settings.dtype])
        seconds: dict[str, list[float]] = {side: [] for side in CONTENDERS}
        for _ in range(settings.rounds):
            for side, process in sides.items():
                seconds[side].append(process.time_round())
        rows = {side: figures(seconds[side], works[side], *sides[side].peak_bytes()) for side in CONTENDERS}
    speedups = {side: speedup(seconds["negjax"], seconds[side]) for side in CONTENDERS if side != "negjax"}
    return {"sides": rows, "negjax_is_faster_than": speedups, "differences": differences}


def check_agreement(name: str, works: Mapping[str, Mapping[str, Any]], tolerance: float) -> dict[str, float]:
    """Checks that all sides computed the same on one kind of device.

    Args:
        name: of the comparison.
        works: side -> `Workload.describe`.
        tolerance: the largest difference of two results, as vectors, over the length of negjax's.

    Returns:
        "SIDE: RESULT" -> the difference.

    Raises:
        NegjaxError: they did not.
    """
    devices = {side: work["device"] for side, work in works.items()}
    if len(set(devices.values())) > 1:
        kinds = ", ".join(f"{side} {device}" for side, device in devices.items())
        raise NegjaxError(f"{name}: the sides run on different devices ({kinds}): set JAX_PLATFORMS=cpu, or cuda")
    differences = {}
    for side, work in works.items():
        for key, values in works["negjax"]["results"].items():
            own, other = np.array(values), np.array(work["results"][key])
            difference = float(np.linalg.norm(other - own) / np.linalg.norm(own)) if own.any() else float(other.any())
            limit = FIGURES_TOLERANCE if key == "figures" else tolerance
            if not difference <= limit:
                raise NegjaxError(
                    f"{name}: {key} by {side} differ from negjax's by {difference:.1e} of their length, more than "
                    f"{limit:.0e}: the times would be of different work"
                )
            if side != "negjax":
                differences[f"{side}: {key}"] = difference
    return differences
