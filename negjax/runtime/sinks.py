"""Where the figures of a run go: WORKDIR/metrics.jsonl always, TensorBoard and Weights & Biases where they are wanted.

A sink is a context manager with `write(values)`: an object of a line of metrics.jsonl, with its "step".
"""

import importlib.util
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from etils import epath

from negjax.config import Logging
from negjax.errors import NegjaxError
from negjax.runtime.files import is_local, write_atomic
from negjax.runtime.metrics_log import MetricsLog

METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"  # folder of event files
WANDB = "wandb.json"  # the id of the run at W&B


class Sink(Protocol):
    def write(self, values: Mapping[str, Any]) -> None: ...


def check_sinks(wanted: Logging) -> None:
    """Raises NegjaxError where what is wanted needs a package that is not installed."""
    for setting, package in (("tensorboard", "tensorboardX"), ("wandb", "wandb")):
        if getattr(wanted, setting) and importlib.util.find_spec(package) is None:
            raise NegjaxError(f'config.logging.{setting} needs {package}: pip install "negjax[{setting}]"')


@contextmanager
def open_sinks(
    folder: Path, workdir: epath.Path, wanted: Logging, first: int, config: Mapping[str, Any]
) -> Iterator[list[Sink]]:
    """All sinks of a run that goes on from step `first`: what an earlier life of it wrote after that counts no more.

    folder: where files are written, the workdir or what will be copied there. config: of the experiment, for W&B.
    """
    with ExitStack() as stack:
        log = MetricsLog(folder / METRICS)
        logged = log.last_step()
        log.cut_back(first)
        sinks: list[Sink] = [stack.enter_context(log)]
        if wanted.tensorboard:
            sinks.append(stack.enter_context(TensorBoard(folder / TENSORBOARD, first)))
        if wanted.wandb:
            sinks.append(stack.enter_context(WeightsAndBiases(workdir, wanted.wandb, logged, config)))
        yield sinks


class TensorBoard:
    """A new event file in a local folder; lines are on disk as soon as they are written.

    first: TensorBoard hides what earlier files of the folder tell of later steps. Raises NegjaxError where nothing can
    be written.
    """

    def __init__(self, folder: Path, first: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"), f".{time.time_ns()}")
        except OSError as error:
            raise self._error(error) from error
        self._write(step=first + 1, session_log=SessionLog(status=SessionLog.START))

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def write(self, values: Mapping[str, Any]) -> None:
        from tensorboardX.proto.summary_pb2 import Summary

        figures = [Summary.Value(tag=name, simple_value=value) for name, value in values.items() if name != "step"]
        self._write(step=values["step"], summary=Summary(value=figures))

    def _write(self, **event: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        try:
            self._writer.write_event(Event(wall_time=time.time(), **event))
            self._writer.flush()
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> NegjaxError:
        return NegjaxError(f"cannot write {self._folder}: {error.strerror or error}")


class WeightsAndBiases:
    """A run at W&B, the same whenever the workdir's run is taken up again: its id stands in WORKDIR/wandb.json.

    W&B takes no step back, so steps that it has are not sent again; they have the same figures, but for the timings.
    project: "PROJECT" or "ENTITY/PROJECT". logged: the last step in the run's log; offline, where W&B cannot be asked,
    that is what it has. W&B's own files go to WORKDIR/wandb or, where the workdir is in a store, to ./wandb. Raises
    NegjaxError where W&B does not answer.
    """

    def __init__(self, workdir: epath.Path, project: str, logged: int, config: Mapping[str, Any]) -> None:
        import wandb

        entity, _, name = project.rpartition("/")
        try:
            self._run = wandb.init(
                entity=entity or None,
                project=name,
                id=_run_id(workdir / WANDB),
                resume="allow",
                name=workdir.name,
                config=dict(config),
                dir=str(workdir) if is_local(workdir) else None,
                settings=wandb.Settings(console="off"),
            )
        except wandb.Error as error:
            reason = " ".join(str(error).split())
            raise NegjaxError(
                f"config.logging.wandb={project}: W&B does not start ({reason}): see `wandb login`, or go on without "
                "a network by WANDB_MODE=offline"
            ) from error
        self._after = logged if self._run.offline else self._run.starting_step - 1

    def __enter__(self) -> "WeightsAndBiases":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.finish(exit_code=int(kind is not None))

    def write(self, values: Mapping[str, Any]) -> None:
        if values["step"] > self._after:
            self._run.log({name: value for name, value in values.items() if name != "step"}, step=values["step"])


def _run_id(path: epath.Path) -> str:
    """The id that stands in the file, which is written with a new one where there is none."""
    if not path.exists():
        write_atomic(path, json.dumps({"id": uuid.uuid4().hex}) + "\n")
    try:
        return json.loads(path.read_text())["id"]
    except (ValueError, KeyError, TypeError) as error:
        raise NegjaxError(f"{path} is damaged: remove it, and W&B begins a new run") from error
