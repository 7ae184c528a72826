"""Reading checkpoints: DIRECTORY/STEP/{params,training,meta,metrics}, with checksums of all files.

Every item is compared with its checksums before it is used, since Orbax would take altered bytes for weights. Nothing
is created or removed.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime import orbax_io
from negjax.runtime.checksums import find_damage
from negjax.runtime.orbax_io import META, METRICS, PARAMS, TRAINING, ArrayTree
from negjax.runtime.paths import is_local

EMA = "ema"  # entry of the item "training": the running average of the parameters


class CheckpointReader:
    """The checkpoints of a directory.

    Attributes:
        directory: local or in a store; it need not exist.
    """

    def __init__(self, directory: epath.PathLike):
        path = epath.Path(directory)
        self.directory = path.absolute() if is_local(path) else path

    def steps(self) -> list[int]:
        """Returns the steps of the finished checkpoints, ascending."""
        return orbax_io.list_steps(self.directory)

    def latest(self) -> int | None:
        """Returns the last step, None without any."""
        return max(self.steps(), default=None)

    def best(self) -> int | None:
        """Returns the step with the highest metric, the later one of equals; None if no checkpoint has a metric.

        The metric is that of the last checkpoint that has one.
        """
        metrics = {step: self._read_metrics(step) for step in self.steps()}
        names = [name for step in sorted(metrics) for name in metrics[step]]
        if not names:
            return None
        return max((values[names[-1]], step) for step, values in metrics.items() if names[-1] in values)[1]

    def resolve_step(self, step: str | int) -> int:
        """Returns the step that "latest", "best" or a number means.

        Raises:
            NegjaxError: there is no such checkpoint.
        """
        if step == "latest":
            return self.existing_step()
        if step == "best":
            best = self.best() if self.existing_step() is not None else None
            if best is None:
                raise NegjaxError(
                    f"no checkpoint in {self.directory} has a metric to compare (config.evaluation.best): use latest"
                )
            return best
        if not str(step).isdecimal():
            raise NegjaxError(f"unknown step {step!r}; choose latest, best or a number")
        return self.existing_step(int(step))

    def existing_step(self, step: int | None = None) -> int:
        """Returns `step`, or the last one for None.

        Raises:
            NegjaxError: there is no such checkpoint.
        """
        steps = self.steps()
        if not steps:
            raise NegjaxError(f"no checkpoint found in {self.directory}: train first, or give another folder")
        if step is not None and step not in steps:
            raise NegjaxError(f"no checkpoint of step {step} in {self.directory}; choose one of {join_steps(steps)}")
        return steps[-1] if step is None else step

    def restore(self, abstract_state: Mapping[str, ArrayTree], step: int | None = None) -> dict[str, ArrayTree]:
        """Reads the state of a step.

        Args:
            abstract_state: the tree that was saved, with jax.ShapeDtypeStructs for arrays. Their shardings may differ
                from those at the time of saving; arrays without one are read as NumPy arrays.
            step: the latest by default.

        Raises:
            NegjaxError: there is no such checkpoint, it is damaged, or it is of another model or optimizer.
        """
        step = self.existing_step(step)
        for item in (PARAMS, TRAINING):
            self._verify(step, item)
        return self._restore_verified(abstract_state, step)

    def restore_params(self, step: int, abstract_params: ArrayTree) -> ArrayTree:
        """Reads only the parameters of a step. Arguments and errors are those of `restore`."""
        step = self.existing_step(step)
        self._verify(step, PARAMS)
        return self._read_item(step, PARAMS, abstract_params)

    def restore_ema(self, step: int, abstract_params: ArrayTree) -> ArrayTree:
        """Reads the running average of the parameters. Arguments and errors are those of `restore`.

        Raises:
            NegjaxError: also if the checkpoint has no running average.
        """
        step = self.existing_step(step)
        folder = self._folder(step) / TRAINING
        if folder.is_dir():
            self._verify(step, TRAINING)
            with self._reading(step):
                entries = orbax_io.stored_tree(folder)
            if EMA in entries:
                return self._read_item(step, TRAINING, {EMA: abstract_params}, only=(EMA,))[EMA]
        raise NegjaxError(
            f"checkpoint {self._folder(step)} has no EMA of the weights: train with config.optim.ema, or omit --ema"
        )

    def read_meta(self, step: int) -> dict[str, Any]:
        """Returns the metadata of a step.

        Raises:
            NegjaxError: there is no such checkpoint, or it is damaged.
        """
        return self._read_json(self.existing_step(step), META)

    def _folder(self, step: int) -> epath.Path:
        return self.directory / str(step)

    def _restore_verified(self, abstract_state: Mapping[str, ArrayTree], step: int) -> dict[str, ArrayTree]:
        """Reads the state of a step whose checksums have been compared."""
        abstract_training = {key: tree for key, tree in abstract_state.items() if key != PARAMS}
        params = self._read_item(step, PARAMS, abstract_state[PARAMS])
        return {PARAMS: params, **self._read_item(step, TRAINING, abstract_training)}

    def _read_item(self, step: int, item: str, abstract_tree: ArrayTree, only: Sequence[str] = ()) -> ArrayTree:
        """Reads an item, or only some of its entries, after comparing its arrays with `abstract_tree`."""
        folder = self._folder(step) / item
        with self._reading(step):
            stored = orbax_io.stored_tree(folder)
            stored = {key: stored[key] for key in only} if only else stored
            self._compare(step, orbax_io.describe_arrays(stored), orbax_io.describe_arrays(abstract_tree))
            return orbax_io.read_tree(folder, abstract_tree, partial=bool(only))

    def _read_json(self, step: int, item: str) -> dict[str, Any]:
        self._verify(step, item)
        with self._reading(step):
            return orbax_io.read_json(self._folder(step), item)

    def _read_metrics(self, step: int) -> dict[str, float]:
        return self._read_json(step, METRICS) if (self._folder(step) / METRICS).is_dir() else {}

    def _verify(self, step: int, item: str) -> None:
        """Raises NegjaxError if the files of an item differ from their checksums."""
        if damage := find_damage(self._folder(step), item):
            raise self._damaged(step, damage)

    def _compare(self, step: int, stored: dict[str, str], expected: dict[str, str]) -> None:
        """Raises NegjaxError if arrays are missing or of another shape or type; both as `describe_arrays` gives."""
        differing = [path for path in {**expected, **stored} if stored.get(path) != expected.get(path)]
        if differing:
            stored_array, expected_array = (arrays.get(differing[0], "missing") for arrays in (stored, expected))
            raise NegjaxError(
                f"checkpoint {self._folder(step)} is of another model or optimizer: {len(differing)} arrays differ, "
                f"first {differing[0]}: {stored_array} in the checkpoint, {expected_array} in this run; use the config "
                "that wrote it, or another workdir"
            )

    def _damaged(self, step: int, reason: object) -> NegjaxError:
        others = join_steps(other for other in self.steps() if other != step)
        return NegjaxError(
            f"checkpoint {self._folder(step)} is damaged ({shorten_error(reason)}): copy it again, or remove it "
            f"and resume from another step (there are: {others or 'none'})"
        )

    @contextmanager
    def _reading(self, step: int) -> Iterator[None]:
        """Turns errors of Orbax and TensorStore, which raise anything down to plain Exception, into a NegjaxError."""
        try:
            yield
        except NegjaxError:
            raise
        except Exception as error:
            raise self._damaged(step, error) from error


def join_steps(steps: Iterable[int]) -> str:
    """Returns "10, 20, 30"."""
    return ", ".join(str(step) for step in steps)


def shorten_error(reason: object) -> str:
    """Returns an error message in one line: the system error first, and only both ends of a long message."""
    text = " ".join(str(reason).split()) or type(reason).__name__
    if code := re.search(r"os_error_code=\W*(\d+)", text):
        text = f"{os.strerror(int(code[1]))}: {text}"
    return text if len(text) <= 240 else f"{text[:100]} ... {text[-130:]}"
