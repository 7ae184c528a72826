"""Checkpoints: DIRECTORY/STEP/{params,training,meta}, written in the background, whole or not there at all.

The only file that knows Orbax. Each checkpoint carries checksums of its files, without which Orbax would take
altered bytes for weights. Reading neither creates nor deletes anything, but for `restore_newest`.
"""

import json
import logging
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint import checkpoint_managers as policies

from negjax.errors import NegjaxError
from negjax.runtime import checksums
from negjax.runtime.distributed import from_first, is_first
from negjax.runtime.files import is_local

Tree = Any
STATE = ("params", "training")
EMA = "ema"
METRICS = "metrics"  # Orbax's name for the folder and the file of a step's figures

logger = logging.getLogger(__name__)
# Orbax logs every step it takes, and tracebacks of what it raises anyway, under absl's name.
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


class Checkpoints:
    """The checkpoints of a directory, for reading and, from the first `save` on, for writing.

    keep: how many of the last are kept. best_metric: name of a figure; the checkpoint where it is highest is
    kept too. Use as a context manager: leaving it waits for what is still being written. In a run of several
    processes all of them call `save` and `restore`.
    """

    def __init__(self, directory: epath.PathLike, keep: int = 3, best_metric: str | None = None):
        place = epath.Path(directory)
        self.directory = place.absolute() if is_local(place) else place
        self._keep = keep
        self._best_metric = best_metric
        self._manager: ocp.CheckpointManager | None = None
        self._saving = 0

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        manager, self._manager = self._manager, None
        if manager:
            with self._writing():
                manager.close()

    def steps(self) -> list[int]:
        """Steps of the checkpoints on disk, in rising order; what is still being written is none."""
        if not self.directory.is_dir():
            return []
        found = ocp.path.step.standard_name_format().find_all(self.directory)
        return sorted(metadata.step for metadata in found)

    def latest(self) -> int | None:
        """The last step, None without any."""
        return max(self.steps(), default=None)

    def best(self) -> int | None:
        """The step with the highest figure, the later one of equals; None when no checkpoint has a figure.

        Which figure counts is what the last checkpoint that has one says.
        """
        figures = {step: self._figures(step) for step in self.steps()}
        names = [name for step in sorted(figures) for name in figures[step]]
        if not names:
            return None
        return max((held[names[-1]], step) for step, held in figures.items() if names[-1] in held)[1]

    def save(
        self,
        step: int,
        state: Mapping[str, Tree],
        meta: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Starts to write a checkpoint and returns once the arrays may change, or be donated, again.

        state: "params" and whatever else training needs, trees of arrays. meta: JSON-able. metrics:
        figures of this step, of which `best_metric` counts. Old checkpoints go once this one is whole. Raises
        NegjaxError when this step exists already, and when it or the one before it cannot be written.
        """
        if step in self.steps():
            raise NegjaxError(f"{self.directory / str(step)} exists already: use another workdir")
        figures = {
            name: float(value)
            for name, value in (metrics or {}).items()
            if name == self._best_metric and math.isfinite(value)
        }
        items = {"params": ocp.args.StandardSave(state["params"]), "meta": ocp.args.JsonSave(dict(meta))}
        if rest := {key: tree for key, tree in state.items() if key != "params"}:
            items["training"] = ocp.args.StandardSave(rest)
        with self._writing():
            if self._manager is None:
                self._manager = self._open()
            self._manager.wait_until_finished()
            self._saving = step
            self._manager.save(step, args=ocp.args.Composite(**items), metrics=figures, force=True)

    def wait(self) -> None:
        """Returns when everything saved is on disk. Raises NegjaxError when it could not be written."""
        if self._manager:
            with self._writing():
                self._manager.wait_until_finished()

    def restore(self, abstract_state: Mapping[str, Tree], step: int | None = None) -> dict[str, Tree]:
        """The state of a step (the latest by default), laid out as `abstract_state` says.

        abstract_state: the tree given to `save` with jax.ShapeDtypeStructs for arrays; their shardings may
        differ from those at the time of saving (one without stays on the host, in NumPy). Raises NegjaxError
        when there is no such checkpoint, it is damaged, or another model or optimizer wrote it.
        """
        step = self.existing(step)
        for item in STATE:
            self._verify(step, item)
        return self._restore(abstract_state, step)

    def restore_newest(self, abstract_state: Mapping[str, Tree]) -> dict[str, Tree] | None:
        """The state of the newest checkpoint that is whole, None when there is none at all; for a run that goes on.

        Damaged ones after it are removed with a warning: the run will write them again. Arguments and errors as in
        `restore`; when all are damaged nothing is removed. Process 0 alone decides and checks.
        """
        steps, whole = [], -1
        if is_first() and (steps := self.steps()):
            whole = self._go_back(steps)
        newest, whole = map(int, from_first(np.array([max(steps, default=-1), whole])))  # type: ignore[call-overload]
        if newest < 0:
            return None
        return self.restore(abstract_state, newest) if whole < 0 else self._restore(abstract_state, whole)

    def restore_params(self, step: int, abstract_params: Tree) -> Tree:
        """Only the parameters of a step; nothing else of it is read. Arguments and errors as in `restore`."""
        step = self.existing(step)
        self._verify(step, "params")
        return self._read(step, "params", abstract_params)

    def restore_ema(self, step: int, abstract_params: Tree) -> Tree:
        """The running average of the parameters, "ema" of the state; else as `restore_params`.

        Raises NegjaxError also when the checkpoint has none.
        """
        step = self.existing(step)
        folder = self.directory / str(step) / "training"
        if folder.is_dir():
            self._verify(step, "training")
            with self._reading(step):
                stored = ocp.PyTreeCheckpointHandler().metadata(folder).tree
            if EMA in stored:
                return self._read(step, "training", {EMA: abstract_params}, only=(EMA,))[EMA]
        raise NegjaxError(
            f"checkpoint {self.directory / str(step)} has no EMA of the weights: train with config.optim.ema, "
            "or leave --ema out"
        )

    def read_meta(self, step: int) -> dict[str, Any]:
        """The `meta` of a step. Raises NegjaxError when there is no such checkpoint or it is damaged."""
        return self._read_json(self.existing(step), "meta", "metadata")

    def existing(self, step: int | None = None) -> int:
        """`step`, or the last one for None. Raises NegjaxError when there is no such checkpoint."""
        steps = self.steps()
        if not steps:
            raise NegjaxError(f"there is no checkpoint in {self.directory}")
        if step is not None and step not in steps:
            raise NegjaxError(f"no checkpoint of step {step} in {self.directory}; there are {_join(steps)}")
        return steps[-1] if step is None else step

    def _open(self) -> ocp.CheckpointManager:
        _drop_late_answers()
        options = ocp.CheckpointManagerOptions(
            preservation_policy=_LatestAndBest(self._keep, self._best_metric),
            best_fn=lambda figures: figures.get(self._best_metric, -math.inf),  # without it none are stored
            cleanup_tmp_directories=True,
            async_options=ocp.AsyncOptions(post_finalization_callback=self._write_checksums),
        )
        return ocp.CheckpointManager(self.directory, options=options)

    def _write_checksums(self) -> None:
        """Called when all files are written and the checkpoint is about to be moved to its final name."""
        if is_first():
            temporary = self.directory / f"{self._saving}.orbax-checkpoint-tmp"
            checksums.write(temporary if temporary.exists() else self.directory / str(self._saving))

    def _go_back(self, steps: Sequence[int]) -> int:
        """The last of the steps whose checkpoint is whole, once those after it are removed; -1 when none is."""
        damaged: dict[int, str] = {}
        for step in reversed(steps):
            folder = self.directory / str(step)
            problems = [checksums.problem(folder, item) for item in (*STATE, "meta")]
            if not any(problems):
                for later, problem in damaged.items():
                    logger.warning("checkpoint %s is damaged (%s): removed", self.directory / str(later), problem)
                    (self.directory / str(later)).rmtree()
                if damaged:
                    logger.warning("the run goes back to step %d of %s", step, self.directory)
                return step
            damaged[step] = next(problem for problem in problems if problem)
        return -1

    def _restore(self, abstract_state: Mapping[str, Tree], step: int) -> dict[str, Tree]:
        rest = {key: tree for key, tree in abstract_state.items() if key != "params"}
        params = self._read(step, "params", abstract_state["params"])
        return {"params": params, **self._read(step, "training", rest)}

    def _read(self, step: int, item: str, abstract: Tree, only: Sequence[str] = ()) -> Tree:
        """only: the entries of the item that are read and compared; all without it."""
        folder = self.directory / str(step) / item
        with self._reading(step):
            stored = ocp.PyTreeCheckpointHandler().metadata(folder).tree
            stored = {key: stored[key] for key in only} if only else stored
            self._compare(step, _arrays(stored), _arrays(abstract))
            how = jax.tree.map(_where, abstract)
            with ocp.PyTreeCheckpointer() as reader:
                wanted = ocp.args.PyTreeRestore(abstract, restore_args=how, partial_restore=bool(only))
                return reader.restore(folder, args=wanted)

    def _read_json(self, step: int, item: str, file: str) -> dict[str, Any]:
        self._verify(step, item)
        with self._reading(step):
            return json.loads((self.directory / str(step) / item / file).read_text())

    def _figures(self, step: int) -> dict[str, float]:
        stored = (self.directory / str(step) / METRICS).is_dir()
        return self._read_json(step, METRICS, METRICS) if stored else {}

    def _verify(self, step: int, item: str) -> None:
        if problem := checksums.problem(self.directory / str(step), item):
            raise self._damaged(step, problem)

    def _compare(self, step: int, stored: dict[str, str], wanted: dict[str, str]) -> None:
        differing = [key for key in {**wanted, **stored} if stored.get(key) != wanted.get(key)]
        if differing:
            there, here = (arrays.get(differing[0], "missing") for arrays in (stored, wanted))
            raise NegjaxError(
                f"checkpoint {self.directory / str(step)} is of another model or optimizer: {len(differing)} "
                f"arrays differ, first {differing[0]}, {there} there and {here} here: use the config that "
                "wrote it, or another workdir"
            )

    def _damaged(self, step: int, reason: object) -> NegjaxError:
        others = _join(other for other in self.steps() if other != step)
        return NegjaxError(
            f"checkpoint {self.directory / str(step)} is damaged ({_line(reason)}): copy it there again, or "
            f"remove that folder and go on from another step (there are: {others or 'none'})"
        )

    @contextmanager
    def _reading(self, step: int) -> Iterator[None]:
        try:
            yield
        except NegjaxError:
            raise
        except Exception as error:  # Orbax and TensorStore raise anything, down to plain Exception
            raise self._damaged(step, error) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # likewise
            raise NegjaxError(f"cannot write a checkpoint to {self.directory}: {_line(error)}") from error


def resolve_step(directory: epath.PathLike, which: str | int) -> int:
    """The step that "latest", "best" or a number means. Raises NegjaxError when there is none."""
    checkpoints = Checkpoints(directory)
    if which == "latest":
        return checkpoints.existing()
    if which == "best":
        best = checkpoints.best() if checkpoints.existing() is not None else None
        if best is None:
            raise NegjaxError(
                f"no checkpoint in {checkpoints.directory} has a figure to compare (config.evaluation.best): use latest"
            )
        return best
    if not str(which).isdecimal():
        raise NegjaxError(f"{which!r} is no step: say latest, best or a number")
    return checkpoints.existing(int(which))


@dataclass
class _LatestAndBest:
    """Orbax's PreservationPolicy: the last `keep`, and the one with the highest figure."""

    keep: int
    best_metric: str | None

    def should_preserve(
        self, checkpoints: Sequence[policies.PolicyCheckpointInfo], *, context: policies.PreservationContext
    ) -> list[bool]:
        scores = [
            (info.metrics[self.best_metric], info.step)
            for info in checkpoints
            if info.metrics and self.best_metric in info.metrics
        ]
        kept = {info.step for info in checkpoints[-self.keep :]} | {step for _, step in sorted(scores)[-1:]}
        return [info.step in kept for info in checkpoints]


def _where(leaf: jax.ShapeDtypeStruct) -> ocp.RestoreArgs:
    if leaf.sharding is None:
        return ocp.RestoreArgs(restore_type=np.ndarray)
    return ocp.ArrayRestoreArgs(sharding=leaf.sharding, global_shape=leaf.shape, dtype=leaf.dtype)


def _arrays(tree: Tree) -> dict[str, str]:
    """Path -> "float32[8, 8]" for each array of a tree."""
    flat = ocp.tree.to_flat_dict(tree, sep="/")
    return {path: f"{leaf.dtype}{list(leaf.shape)}" for path, leaf in flat.items()}


@cache
def _drop_late_answers() -> None:
    """After a failed write TensorStore still answers to event loops that Orbax has closed, with a traceback each."""
    before = sys.unraisablehook

    def hook(raised: "sys.UnraisableHookArgs") -> None:
        if str(raised.exc_value) != "Event loop is closed":
            before(raised)

    sys.unraisablehook = hook


def _join(steps: Iterable[int]) -> str:
    return ", ".join(str(step) for step in steps)


def _line(reason: object) -> str:
    """A reason in one line: what the system says first, and of what is long the ends, for the last words say most."""
    text = " ".join(str(reason).split()) or type(reason).__name__
    if code := re.search(r"os_error_code=\W*(\d+)", text):
        text = f"{os.strerror(int(code[1]))}: {text}"
    return text if len(text) <= 240 else f"{text[:100]} ... {text[-130:]}"
