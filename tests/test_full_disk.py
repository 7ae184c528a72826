"""Every command that writes, where it cannot: one line, nothing that looks whole; then again, where it can.

A limit of file sizes (ulimit -f) and a full disk reach a program in the same way, as an error of a write.
"""

import csv
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.command import command_line

from negjax.datasets.scenes.sets import Size, build_scenes

SMALL = Size(pretraining=64, finetuning=64, galleries=1, gallery=20, asked=40, questions=24, groups=4, reuse=8, named=1)
CONFIG = """
from ml_collections import ConfigDict

def get_config():
    config = ConfigDict()
    config.model = {"arch": "tiny"}
    config.sources = {"captions": {"dataset": "scenes_captions", "batch_size": 8, "contrastive": 1.0}}
    config.data_dir = "DATA"
    config.steps = 2
    config.checkpoint_every = 1
    return config
"""
COMMANDS = {  # in this order: each needs what those before it have written
    "train": ["train", "--config", "c.py", "--workdir", "run"],
    "eval": ["eval", "--model", "run", "--tasks", "scenes_mcq,scenes_retrieval", "--data-dir", "data", "--out", "out"],
    "convert": ["convert", "run", "converted"],
    "convert --to hf": ["convert", "run", "converted-hf", "--to", "hf"],
    "report": ["report", "out", "--out", "report.html"],
    "build": ["data", "build", "--kind", "questions", "--csv", "t.csv", "--media-root", ".", "--name", "q"],
    "build --train": ["data", "build", "--kind", "questions", "--csv", "t.csv", "--media-root", ".", "--name", "t"],
    "derive": ["data", "derive", "--kind", "questions", "--source", "scenes_captions", "--name", "derived"],
    "quickstart": ["quickstart", "--short", "--workdir", "quick"],
}
WRITTEN = {  # what would look whole
    "train": "run/checkpoints/*",
    "eval": "out/results.json",
    "convert": "converted",
    "convert --to hf": "converted-hf",
    "report": "report.html",
    "build": "sets/q",
    "build --train": "sets/t",
    "derive": "data/derived",
    "quickstart": "quick/results.json",
}
COMMANDS["build"] += ["--data-dir", "sets"]
COMMANDS["derive"] += ["--data-dir", "data"]
COMMANDS["build --train"] += ["--data-dir", "sets", "--train", "--shard-rows", "2", "--processes", "2"]


WITHOUT_CACHE = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "0"}  # files, too, which could not be written


def prepare(folder: Path) -> None:
    """The files that the commands read."""
    build_scenes(folder / "data", 0, SMALL)
    (folder / "c.py").write_text(CONFIG.replace("DATA", str(folder / "data")))
    random = np.random.default_rng(0)
    with (folder / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image_path", "correct_answer", "caption_0", "caption_1"])
        for index in range(6):
            Image.fromarray(random.integers(0, 255, (60, 60, 3), np.uint8)).save(folder / f"{index}.png")
            writer.writerow([f"{index}.png", 0, "a cat", "no cat"])


def run(folder: Path, command: str, limit: str = "unlimited", **options: Any) -> subprocess.CompletedProcess[str]:
    """limit: of file sizes, in KiB."""
    words = ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *command_line(*COMMANDS[command])]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(words, cwd=folder, text=True, check=False, **streams)


def check_it_failed(folder: Path, command: str, failed: subprocess.CompletedProcess[str], reasons: str) -> None:
    assert failed.returncode == 2, failed.stderr
    assert "Traceback" not in failed.stderr
    lines = [line for line in failed.stderr.splitlines() if "error" in line.lower()]
    assert lines == failed.stderr.splitlines()[-1:], failed.stderr
    assert re.match(f"negjax: error: .*({reasons})", lines[0]), lines
    assert whole(folder, command) == []


def whole(folder: Path, command: str) -> list[Path]:
    return [path for path in folder.glob(WRITTEN[command]) if "orbax-checkpoint-tmp" not in path.name]


def check_it_works(folder: Path, command: str) -> None:
    """Its log is on a full disk, which must end nothing."""
    with Path("/dev/full").open("w") as full:
        assert run(folder, command, stderr=full).returncode == 0
    assert whole(folder, command)
    assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp") or ".incomplete" in path.name]


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_line_and_the_same_command_again(tmp_path):
    prepare(tmp_path)
    for command in COMMANDS:
        failed = run(tmp_path, command, "1", env=WITHOUT_CACHE)
        check_it_failed(tmp_path, command, failed, "too large")
        assert "cannot write" in failed.stderr
        check_it_works(tmp_path, command)
