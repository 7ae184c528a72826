"""results.json and predictions/*.csv: complete files only, results.json last."""

import csv
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from etils import epath

from negjax.datasets.stored.store import SET_NAME
from negjax.datasets.task_kinds import EVALUATED_KINDS
from negjax.errors import NegjaxError
from negjax.evaluation.csv_cells import to_cell
from negjax.evaluation.evaluate import TaskResults
from negjax.evaluation.tasks.kind import Columns, task_kind
from negjax.runtime.checksums import CHECKSUMS_FILE, write_with_checksums
from negjax.runtime.paths import to_path


def write_results(results: TaskResults, out_dir: epath.PathLike) -> None:
    """Writes OUT/predictions/*.csv and OUT/checksums.json, then OUT/results.json, each complete or not at all.

    An earlier results.json and the predictions it names are removed first, so that the folder holds one evaluation.

    Raises:
        NegjaxError: the folder cannot be written.
    """
    out = to_path(out_dir)
    try:
        remove_results(out)
    except OSError as error:
        raise NegjaxError(f"cannot write the results to {out}: {error}") from error
    files = {f"predictions/{name}.csv": to_csv(columns) for name, columns in results.predictions.items()}
    files["results.json"] = json.dumps(results.results, indent=2, allow_nan=False) + "\n"
    write_with_checksums(out, files)


def write_method_results(results: Mapping[str, TaskResults], out_dir: epath.PathLike) -> list[epath.Path]:
    """Writes the results of one method to OUT, those of several to OUT/LABEL each, as `write_results` does.

    Args:
        results: label of the method -> its results.
        out_dir: OUT. An earlier results.json in it is removed; those in folders of other labels are not.

    Returns:
        The folders.
    """
    out = to_path(out_dir)
    folders = [out / label for label in results] if len(results) > 1 else [out]
    if len(results) > 1:
        try:
            remove_results(out)
        except OSError as error:
            raise NegjaxError(f"cannot write the results to {out}: {error}") from error
        with suppress(OSError):  # predictions of others
            (out / "predictions").rmdir()
    for folder, each in zip(folders, results.values()):
        write_results(each, folder)
    return folders


def to_csv(columns: Columns) -> str:
    """Columns as CSV text; floats with the 9 significant digits that distinguish any two float32."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_cells(column) for column in columns.values())))
    return text.getvalue()


def _cells(column: Any) -> list[Any]:
    """The cells of a column, as texts; only texts of others can be formulas."""
    values = np.asarray(column)
    if values.dtype.kind == "f":
        return [f"{x:.9g}" for x in values.tolist()]
    return [to_cell(x) if isinstance(x, str) else x for x in values.tolist()]


def remove_results(out: epath.Path) -> None:
    """Removes the results.json of a folder and the predictions of its tasks, if there are any."""
    path = out / "results.json"
    if not path.exists():
        (out / CHECKSUMS_FILE).unlink(missing_ok=True)
        return
    try:
        tasks = json.loads(path.read_text())["tasks"]
        kinds = {name: task["kind"] for name, task in tasks.items() if SET_NAME.fullmatch(name)}
    except (ValueError, KeyError, TypeError, AttributeError):  # not written by negjax: it is only replaced
        kinds = {}
    path.unlink()
    (out / CHECKSUMS_FILE).unlink(missing_ok=True)
    for name, kind in kinds.items():
        suffixes = task_kind(kind).file_suffixes if kind in EVALUATED_KINDS else ("",)
        for suffix in suffixes:
            (out / "predictions" / f"{name}{suffix}.csv").unlink(missing_ok=True)
