"""launch/local.sh and launch/again.sh with real processes, and a run on a TPU whose one worker is this machine."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

LAUNCH = Path(__file__).parents[2] / "launch"
STAND_IN = """
import os, signal, sys, time
flags = dict(zip(sys.argv[-6::2], sys.argv[-5::2]))
number = int(flags["--process-id"])
os.write(1, " ".join([str(number), str(os.getpid()), *sys.argv[1:]]).encode() + b"\\n")  # in one piece
act = sys.argv[1] if sys.argv[2] in ("all", str(number)) else "wait"
if act == "save":
    signal.signal(signal.SIGTERM, lambda *_: (print("saved", flush=True), sys.exit(143)))
if act in ("wait", "save"):
    time.sleep(60)
if act == "fail":
    sys.exit(3)
"""


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def local(tmp_path):
    """local(*words, grace=...): a running local.sh of two stand-ins; its output grows in tmp_path/out."""
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    started = []

    def run(*words: str, grace: str = "0") -> subprocess.Popen[bytes]:
        command = [LAUNCH / "local.sh", "2", "--", sys.executable, tmp_path / "stand_in.py", *words]
        with (tmp_path / "out").open("wb") as out:
            process = subprocess.Popen(
                ["bash", *map(str, command)],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | {"GRACE": grace, "PLATFORM": "cpu"},
            )
        started.append(process)
        return process

    yield run
    for process in started:
        process.terminate()
        process.wait(20)


def told(folder: Path) -> dict[int, list[str]]:
    """What each of the two stand-ins said of itself first: its number, its process and its words."""
    lines = [line.split(" ", 1) for line in (folder / "out").read_text().splitlines() if line.startswith("[")]
    return {int(prefix.strip("[]")): rest.split(" ") for prefix, rest in reversed(lines) if rest[0].isdigit()}


def test_flags_and_prefixes(local, tmp_path):
    assert local("end", "all", "it's").wait(20) == 0
    found = told(tmp_path)
    ports = {words[words.index("--coordinator") + 1] for words in found.values()}
    assert len(ports) == 1
    assert ports.pop().startswith("127.0.0.1:")
    for number, words in found.items():
        assert words[0] == str(number)
        assert words[2:5] == ["end", "all", "it's"]
        assert words[-4:] == ["--num-processes", "2", "--process-id", str(number)]
    assert set(found) == {0, 1}


def test_a_process_that_fails_takes_the_other_down(local, tmp_path):
    assert local("fail", "1").wait(20) == 3
    assert "process 1 of 2 ended with status 3" in (tmp_path / "out").read_text()
    assert not any(alive(int(words[1])) for words in told(tmp_path).values())


def test_a_killed_process_takes_the_other_down(local, tmp_path):
    process = local("wait", "all")
    wait_for(lambda: len(told(tmp_path)) == 2)
    pids = [int(words[1]) for words in told(tmp_path).values()]
    os.kill(pids[0], signal.SIGKILL)
    assert process.wait(20) == 128 + signal.SIGKILL
    assert not any(map(alive, pids))


def test_sigterm_reaches_all_and_they_save(local, tmp_path):
    process = local("save", "all", grace="20")
    wait_for(lambda: len(told(tmp_path)) == 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    wait_for(lambda: {"[0] saved", "[1] saved"} <= set((tmp_path / "out").read_text().splitlines()))


def dry_run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """local.sh in an environment of nothing but PATH, HOME and the variables."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME")} | {"PORT": "123"}
    command = ["bash", str(LAUNCH / "local.sh"), "--dry-run", *words]
    return subprocess.run(command, env=kept | variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("variables", "gpus"), [({}, "01"), ({"CUDA_VISIBLE_DEVICES": "7,GPU-a,2"}, ["7", "GPU-a"])], ids=["all", "some"]
)
def test_dry_run_shows_the_commands(variables, gpus):
    done = dry_run("2", "--gpus", "--", "a b", "it's", **variables)
    wanted = "env CUDA_VISIBLE_DEVICES={0} a\\ b it\\'s --coordinator 127.0.0.1:123 --num-processes 2 --process-id {1}"
    assert done.stdout.splitlines() == [wanted.format(gpu, number) for number, gpu in enumerate(gpus)]


@pytest.mark.parametrize("visible", ["", "3", "\n"])
def test_a_gpu_for_each_process(visible):
    done = dry_run("2", "--gpus", "--", "x", CUDA_VISIBLE_DEVICES=visible)
    assert (done.returncode, done.stdout) == (2, "")
    assert "fewer than 2 GPUs" in done.stderr


def test_gpus_are_not_passed_over_silently(tmp_path):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = dry_run("2", "--", "x", PATH=path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "add --gpus" in done.stderr
    for said in ({"PLATFORM": "cpu"}, {"PLATFORM": "gpu"}, {"JAX_PLATFORMS": "cpu"}, {"CUDA_VISIBLE_DEVICES": ""}):
        assert dry_run("2", "--", "x", PATH=path, **said).returncode == 0
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")  # there is no driver
    assert dry_run("2", "--", "x", PATH=path).returncode == 0


# Ends with the given statuses, one each time.
ENDS = 'echo x >> "$0"; n=$(wc -l < "$0"); exit "${!n}"'


@pytest.mark.parametrize(
    ("statuses", "restarts"),
    [
        ((143, 143, 5), 2),
        ((75, 2), 1),  # lost another process of its run
        ((137, 134, 0), 2),  # killed: out of memory; aborted
        ((130, 0), 0),  # interrupted
        ((1, 0), 0),
    ],
)
def test_again_after_what_can_be_resumed(tmp_path, statuses, restarts):
    words = ["bash", str(LAUNCH / "again.sh"), "--", "bash", "-c", ENDS, str(tmp_path / "count"), *map(str, statuses)]
    done = subprocess.run(words, env=os.environ | {"PAUSE": "0"}, capture_output=True, text=True, check=False)
    assert done.returncode == statuses[restarts]
    assert (tmp_path / "count").read_text() == "x\n" * (restarts + 1)
    assert done.stderr.count("the same command again") == restarts


def test_again_gives_up(tmp_path):
    words = ["bash", str(LAUNCH / "again.sh"), "--", "bash", "-c", ENDS, str(tmp_path / "count"), *["75"] * 9]
    env = os.environ | {"PAUSE": "0", "MAX_RESTARTS": "3"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 75
    assert (tmp_path / "count").read_text() == "x\n" * 4
    assert "status 75 after 4 starts: MAX_RESTARTS=3" in done.stderr


SAVES = 'f() { kill $!; sleep 0.3; echo saved >> "$0"; exit 143; }; trap f TERM; echo started >> "$0"; sleep 60 & wait'


def test_again_passes_sigterm_on_and_stops(tmp_path):
    file = tmp_path / "said"
    process = subprocess.Popen(["bash", str(LAUNCH / "again.sh"), "--", "bash", "-c", SAVES, str(file)])
    wait_for(file.exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    assert file.read_text() == "started\nsaved\n"


# Instead of Google's program: the one worker is this machine, and a shell reads the line that ssh is given.
GCLOUD = """#!/usr/bin/env bash
set -euo pipefail
printf '%s\\n' "$*" >> "$CALLS"
cd "$HOME"
case $4 in
    ssh) exec bash -c "${@: -1}" ;;
    scp) cp "$5" "${6#*:}" ;;
esac
"""


@pytest.fixture
def tpu(tmp_path):
    """tpu(script, *words): runs a script of tpu_vm/ on such a TPU, whose home is tmp_path/home."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "bin" / "gcloud").write_text(GCLOUD)
    (tmp_path / "bin" / "gcloud").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "CALLS": str(tmp_path / "calls"),
        "PROJECT": "proj",
        "ZONE": "zone",
        "NAME": "clip",
        "RUN": "one",
    }

    def call(script: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(LAUNCH / "tpu_vm" / script), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)

    return call


def test_a_run_on_a_tpu(tpu, tmp_path):
    """It goes on after the connection that started it, is refused a second time, and saves when it is stopped."""
    root, file = tmp_path / "home" / "negjax", tmp_path / "home" / "it's said"
    shutil.copytree(LAUNCH, root / "launch")
    assert tpu("run.sh", "--", "bash", "-c", SAVES, str(file)).returncode == 0
    try:
        wait_for(file.exists)
        again = tpu("run.sh", "--", "true")
        assert again.returncode == 2
        assert "the run one is running" in again.stderr
    finally:
        stopped = tpu("stop.sh")
    assert stopped.returncode == 0, stopped.stderr
    assert file.read_text() == "started\nsaved\n"
    assert not alive(int((root / "logs" / "one.pid").read_text()))
    assert "had already ended" in tpu("stop.sh").stdout
    assert tpu("run.sh", "--", "echo", "it's", '"$HOME" *').returncode == 0
    wait_for(lambda: (root / "logs" / "one.log").read_text() == 'it\'s "$HOME" *\n')


@pytest.mark.skipif(not (LAUNCH.parent / ".git").exists(), reason="this copy of the code is not a git checkout")
def test_setup_brings_what_git_knows(tpu, tmp_path):
    """The code comes over, without what git ignores; installing fails here, where nothing may be downloaded."""
    (tmp_path / "bin" / "python3").write_text("#!/bin/sh\necho no python3 here >&2\nexit 9\n")
    (tmp_path / "bin" / "python3").chmod(0o755)
    done = tpu("setup.sh")
    assert (done.returncode, done.stderr) == (9, "no python3 here\n")
    there = tmp_path / "home" / "negjax"
    assert (there / "pyproject.toml").read_bytes() == (LAUNCH.parent / "pyproject.toml").read_bytes()
    assert (there / "negjax" / "cli.py").exists()
    assert not (there / ".git").exists()
    assert not list(there.rglob("__pycache__"))


def test_setup_leaves_data_weights_and_secrets_here(tpu, tmp_path):
    """What the README's commands write into the clone, without being told to git."""
    clone = tmp_path / "clone"
    shutil.copytree(LAUNCH, clone / "launch")
    shutil.copy(LAUNCH.parent / ".gitignore", clone)
    subprocess.run(["git", "init", "--quiet", clone], check=True)
    stay = """.env data/a/1.0.0/rows weights/b32/config.json results/a/results.json runs/a/config.json models/a.json
        ViT-B-32.pt negclip.pth negfull.safetensors negfull-hf/model.safetensors there/pytorch_model.bin mine.csv"""
    for name in [*stay.split(), "configs/mine.py", "negjax/models/a.py"]:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("here")
    (tmp_path / "bin" / "python3").symlink_to("/bin/true")
    assert tpu(str(clone / "launch" / "tpu_vm" / "setup.sh")).returncode == 0
    there = tmp_path / "home" / "negjax"
    brought = {str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()}
    assert {name for name in brought if not name.startswith("launch/")} == {
        *(".gitignore", "configs/mine.py", "negjax/models/a.py")
    }


@pytest.mark.skipif(not (LAUNCH.parent / ".git").exists(), reason="this copy of the code is not a git checkout")
def test_nothing_that_git_knows_is_ignored():
    words = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(words, cwd=LAUNCH.parent, capture_output=True, text=True, check=True).stdout == ""


def test_setup_outside_of_git(tpu, tmp_path):
    shutil.copytree(LAUNCH, tmp_path / "copy" / "launch")
    done = tpu(str(tmp_path / "copy" / "launch" / "tpu_vm" / "setup.sh"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"setup.sh: error: {tmp_path / 'copy'}: git cannot list the files to copy: fatal: not a"
    )
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "calls").exists()


def test_deleting_a_tpu_that_cannot_be_reached(tpu, tmp_path):
    done = tpu("stop.sh", "--delete")  # there is no negjax on its worker
    assert done.returncode == 0
    assert (tmp_path / "calls").read_text().splitlines()[-1].startswith("compute tpus queued-resources delete clip ")
    assert tpu("stop.sh").returncode != 0
