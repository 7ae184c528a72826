"""The README's table of results, as Markdown, from the workdirs of several quickstarts.

    python tools/quickstart_table.py runs/seed0 runs/seed1 runs/seed2
    python tools/quickstart_table.py --stage negmcq=results/negmcq0,results/negmcq1 ...     (folders of `negjax eval`)

Each cell is the mean over the runs in per cent, with minimum and maximum in brackets.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from etils import epath

from negjax.quickstart import HEADLINE
from negjax.runtime.checksums import read_verified

BLIND = ("scenes_mcq", "accuracy")


def format_row(name: str, runs: list[dict[str, Any]]) -> str:
    """One line of the table. runs: the content of a stage's results.json for each seed."""
    cells = [format_cell([run["tasks"][task]["metrics"][metric] for run in runs]) for task, metric in HEADLINE.values()]
    task, metric = BLIND
    cells.append(format_cell([run["tasks"][task]["blind"]["mean_image"][metric] for run in runs]))
    return f"| {name} | {' | '.join(cells)} |"


def _read_results(folder: epath.PathLike) -> dict[str, Any]:
    return json.loads(read_verified(epath.Path(folder), "results.json"))


def format_cell(figures: list[float]) -> str:
    """Mean of figures in [0, 1] over the runs, with their minimum and maximum, in per cent."""
    per_cent = [100 * figure for figure in figures]
    mean = f"{sum(per_cent) / len(per_cent):.1f}"
    return mean if len(per_cent) == 1 else f"{mean} ({min(per_cent):.1f}–{max(per_cent):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdirs", nargs="*", type=Path)
    parser.add_argument("--stage", action="append", default=[], metavar="NAME=DIR[,DIR]")
    args = parser.parse_args()
    print(f"| | {' | '.join(HEADLINE)} | MCQ, blind |")
    print("| --- |" + " ---: |" * (len(HEADLINE) + 1))
    runs = [_read_results(workdir) for workdir in args.workdirs]
    for stage in runs[0]["stages"] if runs else ():
        print(format_row(stage, [run["stages"][stage] for run in runs]))
    for name in runs[0]["without_training"] if runs else ():
        print(format_row(name, [run["without_training"][name] for run in runs]))
    for stage in args.stage:
        name, _, folders = stage.partition("=")
        print(format_row(name, [_read_results(folder) for folder in folders.split(",")]))
    for workdir, run in zip(args.workdirs, runs):
        print(f"\n{workdir}: seed {run['seed']}, {run['seconds']:.0f} s, {run['peak_memory_bytes'] / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
