"""Metrics as TensorBoard's event files."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from negjax.errors import NegjaxError

TENSORBOARD_FOLDER = "tensorboard"  # of event files, in the workdir


class TensorBoardLog:
    """Writes a new event file; events are on disk as soon as they are written. A context manager.

    tensorboardX's SummaryWriter would do the same later and in another thread, where errors are lost.
    """

    def __init__(self, folder: Path, first: int) -> None:
        """Opens an event file. TensorBoard hides what earlier files of the folder hold of steps after `first`.

        Args:
            folder: a local folder, which is created if it is missing.
            first: the step that the run starts from.

        Raises:
            NegjaxError: the folder cannot be written to.
        """
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"), f".{time.time_ns()}")
        except OSError as error:
            raise self._error(error) from error
        self._write_event(step=first + 1, session_log=SessionLog(status=SessionLog.START))

    def __enter__(self) -> "TensorBoardLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def write(self, values: Mapping[str, Any]) -> None:
        """Writes the metrics of values["step"].

        Raises:
            NegjaxError: the file cannot be written.
        """
        from tensorboardX.proto.summary_pb2 import Summary

        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items() if name != "step"]
        self._write_event(step=values["step"], summary=Summary(value=scalars))

    def _write_event(self, **fields: Any) -> None:
        """Writes an event of these fields to disk."""
        from tensorboardX.proto.event_pb2 import Event

        try:
            self._writer.write_event(Event(wall_time=time.time(), **fields))
            self._writer.flush()
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> NegjaxError:
        return NegjaxError(f"cannot write {self._folder}: {error.strerror or error}")
