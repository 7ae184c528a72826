"""Kills a training run repeatedly and checks that its losses are those of an uninterrupted run, bit for bit.

    python tools/kill_runs.py --kills 20
    python tools/kill_runs.py --kills 3 --processes 2

A small model on drawn scenes, trained by `negjax train`. Each attempt ends by SIGKILL, in turn: at a random moment
after a new checkpoint, at a random moment of a save (while its temporary folder exists), and at a random moment after
its first step. Of several processes one is killed and the others must end by themselves, with the status of a lost
process, within a minute. Then the same command is run again, until it has finished. Exit status 1 if a metric differs,
or no attempt resumed from a checkpoint.
"""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from negjax.datasets.scenes.sets import Size, build_scenes
from negjax.models.architecture import TextConfig, VisionConfig
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel, to_meta
from negjax.models.presets import default_preprocess, preset
from negjax.runtime.checkpoint import Checkpoints
from negjax.runtime.lost_process import LOST_PROCESS_STATUS
from negjax.runtime.step_timer import TIMING_KEYS
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer

SECONDS_TO_END = 60  # for the other processes, once one is killed
MOMENTS = ("after a checkpoint", "in a save", "after a step")  # of the kills, in turn
CONFIG = """
from ml_collections import ConfigDict

def get_config():
    config = ConfigDict()
    config.model = {{"init_from": "{folder}/start"}}
    config.sources = {{
        "captions": {{"dataset": "scenes_negcap", "batch_size": 16, "contrastive": 1.0, "negated_fraction": 0.5}},
        "balanced": {{"dataset": "scenes_balanced", "batch_size": 16, "mcq": 1.0}},
    }}
    config.data_dir = "{folder}/data"
    config.steps = {steps}
    config.optim = {{"learning_rate": 1e-3, "warmup_steps": 5}}
    config.log_every = 1
    config.checkpoint_every = {every}
    return config
"""


def prepare(folder: Path, steps: int, every: int) -> None:
    """Data, a model of two shallow towers to start from, and the config file."""
    size = Size(pretraining=8, finetuning=240, galleries=1, gallery=8, asked=40, questions=8, groups=4, named=1)
    build_scenes(folder / "data", 0, size)
    shared: dict[str, Any] = {"depth": 1, "heads": 2, "activation": "gelu"}
    config = replace(
        preset("tiny"),
        embed_dim=12,
        vision=VisionConfig(image_size=16, patch_size=8, width=24, mlp_width=40, **shared),
        text=TextConfig(context_length=16, vocab_size=VOCAB_SIZE, width=16, mlp_width=32, **shared),
    )
    info = {"arch": config.name, "activation": "gelu", "source": "fresh"}
    model = LoadedModel(config, init_params(config, 0), default_preprocess(config), Tokenizer(16), info)
    with Checkpoints(folder / "start" / "checkpoints") as checkpoints:
        checkpoints.save(0, {"params": model.params}, to_meta(model))
    (folder / "config.py").write_text(CONFIG.format(folder=folder, steps=steps, every=every))


def start(folder: Path, workdir: Path, processes: int) -> list[subprocess.Popen]:
    """Starts or resumes the run in several processes. Their output goes to WORKDIR.log."""
    command = [
        sys.executable,
        "-m",
        "negjax.cli",
        "train",
        "--config",
        f"{folder}/config.py",
        "--workdir",
        str(workdir),
    ]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    env = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": f"{folder}/compiled",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    running = []
    for process in range(processes):
        joining = ["--coordinator", f"127.0.0.1:{port}", "--num-processes", str(processes), "--process-id"]
        flags = [*joining, str(process)] if processes > 1 else []
        with Path(f"{workdir}.log").open("a") as log:
            running.append(subprocess.Popen([*command, *flags], env=env, stdout=log, stderr=log))
    return running


def logged(workdir: Path) -> list[dict[str, Any]]:
    """The metrics that the run logged, without the timings and without a line that is being written."""
    path = workdir / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    complete = [json.loads(line) for line in lines if line.endswith("\n")]
    return [{key: value for key, value in line.items() if key not in TIMING_KEYS} for line in complete]


