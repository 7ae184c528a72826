"""What a training run logged."""

import json
from pathlib import Path

from negjax.runtime.metrics_log import METRICS_FILE
from negjax.runtime.step_timer import TIMING_KEYS


def logged_lines(workdir: Path) -> list[dict]:
    """The lines of the run's metrics.jsonl."""
    return [json.loads(line) for line in (workdir / METRICS_FILE).read_text().splitlines()]


def untimed_lines(workdir: Path) -> list[dict]:
    """The same without the timings: what does not differ between two equal runs."""
    return [{key: value for key, value in line.items() if key not in TIMING_KEYS} for line in logged_lines(workdir)]
