"""The metrics of a run as JSON lines: WORKDIR/metrics.jsonl."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from negjax.errors import NegjaxError
from negjax.runtime.files import write_atomic

METRICS_FILE = "metrics.jsonl"


class MetricsLog:
    """A local file with one JSON object a line, each with its "step"; a context manager.

    Lines are on disk as soon as they are written.

    Attributes:
        path: the file, which the first `write` creates.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._file: TextIO | None = None

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def write(self, values: Mapping[str, Any]) -> None:
        """Appends a line.

        Args:
            values: with "step". Infinity and NaN, which JSON does not have, become null.

        Raises:
            NegjaxError: the file cannot be written.
        """
        json_values = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("a", encoding="utf-8")
            self._file.write(json.dumps(json_values) + "\n")
            self._file.flush()
        except OSError as error:
            raise NegjaxError(f"cannot write {self.path}: {error.strerror}") from error

    def last_step(self) -> int:
        """Returns the last step of a complete line, 0 without any."""
        return int(max((step for line in self._read_lines() if (step := _parse_step(line)) < math.inf), default=0))

    def truncate_after(self, step: int) -> None:
        """Removes the lines of steps after `step` and incomplete lines. To be called before the first `write`."""
        lines = self._read_lines()
        kept = [line for line in lines if _parse_step(line) <= step]
        if kept != lines:
            write_atomic(self.path, "".join(f"{line}\n" for line in kept))

    def _read_lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8", errors="replace").splitlines() if self.path.exists() else []


def _parse_step(line: str) -> float:
    """The step of a line; infinity for an incomplete line."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf
