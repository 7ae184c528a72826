"""Every command that writes, where no file may be larger than 1 KiB: one line, nothing that looks whole; then again.

A limit of file sizes (ulimit -f) and a full disk reach a program in the same way, as an error of a write.
"""

import csv
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command import command_line, environment_without

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
}
WRITTEN = {  # what would look whole
    "train": "run/checkpoints/*",
    "eval": "out/results.json",
    "convert": "converted",
    "convert --to hf": "converted-hf",
    "report": "report.html",
    "build": "sets/q",
    "build --train": "sets/t",
}
COMMANDS["build"] += ["--data-dir", "sets"]
COMMANDS["build --train"] += ["--data-dir", "sets", "--train", "--shard-rows", "2", "--processes", "2"]


def run(folder: Path, command: str, limit: str) -> subprocess.CompletedProcess[str]:
    """limit: in KiB. JAX's cache of compiled programs is a file, too, and left out where it could not be written."""
    words = ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *command_line(*COMMANDS[command])]
    env = environment_without(*["JAX_COMPILATION_CACHE_DIR"] if limit != "unlimited" else [])
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_line_and_the_same_command_again(tmp_path):
    build_scenes(tmp_path / "data", 0, SMALL)
    (tmp_path / "c.py").write_text(CONFIG.replace("DATA", str(tmp_path / "data")))
    random = np.random.default_rng(0)
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image_path", "correct_answer", "caption_0", "caption_1"])
        for index in range(6):
            Image.fromarray(random.integers(0, 255, (60, 60, 3), np.uint8)).save(tmp_path / f"{index}.png")
            writer.writerow([f"{index}.png", 0, "a cat", "no cat"])
    for command, pattern in WRITTEN.items():
        failed = run(tmp_path, command, "1")
        assert failed.returncode == 2, failed.stderr
        assert "Traceback" not in failed.stderr
        lines = [line for line in failed.stderr.splitlines() if "error" in line.lower()]
        assert lines == failed.stderr.splitlines()[-1:], failed.stderr
        assert lines[0].startswith("negjax: error: cannot write ")
        assert "too large" in lines[0]
        whole = [path for path in tmp_path.glob(pattern) if "orbax-checkpoint-tmp" not in path.name]
        assert whole == []
        done = run(tmp_path, command, "unlimited")
        assert done.returncode == 0, done.stderr
        assert list(tmp_path.glob(pattern))
        assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".tmp") or ".incomplete" in path.name]
