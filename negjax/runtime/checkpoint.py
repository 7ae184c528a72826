"""Writing checkpoints in the background, and resuming from the newest one that is intact.

A checkpoint is moved to its name DIRECTORY/STEP when all its files and their checksums are written, so it exists
completely or not at all. `negjax.runtime.checkpoint_reader` reads checkpoints.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime import orbax_io
from negjax.runtime.checkpoint_reader import CheckpointReader, shorten_error
from negjax.runtime.checksums import find_damage, write_checksums
from negjax.runtime.distributed import broadcast_from_first, is_first_process
from negjax.runtime.orbax_io import META, PARAMS, TRAINING, ArrayTree

logger = logging.getLogger(__name__)


class Checkpoints(CheckpointReader):
    """The checkpoints of a directory, to read and, from the first `save` on, to write; a context manager.

    Leaving the context waits for what is still being written. In a run of several processes all of them must call
    `save` and `restore`.
    """

    def __init__(self, directory: epath.PathLike, keep: int = 3, best_metric: str | None = None):
        """Sets up the directory; creates nothing.

        Args:
            directory: local or in a store.
            keep: number of the last checkpoints that are kept.
            best_metric: name of a metric; the checkpoint where it is highest is kept too.
        """
        super().__init__(directory)
        self._keep = keep
        self._best_metric = best_metric
        self._manager: Any = None  # Orbax's, from the first save on
        self._saving_step = 0

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        manager, self._manager = self._manager, None
        if manager:
            with self._writing():
                manager.close()

    def save(
        self,
        step: int,
        state: Mapping[str, ArrayTree],
        meta: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Starts to write a checkpoint; returns when the arrays may be changed or donated.

        Older checkpoints are removed when this one is complete.

        Args:
            step: number of the checkpoint.
            state: "params" and any other trees of arrays that training needs.
            meta: JSON-able.
            metrics: of this step, of which `best_metric` is stored.

        Raises:
            NegjaxError: the step exists already, or it or the one before cannot be written.
        """
        if step in self.steps():
            raise NegjaxError(f"{self._folder(step)} exists already: use another workdir")
        stored_metrics = {
            name: float(value)
            for name, value in (metrics or {}).items()
            if name == self._best_metric and math.isfinite(value)
        }
        with self._writing():
            if self._manager is None:
                self._manager = orbax_io.open_manager(
                    self.directory, self._keep, self._best_metric, self._write_checksums
                )
            self._manager.wait_until_finished()
            self._saving_step = step
            orbax_io.start_save(self._manager, step, state, meta, stored_metrics)

    def wait(self) -> None:
        """Waits until everything that was saved is on disk.

        Raises:
            NegjaxError: it could not be written.
        """
        if self._manager:
            with self._writing():
                self._manager.wait_until_finished()

    def newest_step(self) -> int:
        """The newest step that has a checkpoint, which may be damaged, for all processes; 0 if there is none."""
        newest = max(self.steps(), default=0) if is_first_process() else 0
        return int(broadcast_from_first(np.array(newest)))  # type: ignore[call-overload]

    def restore_newest(self, abstract_state: Mapping[str, ArrayTree]) -> dict[str, ArrayTree] | None:
        """Reads the state of the newest intact checkpoint, to resume a run.

        Damaged checkpoints after it are removed with a warning; the run will write them again. Process 0 decides for
        all.

        Args:
            abstract_state: as for `restore`.

        Returns:
            The state, None if there is no checkpoint.

        Raises:
            NegjaxError: as for `restore`. If all checkpoints are damaged nothing is removed.
        """
        steps, intact = [], -1
        if is_first_process() and (steps := self.steps()):
            intact = self._remove_damaged(steps)
        agreed = broadcast_from_first(np.array([max(steps, default=-1), intact]))
        newest, intact = map(int, agreed)  # type: ignore[call-overload]
        if newest < 0:
            return None
        return self.restore(abstract_state, newest) if intact < 0 else self._restore_verified(abstract_state, intact)

    def _remove_damaged(self, steps: Sequence[int]) -> int:
        """Removes the damaged checkpoints after the last intact one, and returns its step; -1 if none is intact."""
        damaged: dict[int, str] = {}
        for step in reversed(steps):
            folder = self._folder(step)
            damage = next(filter(None, (find_damage(folder, item) for item in (PARAMS, TRAINING, META))), None)
            if damage is None:
                for later_step, reason in damaged.items():
                    logger.warning("checkpoint %s is damaged (%s): removed", self._folder(later_step), reason)
                    self._folder(later_step).rmtree()
                if damaged:
                    logger.warning("the run resumes from step %d of %s", step, self.directory)
                return step
            damaged[step] = damage
        return -1

    def _write_checksums(self) -> None:
        """Called by Orbax when all files are written, before the checkpoint is moved to its name."""
        if is_first_process():
            write_checksums(orbax_io.temporary_folder(self.directory, self._saving_step))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns errors of Orbax and TensorStore, which raise anything down to plain Exception, into a NegjaxError."""
        try:
            yield
        except Exception as error:
            raise NegjaxError(f"cannot write a checkpoint to {self.directory}: {shorten_error(error)}") from error
