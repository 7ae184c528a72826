"""The files of a small training set as people have them, and its build."""

import csv
from pathlib import Path

from negjax.datasets.build.training_set import build_training_set
from negjax.datasets.sources.joined_questions import with_questions
from negjax.datasets.sources.table_source import table_source
from support.images import noise_jpeg
from support.tars import write_tar

ROWS = 23


def make_files(folder: Path) -> Path:
    """ROWS pictures packed in tar files as img2dataset does, negcap.csv on them, and negmcq.csv in another order."""
    for first in range(0, ROWS, 10):
        packed = {f"{row:09d}.jpg": noise_jpeg(row) for row in range(first, min(first + 10, ROWS))}
        write_tar(folder / "media" / f"{first // 10:05d}.tar", packed)
    with (folder / "negcap.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["caption", "filepath", "negative_captions"])
        writer.writerows([f"a\n{i}", path(i), [f"a {i}, no b", "not a single c"]] for i in range(ROWS))
    with (folder / "negmcq.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(
            [*(f"caption_{i}" for i in range(4)), "correct_answer", "correct_answer_template", "image_path"]
        )
        for i in reversed(range(ROWS)):
            writer.writerow([f"a {i}", "b", "no a", "c", i % 4, "positive", f"elsewhere/{i // 10:05d}/{i:09d}.jpg"])
    return folder


def path(row: int) -> str:
    return f"/mnt/cc12m/{row // 10:05d}/{row:09d}.jpg"


def build(files: Path, rows: int = 5, name: str = "built", **more):
    source = with_questions(table_source("negcap", files / "negcap.csv", files / "media", rows), files / "negmcq.csv")
    return build_training_set(source, name, files / "sets", progress=False, **more)