def is_saving(workdir: Path, begun: float) -> bool:
    """Whether a checkpoint is being written, other than those left from before `begun`."""
    try:
        return any(path.stat().st_mtime >= begun for path in (workdir / "checkpoints").glob("*.orbax-checkpoint-tmp"))
    except FileNotFoundError:  # renamed to a checkpoint meanwhile
        return False


def latest_checkpoint(workdir: Path) -> int:
    """The step of the last complete checkpoint; 0 if there is none."""
    return Checkpoints(workdir / "checkpoints").latest() or 0


def has_stepped(workdir: Path, begun: float, first: int) -> bool:
    """Whether a step after `first` was logged after `begun`."""
    log = workdir / "metrics.jsonl"
    return log.exists() and log.stat().st_mtime >= begun and any(line["step"] > first for line in logged(workdir))


def wait_until(running: list[subprocess.Popen], condition: Callable[[], bool]) -> bool:
    """Waits until `condition()`; False if a process ended before."""
    while not condition():
        if any(process.poll() is not None for process in running):
            return False
        time.sleep(0.002)
    return True


def kill_once(running: list[subprocess.Popen], workdir: Path, moment: str, draw: random.Random) -> str | None:
    """Kills one process of the run at one of MOMENTS and waits for the others.

    Returns:
        a description of what happened; None if the run ended before.
    """
    begun, first = time.time(), latest_checkpoint(workdir)
    conditions = {
        "after a checkpoint": lambda: latest_checkpoint(workdir) > first,
        "in a save": lambda: has_stepped(workdir, begun, first) and is_saving(workdir, begun),
        "after a step": lambda: has_stepped(workdir, begun, first),
    }
    if not wait_until(running, conditions[moment]):
        return None
    time.sleep(draw.uniform(0, 0.05 if moment == "in a save" else 1.0))
    victim = draw.choice(running)
    in_save_now = is_saving(workdir, begun)
    victim.kill()
    victim.wait()
    steps = [line["step"] for line in logged(workdir)]
    kept = Checkpoints(workdir / "checkpoints").steps()
    begin = time.monotonic()
    codes = [process.wait(SECONDS_TO_END) for process in running if process is not victim]
    if set(codes) - {LOST_PROCESS_STATUS}:
        raise SystemExit(f"process {running.index(victim)} was killed, and others ended with {codes}")
    others = f", the others ended after {time.monotonic() - begin:.1f} s with {codes}" if codes else ""
    return f"at step {steps[-1] if steps else 0}{', in a save' if in_save_now else ''}, checkpoints {kept}{others}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--every", type=int, default=5, help="steps from one checkpoint to the next")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder, args.steps, args.every)
        begin = time.monotonic()
        if any(process.wait() for process in start(folder, folder / "unbroken", args.processes)):
            raise SystemExit(f"the unbroken run failed:\n{(folder / 'unbroken.log').read_text()}")
        print(f"unbroken: {args.steps} steps in {time.monotonic() - begin:.0f} s", flush=True)
        workdir, caught, resumed = folder / "killed", 0, 0
        for kill in range(1, args.kills + 1):
            running = start(folder, workdir, args.processes)
            description = kill_once(running, workdir, MOMENTS[(kill - 1) % len(MOMENTS)], draw)
            if description is None:
                output = (folder / "killed.log").read_text()[-2000:]
                raise SystemExit(f"the run ended before kill {kill} (use more --steps?); its output:\n{output}")
            caught += "in a save" in description
            resumed += latest_checkpoint(workdir) > 0  # the next attempt
            print(f"kill {kill}: {description}", flush=True)
        if any(process.wait() for process in start(folder, workdir, args.processes)):
            raise SystemExit(f"the killed run did not finish:\n{(folder / 'killed.log').read_text()[-2000:]}")
        unbroken, killed = logged(folder / "unbroken"), logged(workdir)
    differing = sum(one != two for one, two in zip(unbroken, killed)) + abs(len(unbroken) - len(killed))
    print(
        f"{args.kills} kills, {caught} in a save, {resumed} followed by a resume from a checkpoint; {differing} of "
        f"{len(unbroken)} lines differ from the unbroken run's"
    )
    sys.exit(int(differing > 0 or resumed == 0))


if __name__ == "__main__":
    main()
