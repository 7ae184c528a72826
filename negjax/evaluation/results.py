"""results.json and predictions/*.csv: complete files only, results.json last."""

import csv
import io
import json
from typing import Any

import numpy as np
from etils import epath

from negjax.datasets.stored.store import SET_NAME
from negjax.errors import NegjaxError
from negjax.evaluation.evaluate import EvalResult
from negjax.evaluation.score import Columns
from negjax.runtime.files import write_atomic


def write_results(result: EvalResult, out_dir: epath.PathLike) -> None:
    """Writes OUT/predictions/*.csv, then OUT/results.json, each complete or not at all.

    An earlier results.json and the predictions it names go first, so that what stands there is of one run.
    Raises NegjaxError where the folder cannot be written.
    """
    out = epath.Path(out_dir)
    try:
        _remove_earlier(out)
    except OSError as error:
        raise NegjaxError(f"cannot write the results to {out}: {error}") from error
    for name, columns in result.files.items():
        write_atomic(out / "predictions" / f"{name}.csv", to_csv(columns))
    write_atomic(out / "results.json", json.dumps(result.results, indent=2, allow_nan=False) + "\n")


def to_csv(columns: Columns) -> str:
    """Columns as CSV text; floats with the 9 significant digits that tell every two float32 apart."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_cells(column) for column in columns.values())))
    return text.getvalue()


def _cells(column: Any) -> list[Any]:
    values = np.asarray(column)
    return [f"{x:.9g}" for x in values.tolist()] if values.dtype.kind == "f" else values.tolist()


def _remove_earlier(out: epath.Path) -> None:
    path = out / "results.json"
    if not path.exists():
        return
    try:
        names = [name for name in json.loads(path.read_text())["tasks"] if SET_NAME.fullmatch(name)]
    except (ValueError, KeyError, TypeError):  # not ours: it is only replaced
        names = []
    path.unlink()
    for name in names:
        for file in (f"{name}.csv", f"{name}.image_to_text.csv", f"{name}.bias.csv"):
            (out / "predictions" / file).unlink(missing_ok=True)
