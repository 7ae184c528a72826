"""How fast, and in how much memory, `negjax synth` makes sets of many captions; each stage is a process of its own.

    python tools/bench_synth.py captions.csv --captions 1000000 --folder /tmp/million

captions.csv has columns `image` and `caption`, as Flickr8k's. An image that is drawn has all captions of one of its
images, each with a number, so that no two are equal, and is one of 16 pictures of 32 x 24 pixels, each file with
another comment. Prints one JSON object a stage: seconds, seconds of CPU time of all its processes, and the largest
memory of one of them. The same command keeps what is done.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from bench_training_set import encode_jpeg

from negjax.runtime.progress import track_progress

PICTURES = 16
FOLDER_IMAGES = 1_000
STAGES = ("extract", "propose", "verify", "write", "check")


def draw(folder: Path, source: Path, captions: int, seed: int) -> None:
    """Writes FOLDER/captions.csv and FOLDER/images, unless they exist."""
    if (folder / "drawn").exists():
        return
    captions_of = defaultdict(list)
    with source.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            captions_of[row["image"]].append(row["caption"])
    known = list(captions_of.values())
    rng, images = np.random.default_rng(seed), folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    jpegs = [encode_jpeg(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)) for _ in range(PICTURES)]
    with (
        (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file,
        track_progress(captions, "drawing") as done,
    ):
        rows = csv.writer(file)
        rows.writerow(["filepath", "caption"])
        image = written = 0
        while written < captions:
            path = Path(f"{image // FOLDER_IMAGES:05d}", f"{image:08d}.jpg")
            (images / path).parent.mkdir(parents=True, exist_ok=True)
            (images / path).write_bytes(with_comment(jpegs[image % PICTURES], str(image)))
            chosen = known[rng.integers(len(known))]
            rows.writerows([path, f"{caption} ({written + number})"] for number, caption in enumerate(chosen))
            image, written = image + 1, written + len(chosen)
            done(len(chosen))
    (folder / "drawn").touch()


def with_comment(jpeg: bytes, comment: str) -> bytes:
    """The same picture as another file, for images are told apart by their bytes."""
    start, rest = jpeg[:2], jpeg[2:]
    return start + b"\xff\xfe" + (2 + len(comment)).to_bytes(2, "big") + comment.encode() + rest


def run_stage(stage: str, folder: Path) -> dict[str, float | str]:
    """What a stage took."""
    flags = {
        "--out": folder / "work",
        "--csv": folder / "captions.csv" if stage == "extract" else None,
        "--media-root": folder / "images" if stage in ("extract", "write") else None,
        "--name": "bench" if stage in ("write", "check") else None,
        "--data-dir": folder / "sets" if stage in ("write", "check") else None,
    }
    command = [sys.executable, "-m", "negjax.cli", "synth", stage]
    command += [str(part) for flag, value in flags.items() if value for part in (flag, value)]
    begin = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"negjax synth {stage} failed")
    return {
        "stage": stage,
        "seconds": round(time.perf_counter() - begin, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss * 1024 / 1e6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="CSV")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw(args.folder, args.source, args.captions, args.seed)
    for stage in args.stages.split(","):
        print(json.dumps(run_stage(stage, args.folder)), flush=True)


if __name__ == "__main__":
    main()
