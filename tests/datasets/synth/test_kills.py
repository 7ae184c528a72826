"""`negjax synth all`, killed while it writes and started again: what it makes is what an unbroken run makes."""

import os
import random
import subprocess
import time
from pathlib import Path

import pytest
from support.command import command_line
from support.folders import digests
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


def count_files(folder: Path) -> int:
    return sum(len(files) for *_, files in os.walk(folder))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_bytes_of_an_unbroken_run(tmp_path):
    (tmp_path / "photos").mkdir()
    lines = ["image,caption"]
    for i in range(IMAGES):
        (tmp_path / "photos" / f"{i}.png").write_bytes(noise_png(i, (8, 8)))
        lines.append(f"{i}.png,{CAPTIONS[i % len(CAPTIONS)]}")
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    assert begin(tmp_path / "unbroken").wait() == 0
    expected = digests(tmp_path / "unbroken")
    killed = 0
    for written in sorted(random.Random(0).sample(range(1, len(expected)), KILLS)):
        process = begin(tmp_path / "killed")
        while process.poll() is None and count_files(tmp_path / "killed") < written:
            time.sleep(0.005)
        killed += process.poll() is None
        process.kill()
        process.wait()
    assert killed >= KILLS - 2
    assert begin(tmp_path / "killed").wait() == 0
    assert digests(tmp_path / "killed") == expected
