"""metrics.jsonl: the figures of a run as JSON lines."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from negjax.errors import NegjaxError
from negjax.runtime.files import write_atomic


class MetricsLog:
    """A local file with one JSON object a line, each with its "step". Lines are on disk as soon as they are written."""

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
        """Appends an object. JSON has no number for infinity and not-a-number: they become null."""
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("a", encoding="utf-8")
            self._file.write(json.dumps(finite) + "\n")
            self._file.flush()
        except OSError as error:
            raise NegjaxError(f"cannot write {self.path}: {error.strerror}") from error

    def last_step(self) -> int:
        """The last step of a whole line, 0 where there is none."""
        return int(max((step for line in self._lines() if (step := _step(line)) < math.inf), default=0))

    def cut_back(self, step: int) -> None:
        """Drops what was written after `step`, and a line that was cut off; call it before the first `write`."""
        lines = self._lines()
        kept = [line for line in lines if _step(line) <= step]
        if kept != lines:
            write_atomic(self.path, "".join(f"{line}\n" for line in kept))

    def _lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8", errors="replace").splitlines() if self.path.exists() else []


def _step(line: str) -> float:
    """The step of a line; infinity for a line that is not whole."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf
