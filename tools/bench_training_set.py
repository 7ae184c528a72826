"""How fast, and in how much memory, a training set of a million rows is built and read; nothing is downloaded.

    python tools/bench_training_set.py build --rows 1000000 --folder /tmp/million
    python tools/bench_training_set.py read --photos DIR --folder /tmp/photos

build: draws tiny pictures as tar files, in img2dataset's format of CC12M, with a NegCap and a NegMCQ file, and builds a
set from them in several processes. read: makes a pre-resized set of the photographs of a folder, repeated up to --rows,
and takes batches of it from the training pipeline. Both print one JSON object.
"""

import argparse
import csv
import io
import json
import os
import resource
import statistics
import tarfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from negjax.config import Source
from negjax.datasets.build.training_set import build_training_set
from negjax.datasets.sources.joined_questions import with_questions
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.stored.store import open_set, write_set
from negjax.input.pipeline import batches
from negjax.media.decoding import decode
from negjax.media.images import Preprocess
from negjax.media.jpeg import shrink_to_jpeg
from negjax.runtime.progress import track_progress
from negjax.tokenizers.clip import Tokenizer

TAR_ROWS = 10_000
OBJECTS = ["dog", "cat", "bus", "kite", "bench", "bottle", "clock", "horse", "zebra", "boat", "train", "pizza"]


def draw(folder: Path, rows: int, seed: int) -> None:
    """Writes tar files of pictures of 32 x 24 pixels, negcap.csv and negmcq.csv, unless they exist."""
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pictures = [encode_jpeg(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)) for _ in range(500)]
    with (
        (folder / "negcap.csv").open("w", newline="") as captions_file,
        (folder / "negmcq.csv").open("w", newline="") as questions_file,
        track_progress(rows, "drawing") as done,
    ):
        captions, questions = csv.writer(captions_file), csv.writer(questions_file)
        captions.writerow(["filepath", "caption", "negative_captions"])
        options = [f"caption_{i}" for i in range(4)]
        questions.writerow(["image_path", "correct_answer", *options, "correct_answer_template"])
        for first in range(0, rows, TAR_ROWS):
            name = f"{first // TAR_ROWS:05d}"
            with tarfile.open(folder / f"{name}.tar", "w") as tar:
                for row in range(first, min(first + TAR_ROWS, rows)):
                    picture, key = pictures[row % len(pictures)], f"{row:09d}.jpg"
                    info = tarfile.TarInfo(key)
                    info.size = len(picture)
                    tar.addfile(info, io.BytesIO(picture))
                    present, absent = (str(name) for name in rng.choice(OBJECTS, 2, replace=False))
                    caption = f"picture {row} shows a {present} beside a road"
                    negated = [
                        f"{caption}, but no {absent}",
                        f"there is no {absent} here, only a {present}",
                        f"no {absent}",
                    ]
                    captions.writerow([f"/data/cc12m/{name}/{key}", caption, negated])
                    options = [
                        f"a {present}, but no {absent}",
                        f"a {absent}, but no {present}",
                        f"a {absent}",
                        f"no {present}",
                    ]
                    questions.writerow([f"images/{name}/{key}", 0, *options, "hybrid"])
            done(min(TAR_ROWS, rows - first))
    (folder / "done").touch()


def encode_jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def build(args: argparse.Namespace) -> dict:
    """Times the build of a training set."""
    folder = Path(args.folder)
    draw(folder, args.rows, args.seed)
    begin = time.perf_counter()
    source = with_questions(table_source("negcap", folder / "negcap.csv", folder), folder / "negmcq.csv")
    planned = time.perf_counter() - begin
    built = build_training_set(
        source, "million", folder / "sets", short_side=224, processes=args.processes, overwrite=True
    )
    seconds = time.perf_counter() - begin
    own_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    child_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return {
        "rows": built.written,
        "seconds": round(seconds, 1),
        "seconds_to_plan": round(planned, 1),
        "rows_per_second": round(built.written / seconds),
        "processes": args.processes,
        "gib_of_first_process": round(own_gib, 2),
        "gib_of_largest_other": round(child_gib, 2),
        "gib_in_all_at_most": round(own_gib + args.processes * child_gib, 2),
        "gb_on_disk": round(open_set(folder / "sets", "million").bytes / 1e9, 2),
    }


def read(args: argparse.Namespace) -> dict:
    """Times the reading of batches."""
    photos = sorted(path for path in Path(args.photos).rglob("*.jpg"))
    small = [shrink_to_jpeg(decode(path.read_bytes(), str(path)), path.read_bytes(), 224) for path in photos]
    rows = ({"media": small[i % len(small)], "captions": [f"photograph {i} of a street"]} for i in range(args.rows))
    metadata = {"task_kind": "train", "negated": False, "altered": "short side at most 224"}
    write_set(args.folder, "photos", lambda: rows, ["captions"], metadata, overwrite=True)
    data = open_set(args.folder, "photos")
    stream = batches(
        data,
        Source(dataset="photos", batch_size=args.batch_size, contrastive=1.0),
        preprocess=Preprocess(),
        tokenizer=Tokenizer(),
        context_length=77,
        with_lengths=True,
        seed=args.seed,
        first_step=0,
        rows=range(args.batch_size),
        threads=args.threads,
    )
    next(stream)
    rates, cpu_start, images = [], time.process_time(), 0
    for _ in range(args.repeats):
        begin = time.perf_counter()
        count = sum(len(next(stream)["image"]) for _ in range(args.rows // args.batch_size))
        rates.append(count / (time.perf_counter() - begin))
        images += count
    return {
        "photographs": len(photos),
        "bytes_each": round(statistics.mean(map(len, small))),
        "threads": args.threads,
        "cpu_milliseconds_each": round(1e3 * (time.process_time() - cpu_start) / images, 2),
        "images_per_second": [round(rate) for rate in rates],
        "median": round(statistics.median(rates)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run, rows in (("build", build, 1_000_000), ("read", read, 8_000)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("--folder", required=True)
        command.add_argument("--rows", type=int, default=rows)
        command.add_argument("--seed", type=int, default=0)
        if name == "build":
            command.add_argument("--processes", type=int, default=os.cpu_count())
        else:
            command.add_argument("--photos", required=True)
            command.add_argument("--batch-size", type=int, default=256)
            command.add_argument("--threads", type=int, default=os.cpu_count())
            command.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    print(json.dumps(args.run(args)))


if __name__ == "__main__":
    main()
