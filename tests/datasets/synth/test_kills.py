"""`negjax synth all`, killed at random moments and started again: what it makes is what an unbroken run makes."""

import hashlib
import random
import subprocess
import time
from pathlib import Path

import pytest
from support.command import command_line
from support.images import noise_png

CAPTIONS = [
    "A dog runs on the beach",
    "A horse pulls a cart",
    "A boat on a lake",
    "A guitar leans on a sofa",
    "A boy on a skateboard",
    "A bicycle without a basket",
]
IMAGES = 2_200  # more than a shard of the stages
KILLS = 6
WORDS = "synth all --csv ../captions.csv --media-root ../photos --out work --name mine --data-dir data --max-risk 0.2"


def begin(folder: Path) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    line = command_line(*WORDS.split())
    return subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_bytes_of_an_unbroken_run(tmp_path):
    (tmp_path / "photos").mkdir()
    lines = ["image,caption"]
    for i in range(IMAGES):
        (tmp_path / "photos" / f"{i}.png").write_bytes(noise_png(i, (8, 8)))
        lines.append(f"{i}.png,{CAPTIONS[i % len(CAPTIONS)]}")
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    start = time.monotonic()
    assert begin(tmp_path / "unbroken").wait() == 0
    duration = time.monotonic() - start
    moments, killed = random.Random(0), 0
    for _ in range(KILLS):
        process = begin(tmp_path / "killed")
        try:
            process.wait(moments.uniform(0.2, 0.95) * duration)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    assert killed >= 2
    assert begin(tmp_path / "killed").wait() == 0
    assert digests(tmp_path / "killed") == digests(tmp_path / "unbroken")
