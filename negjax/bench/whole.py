"""Evaluations of three tasks as whole processes, from the start of Python to the figures. No JAX, no PyTorch."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from negjax.bench.settings import BenchSettings
from negjax.bench.workload import Workload
from negjax.errors import NegjaxError

METRICS = {"mcq": "accuracy", "retrieval": "image_retrieval_recall@5"}


def negjax_evaluation(settings: BenchSettings) -> Workload:
    """`negjax eval` on the weights of the comparison, without embeddings of a run before."""

    def evaluate() -> tuple[dict[str, float], int]:
        out = tempfile.mkdtemp(dir=settings.folder)
        words = ["--model", f"{settings.folder}/weights", "--tasks", ",".join(settings.tasks)]
        words += ["--data-dir", settings.data_dir, "--out", out]
        _, peak = _run(["negjax.cli", "eval", *words])
        tasks = json.loads(Path(out, "results.json").read_text())["tasks"]
        shutil.rmtree(out)
        return {name: tasks[name]["metrics"][METRICS[tasks[name]["kind"]]] for name in settings.tasks}, peak

    return _workload(settings, evaluate)


def plain_evaluation(settings: BenchSettings) -> Workload:
    """PyTorch's plain script."""
    return _workload(settings, lambda: _run_script(settings, "plain"))


def smart_evaluation(settings: BenchSettings) -> Workload:
    """PyTorch's smart script."""
    return _workload(settings, lambda: _run_script(settings, "smart"))


def _run_script(settings: BenchSettings, script: str) -> tuple[dict[str, float], int]:
    output, peak = _run(["negjax.bench.pytorch.evaluate", settings.folder, script])
    return json.loads(output.splitlines()[-1]), peak


def _workload(settings: BenchSettings, evaluate: Callable[[], tuple[dict[str, Any], int]]) -> Workload:
    figures, peak = evaluate()

    def run(times: int) -> None:
        nonlocal peak
        for _ in range(times):
            peak = max(peak, evaluate()[1])

    results = {"figures": [figures[name] for name in settings.tasks]}
    return Workload(run, len(settings.tasks), "tasks", lambda: (peak, "host"), results=results)


def _run(words: Sequence[str]) -> tuple[str, int]:
    """Output and peak bytes of `python -m WORDS`, once it has ended.

    Raises:
        NegjaxError: it failed.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as messages:
        process = subprocess.Popen([sys.executable, "-m", *words], stdout=output, stderr=messages)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)  # so that subprocess does not wait for it again
        for file in (output, messages):
            file.seek(0)
        if process.returncode:
            last = (messages.read().strip().splitlines() or ["no message"])[-1]
            raise NegjaxError(f"{' '.join(words[:2])} fails with status {process.returncode}: {last}")
        return output.read(), usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
