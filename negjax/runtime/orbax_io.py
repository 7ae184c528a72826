"""Orbax: writing and reading the items of a checkpoint. The only file that imports it.

A checkpoint is a folder DIRECTORY/STEP with the items "params" and "training" (trees of arrays), "meta" (JSON) and
"metrics" (JSON, only where there are any).
"""

import json
import logging
import math
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint import checkpoint_managers

ArrayTree = Any
PARAMS, TRAINING, META, METRICS = "params", "training", "meta", "metrics"  # items of a checkpoint
JSON_FILES = {META: "metadata", METRICS: "metrics"}  # item -> the file that Orbax writes into its folder

# Orbax logs each of its steps, and tracebacks of what it raises anyway, under absl's name.
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)
# After a failed write asyncio logs the errors of all other arrays, too.
logging.getLogger("asyncio").addFilter(lambda record: "exception was never retrieved" not in record.getMessage())
# Nor does it start to write all of them then, which Python would tell at its end.
warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)


def list_steps(directory: epath.Path) -> list[int]:
    """Returns the steps of the finished checkpoints in a directory, ascending."""
    if not directory.is_dir():
        return []
    return sorted(metadata.step for metadata in ocp.path.step.standard_name_format().find_all(directory))


def temporary_folder(directory: epath.Path, step: int) -> epath.Path:
    """Returns the folder that a checkpoint is written to before it is moved to its name; its name in a store."""
    temporary = directory / f"{step}.orbax-checkpoint-tmp"
    return temporary if temporary.exists() else directory / str(step)


def open_manager(
    directory: epath.Path, keep: int, best_metric: str | None, on_written: Callable[[], None]
) -> ocp.CheckpointManager:
    """Opens a directory for writing checkpoints in the background.

    Args:
        directory: created if it is missing; leftovers of interrupted saves are removed.
        keep: number of the last checkpoints that are kept.
        best_metric: name of a metric; the checkpoint where it is highest is kept too.
        on_written: called when the files of a checkpoint are written, before it is moved to its name.
    """
    _silence_closed_event_loops()
    options = ocp.CheckpointManagerOptions(
        preservation_policy=_LatestAndBestPolicy(keep, best_metric),
        best_fn=lambda metrics: metrics.get(best_metric, -math.inf),  # without it no metrics are stored
        cleanup_tmp_directories=True,
        async_options=ocp.AsyncOptions(post_finalization_callback=on_written),
    )
    return ocp.CheckpointManager(directory, options=options)


def start_save(
    manager: ocp.CheckpointManager,
    step: int,
    state: Mapping[str, ArrayTree],
    meta: Mapping[str, Any],
    metrics: Mapping[str, float],
) -> None:
    """Starts to write a checkpoint; returns when the arrays may be changed or donated.

    Args:
        manager: of the directory.
        step: number of the checkpoint.
        state: "params" and any other trees of arrays, which become the item "training".
        meta: JSON-able.
        metrics: of this step.
    """
    items = {PARAMS: ocp.args.StandardSave(state[PARAMS]), META: ocp.args.JsonSave(dict(meta))}
    if training_state := {key: tree for key, tree in state.items() if key != PARAMS}:
        items[TRAINING] = ocp.args.StandardSave(training_state)
    manager.save(step, args=ocp.args.Composite(**items), metrics=metrics, force=True)


def stored_tree(folder: epath.Path) -> dict[str, Any]:
    """Returns the tree of an item, with the metadata (shape, dtype) of each array."""
    return ocp.PyTreeCheckpointHandler().metadata(folder).tree


def describe_arrays(tree: ArrayTree) -> dict[str, str]:
    """Returns path -> "float32[8, 8]" for each array of a tree, of metadata or of shapes."""
    leaves = ocp.tree.to_flat_dict(tree, sep="/")
    return {path: f"{leaf.dtype}{list(leaf.shape)}" for path, leaf in leaves.items()}


def read_tree(folder: epath.Path, abstract_tree: ArrayTree, partial: bool = False) -> ArrayTree:
    """Reads the arrays of an item.

    Args:
        folder: of the item.
        abstract_tree: jax.ShapeDtypeStructs; those without a sharding are read as NumPy arrays.
        partial: read only the entries of `abstract_tree`.
    """
    restore_args = jax.tree.map(_restore_args, abstract_tree)
    with ocp.PyTreeCheckpointer() as reader:
        args = ocp.args.PyTreeRestore(abstract_tree, restore_args=restore_args, partial_restore=partial)
        return reader.restore(folder, args=args)


def read_json(folder: epath.Path, item: str) -> dict[str, Any]:
    """Reads the item "meta" or "metrics" of the checkpoint in `folder`."""
    return json.loads((folder / item / JSON_FILES[item]).read_text())


def _restore_args(leaf: jax.ShapeDtypeStruct) -> ocp.RestoreArgs:
    if leaf.sharding is None:
        return ocp.RestoreArgs(restore_type=np.ndarray)
    return ocp.ArrayRestoreArgs(sharding=leaf.sharding, global_shape=leaf.shape, dtype=leaf.dtype)


@dataclass
class _LatestAndBestPolicy:
    """Orbax's PreservationPolicy: keeps the last `keep` checkpoints, and the one where `best_metric` is highest."""

    keep: int
    best_metric: str | None

    def should_preserve(
        self,
        checkpoints: Sequence[checkpoint_managers.PolicyCheckpointInfo],
        *,
        context: checkpoint_managers.PreservationContext,
    ) -> list[bool]:
        scores = [
            (info.metrics[self.best_metric], info.step)
            for info in checkpoints
            if info.metrics and self.best_metric in info.metrics
        ]
        kept = {info.step for info in checkpoints[-self.keep :]} | {step for _, step in sorted(scores)[-1:]}
        return [info.step in kept for info in checkpoints]


@cache
def _silence_closed_event_loops() -> None:
    """Hides the tracebacks that follow a failed write: TensorStore replies to event loops that Orbax has closed."""
    previous_hook = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            previous_hook(unraisable)

    sys.unraisablehook = hook
