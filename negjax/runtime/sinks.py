"""The sinks of a run's metrics: always WORKDIR/metrics.jsonl, optionally TensorBoard and Weights & Biases.

A sink is a context manager with `write(values)`, which takes the object of a line of metrics.jsonl with its "step".
"""

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from etils import epath

from negjax.config import Logging
from negjax.errors import NegjaxError
from negjax.runtime.metrics_log import METRICS_FILE, MetricsLog
from negjax.runtime.tensorboard_log import TENSORBOARD_FOLDER, TensorBoardLog
from negjax.runtime.wandb_log import WandbLog


class MetricSink(Protocol):
    """Takes the metrics of a step."""

    def write(self, values: Mapping[str, Any]) -> None: ...


def check_sinks(logging_config: Logging) -> None:
    """Checks that the packages of the configured sinks are installed.

    Args:
        logging_config: which sinks to write to.

    Raises:
        NegjaxError: a package is missing.
    """
    for setting, package in (("tensorboard", "tensorboardX"), ("wandb", "wandb")):
        if getattr(logging_config, setting) and importlib.util.find_spec(package) is None:
            raise NegjaxError(f'config.logging.{setting} needs {package}: pip install "negjax[{setting}]"')


@contextmanager
def open_sinks(
    folder: Path, workdir: epath.Path, logging_config: Logging, first: int, config: Mapping[str, Any]
) -> Iterator[list[MetricSink]]:
    """Opens the sinks of a run that starts or resumes at a step; later steps that they hold are dropped or hidden.

    Args:
        folder: a local folder for the files: the workdir, or what will be copied there.
        workdir: of the run.
        logging_config: which sinks to write to.
        first: the step that the run starts from.
        config: of the experiment, for W&B.

    Yields:
        The sinks, metrics.jsonl first.

    Raises:
        NegjaxError: a sink cannot be opened.
    """
    with ExitStack() as stack:
        log = MetricsLog(folder / METRICS_FILE)
        last_logged_step = log.last_step()
        log.truncate_after(first)
        sinks: list[MetricSink] = [stack.enter_context(log)]
        if logging_config.tensorboard:
            sinks.append(stack.enter_context(TensorBoardLog(folder / TENSORBOARD_FOLDER, first)))
        if logging_config.wandb:
            sinks.append(stack.enter_context(WandbLog(workdir, logging_config.wandb, last_logged_step, config)))
        yield sinks
