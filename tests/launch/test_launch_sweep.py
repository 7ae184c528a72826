"""launch/sweep.py: the commands of a grid."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

SWEEP = Path(__file__).parents[2] / "launch" / "sweep.py"


def sweep(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SWEEP), *words], capture_output=True, text=True, check=False)


def lines(*words: str) -> list[list[str]]:
    done = sweep(*words)
    assert done.returncode == 0, done.stderr
    return [shlex.split(line) for line in done.stdout.splitlines()]


def test_every_point_of_the_grid():
    command = ["negjax", "train", "--config", "it's x.py"]
    got = lines("--workdir", "runs/lr/", "--config.optim.learning_rate=1e-4,3e-4", "--config.seed=0,1", "--", *command)
    points = [(rate, seed) for rate in ("1e-4", "3e-4") for seed in ("0", "1")]
    assert got == [
        [
            *command,
            f"--workdir=runs/lr/learning-rate-{rate}-seed-{seed}",
            f"--config.optim.learning_rate={rate}",
            f"--config.seed={seed}",
        ]
        for rate, seed in points
    ]


def test_values_in_brackets_and_quotes_stay_whole():
    got = lines("--workdir", "r", "--config.a=(0.9, 0.98),(0.9, 0.95)", "--config.b='x,y'", "--", "c")
    assert [words[2:] for words in got] == [
        ["--config.a=(0.9, 0.98)", "--config.b='x,y'"],
        ["--config.a=(0.9, 0.95)", "--config.b='x,y'"],
    ]


def test_the_name_stands_where_it_is_asked_for():
    wrapper = ["env", "NAME={name}", "launch/gke/jobset.sh", "tpu", "--", "negjax", "train"]
    got = lines("--workdir", "gs://b/s", "--config.seed=3,4", "--", *wrapper)
    assert [words[1] for words in got] == ["NAME=seed-3", "NAME=seed-4"]
    assert [words[7] for words in got] == ["--workdir=gs://b/s/seed-3", "--workdir=gs://b/s/seed-4"]
    assert got[0][4] == "--"


@pytest.mark.parametrize("values", ["1,-1", "a,A", ",".join(["x" * 50, "y" * 50]), "one"])
def test_names_are_different_and_fit(values):
    got = lines("--workdir", "r", f"--config.k={values}", "--config.fixed=1", "--", "c")
    names = [words[1].removeprefix("--workdir=r/") for words in got]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name) <= 40
        assert name[0].isalpha()
        assert name == name.lower()
        assert name.replace("-", "").isalnum()


def test_without_settings_there_is_one_run():
    assert lines("--workdir", "r", "--", "c") == [["c", "--workdir=r/r0"]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--workdir", "r", "--config.a=1"], "no command"),
        (["--config.a=1", "--", "c"], "--workdir"),
        (["--workdir", "r", "--config.a", "--", "c"], "--config.a: a setting is"),
        (["--workdir", "r", "--a=1", "--", "c"], "--a=1: a setting is"),
        (["--workdir", "r", "--config.a=1", "--config.a=2", "--", "c"], "given twice"),
        (["--workdir", "r", "--config.seed=0,1,", "--", "c"], "--config.seed=0,1,: a value before or after a comma"),
        (["--workdir", "r", "--config.seed=,1", "--", "c"], "--config.seed=,1: a value before or after a comma"),
    ],
)
def test_wrong_words(words, told):
    done = sweep(*words)
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_a_secret_is_printed_as_its_variable(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "two s3cret")
    done = sweep(
        "--workdir", "r", "--config.seed=0,1", "--", "env", "HF_TOKEN=two s3cret", "bash", "-c", "echo $HF_TOKEN"
    )
    assert done.returncode == 0
    assert "s3cret" not in done.stdout + done.stderr
    for line in done.stdout.splitlines():
        assert subprocess.run(line, shell=True, capture_output=True, text=True).stdout == "two s3cret\n"


@pytest.mark.parametrize(
    "words", [["env", "WANDB_API_KEY=s3cret"], ["--token", "s3cret"], ["-c", "A=1 X_SECRET=s3cret"]]
)
def test_a_secret_that_is_no_variable_is_refused(words):
    done = sweep("--workdir", "r", "--", *words, "c")
    assert done.returncode == 2
    assert "holds a secret, and commands are printed: export it" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_help_has_an_example():
    assert "python launch/sweep.py --workdir" in sweep("--help").stdout
