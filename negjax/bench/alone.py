"""`negjax bench`: measures of this package, one after the other, each in a process of its own."""

from collections.abc import Sequence
from typing import Any

from negjax.bench.inputs import draw_inputs
from negjax.bench.machine import describe_devices, load_average
from negjax.bench.measures.table import MEASURES
from negjax.bench.settings import BenchSettings
from negjax.bench.timings import figures
from negjax.bench.worker import BenchProcess
from negjax.runtime.progress import track_progress


def measure_all(settings: BenchSettings, names: Sequence[str]) -> dict[str, Any]:
    """Measures, and returns what is written to --json.

    Args:
        settings: the size of the work.
        names: keys of MEASURES.

    Raises:
        NegjaxError: a work cannot be done at this size, or its process was killed.
    """
    with BenchProcess("the drawing of inputs") as process:
        process.call(draw_inputs, settings)
    with BenchProcess("the devices") as process:
        machine = process.call(describe_devices)
    machine["load_average_before"] = load_average()
    measured = {}
    with track_progress(len(names), "measuring") as done:
        for name in names:
            measured[name] = _measure(settings, name)
            done(1)
    machine["load_average_after"] = load_average()
    return {"machine": machine, "measures": measured}


def _measure(settings: BenchSettings, name: str) -> dict[str, Any]:
    measure = MEASURES[name]
    rounds = min(settings.rounds, measure.most_rounds or settings.rounds)
    with BenchProcess(name) as process:
        work = process.prepare(measure.target, settings, settings.warmup if measure.warmed else 0)
        seconds = [process.time_round() for _ in range(rounds)]
        return figures(seconds, work, *process.peak_bytes())
