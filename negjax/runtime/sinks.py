"""The sinks of a run's metrics: always WORKDIR/metrics.jsonl, optionally TensorBoard and Weights & Biases.

A sink is a context manager with `write(values)`, which takes the object of a line of metrics.jsonl with its "step".
"""

import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from etils import epath

from negjax.config import Logging
from negjax.errors import NegjaxError
from negjax.runtime.metrics_log import METRICS_FILE, MetricsLog
from negjax.runtime.tensorboard_log import TENSORBOARD_FOLDER, TensorBoardLog
from negjax.runtime.wandb_log import WandbLog

logger = logging.getLogger(__name__)


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
            tensorboard = TensorBoardLog(folder / TENSORBOARD_FOLDER, first)
            sinks.append(stack.enter_context(OptionalSink(tensorboard, "TensorBoard")))
        if logging_config.wandb:
            wandb = WandbLog(workdir, logging_config.wandb, last_logged_step, config)
            sinks.append(stack.enter_context(OptionalSink(wandb, "W&B")))
        yield sinks


class OptionalSink:
    """A sink that is dropped with a warning when it fails: metrics.jsonl has all metrics. A context manager."""

    def __init__(self, sink: TensorBoardLog | WandbLog, name: str) -> None:
        """Takes an open sink and its name for the warning."""
        self._sink: TensorBoardLog | WandbLog | None = sink
        self._name = name

    def __enter__(self) -> "OptionalSink":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._sink is not None:
            self._attempt(partial(self._sink.__exit__, *error))

    def write(self, values: Mapping[str, Any]) -> None:
        """Writes the metrics of values["step"]."""
        if self._sink is not None:
            self._attempt(partial(self._sink.write, values))

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # W&B raises many types
            self._sink = None
            logger.warning("%s gets no more metrics (%s); metrics.jsonl has all of them", self._name, error)
