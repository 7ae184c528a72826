"""The loop: what a run writes, and that a run which was cut off goes on as if it had not been."""

import dataclasses
import json
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from support.metrics import untimed_lines

from negjax.config import Evaluation, Experiment, ModelSpec, Optim, Source
from negjax.errors import NegjaxError
from negjax.models.loaded import LoadedModel
from negjax.runtime.checkpoint import Checkpoints
from negjax.training import workdir as workdir_module
from negjax.training.loop import train
from negjax.training.prepare import prepare_run

# The run of the tests below in a process of its own, killed as step 5 is evaluated. Both processes have the flags that
# conftest.py sets: with others XLA rounds otherwise.
KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from negjax.training.loop import train
from negjax.training.prepare import prepare_run
experiment, model = pickle.loads(Path(sys.argv[1]).read_bytes())
train(prepare_run(experiment, model), Path(sys.argv[2]), lambda model: os.kill(os.getpid(), signal.SIGKILL))
"""

# The same run in a store: it ends with an error as step 5 is evaluated, the save of step 4 is left half done, and it is
# started again; at last it is copied here.
IN_A_STORE = """
import pickle, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from support import fake_store
fake_store.install()
from etils import epath
from negjax.runtime.checkpoint import Checkpoints
from negjax.training.loop import train
from negjax.training.prepare import prepare_run
experiment, model = pickle.loads(Path(sys.argv[1]).read_bytes())
workdir = epath.Path("gs://bucket/run")
try:
    train(prepare_run(experiment, model), workdir, lambda model: 1 / 0)
except ZeroDivisionError:
    pass
checkpoints = Checkpoints(workdir / "checkpoints")
assert checkpoints.steps() == [2, 4], checkpoints.steps()
(workdir / "checkpoints" / "4" / "commit_success.txt").unlink()
assert checkpoints.steps() == [2]
train(prepare_run(experiment, model), workdir, lambda model: {})
for path in fake_store.Store().find("gs://bucket/run"):
    target = Path(sys.argv[2]) / path.removeprefix("/bucket/run/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(fake_store.Store().cat_file(path))
"""


@pytest.fixture(scope="module")
def experiment(scenes) -> Experiment:
    """Six steps on two sources, a checkpoint every two, every step in the log."""
    return Experiment(
        ModelSpec(arch="mini"),
        {
            "captions": Source("scenes_negcap", 16, contrastive=1.0, negated_fraction=0.5, flip=True),
            "balanced": Source("scenes_balanced", 32, mcq=1.0),
        },
        str(scenes),
        steps=6,
        optim=Optim(learning_rate=1e-3, warmup_steps=1),
        log_every=1,
        checkpoint_every=2,
    )


def state_of(workdir: Path) -> list[np.ndarray]:
    """All arrays of the last checkpoint, as their bytes stand on disk: parameters, moments, counts."""
    step = Checkpoints(workdir / "checkpoints").latest()
    found = []
    for item in ("params", "training"):
        folder = workdir / "checkpoints" / str(step) / item
        metadata = ocp.PyTreeCheckpointHandler().metadata(folder).tree
        how = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), metadata)
        with ocp.PyTreeCheckpointer() as reader:
            found += jax.tree.leaves(reader.restore(folder, args=ocp.args.PyTreeRestore(restore_args=how)))
    return found


def assert_same_run(workdir: Path, other: Path) -> None:
    assert untimed_lines(workdir) == untimed_lines(other)
    arrays, others = state_of(workdir), state_of(other)
    assert len(arrays) == len(others) > 90
    for one, two in zip(arrays, others):
        assert np.asarray(one).tobytes() == np.asarray(two).tobytes()


@pytest.fixture(scope="module")
def saved() -> list[tuple[int, list[int]]]:
    """For each checkpoint of the unbroken run, its step and the steps that were in the log when it was saved."""
    return []


@pytest.fixture(scope="module")
def unbroken(experiment, mini, saved, tmp_path_factory) -> Path:
    workdir, save = tmp_path_factory.mktemp("runs") / "unbroken", Checkpoints.save

    def watched(self: Checkpoints, step: int, *arguments) -> None:
        saved.append((step, [line["step"] for line in untimed_lines(workdir)]))
        save(self, step, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", watched)
        train(prepare_run(experiment, mini), workdir)
    return workdir


def test_what_a_run_writes(experiment, unbroken):
    logged = untimed_lines(unbroken)
    assert [line["step"] for line in logged] == [1, 2, 3, 4, 5, 6]
    for line in logged:
        assert line["loss"] == pytest.approx(line["captions/contrastive"] + line["balanced/mcq"], rel=1e-5)
        assert {"captions/contrastive_accuracy", "balanced/mcq_accuracy", "gradient_norm"} < set(line)
    assert logged[0]["learning_rate"] == 0.0
    assert logged[1]["learning_rate"] == pytest.approx(1e-3)
    written = json.loads((unbroken / "metrics.jsonl").read_text().splitlines()[-1])
    assert written["examples_per_second"] == pytest.approx(48 * written["steps_per_second"])
    assert json.loads((unbroken / "config.json").read_text()) == json.loads(json.dumps(experiment.to_dict()))
    assert Checkpoints(unbroken / "checkpoints").steps() == [2, 4, 6]


def test_the_last_weights_are_returned_and_were_learned(experiment, mini, unbroken):
    """A finished run, asked for again, trains no further."""
    before = (unbroken / "metrics.jsonl").read_bytes()
    model = train(prepare_run(experiment, mini), unbroken)
    assert (unbroken / "metrics.jsonl").read_bytes() == before
    stored = state_of(unbroken)[: len(jax.tree.leaves(model.params))]
    for leaf, kept, fresh in zip(jax.tree.leaves(model.params), stored, jax.tree.leaves(mini.params)):
        assert np.array_equal(leaf, kept)
        assert not np.array_equal(leaf, fresh) or fresh.size == 1


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit(experiment, mini, unbroken, tmp_path):
    (tmp_path / "run.pickle").write_bytes(
        pickle.dumps((dataclasses.replace(experiment, evaluation=Evaluation(tasks=("x",), every=5)), mini))
    )
    workdir = tmp_path / "run"
    arguments = [str(tmp_path / "run.pickle"), str(workdir)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [line["step"] for line in untimed_lines(workdir)] == [1, 2, 3, 4, 5]
    assert Checkpoints(workdir / "checkpoints").latest() in (2, 4)  # the last may not have been whole yet
    with (workdir / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')  # a line that was cut off
    train(prepare_run(experiment, mini), workdir)
    assert_same_run(workdir, unbroken)


@pytest.mark.slow
def test_a_run_in_a_store_that_cannot_append_or_rename_goes_on_bit_for_bit(experiment, mini, unbroken, tmp_path):
    watched = dataclasses.replace(experiment, evaluation=Evaluation(tasks=("x",), every=5))
    (tmp_path / "run.pickle").write_bytes(pickle.dumps((watched, mini)))
    arguments = [str(tmp_path / "run.pickle"), str(tmp_path / "run"), str(Path(__file__).parents[1])]
    run = subprocess.run([sys.executable, "-c", IN_A_STORE, *arguments], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    trained = [line for line in untimed_lines(tmp_path / "run") if "loss" in line]
    assert trained == untimed_lines(unbroken)
    assert not list((tmp_path / "run").rglob("*tmp*"))


def test_what_is_logged_before_a_checkpoint_is_on_disk_before_it(unbroken, saved):
    """Else a run that is killed right after a checkpoint would never write the step's line."""
    assert saved == [(2, [1, 2]), (4, [1, 2, 3, 4]), (6, [1, 2, 3, 4, 5, 6])]


def test_evaluation_is_passed_in_logged_and_decides_the_best_checkpoint(experiment, mini, tmp_path):
    seen = []

    def evaluate(model: LoadedModel) -> dict[str, float]:
        seen.append(np.asarray(model.params["text"]["norm_final"]["scale"]))
        return {"task/accuracy": [0.5, 0.9, 0.7][len(seen) - 1]}

    wanted = Evaluation(tasks=("task",), every=2, best="task/accuracy")
    watched = dataclasses.replace(experiment, evaluation=wanted, checkpoint_every=100, log_every=4, keep=1)
    train(prepare_run(watched, mini), tmp_path, evaluate)
    logged = [(line["step"], line.get("eval/task/accuracy"), "loss" in line) for line in untimed_lines(tmp_path)]
    assert logged == [(2, 0.5, False), (4, None, True), (4, 0.9, False), (6, None, True), (6, 0.7, False)]
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.steps() == [4, 6]  # the best and the last
    assert checkpoints.best() == 4
    assert not np.array_equal(seen[1], seen[2])


def test_the_workdir_of_another_experiment_is_refused(experiment, mini, unbroken):
    before = {path: path.read_bytes() for path in unbroken.rglob("*") if path.is_file()}
    other = dataclasses.replace(experiment, optim=dataclasses.replace(experiment.optim, learning_rate=0.5))
    with pytest.raises(
        NegjaxError, match=r"unbroken holds another experiment \(config\.optim\.learning_rate is 0\.001 "
    ):
        train(prepare_run(other, mini), unbroken)
    source = dataclasses.replace(experiment.sources["captions"], flip=False)
    other = dataclasses.replace(experiment, sources=experiment.sources | {"captions": source})
    with pytest.raises(
        NegjaxError, match=r"\(config\.sources\.captions\.flip is True there and False now\): use another"
    ):
        train(prepare_run(other, mini), unbroken)
    assert {path: path.read_bytes() for path in unbroken.rglob("*") if path.is_file()} == before
    train(prepare_run(dataclasses.replace(experiment, log_every=3, keep=5), mini), unbroken)  # these decide nothing


@pytest.mark.slow
def test_other_rows_under_the_name_of_a_set_are_refused(experiment, mini, unbroken, tmp_path):
    data, workdir = shutil.copytree(experiment.data_dir, tmp_path / "data"), shutil.copytree(unbroken, tmp_path / "run")
    (workdir / "checkpoints" / "6").rename(tmp_path / "last")
    moved = dataclasses.replace(experiment, data_dir=str(data))
    stated = next((data / "scenes_negcap").rglob("metadata.json"))
    content = json.loads(stated.read_text())
    before = (workdir / "metrics.jsonl").read_bytes()
    stated.write_text(json.dumps(content | {"content": "of other rows"}))
    stated.with_name("checksums.json").unlink()  # else it is told of damage
    with pytest.raises(NegjaxError, match=r"config\.sources\.captions\.dataset: scenes_negcap in .* holds other rows"):
        train(prepare_run(moved, mini), workdir)
    assert (workdir / "metrics.jsonl").read_bytes() == before
    stated.write_text(json.dumps(content))
    train(prepare_run(moved, mini), workdir)  # the same rows in another place
    assert_same_run(workdir, unbroken)


def test_a_store_that_is_not_supported(experiment, mini):
    with pytest.raises(NegjaxError, match=r"--workdir s3://b/run: s3:// is not supported"):
        train(prepare_run(experiment, mini), "s3://b/run")


@pytest.mark.slow
def test_two_runs_in_one_workdir(experiment, mini, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(workdir_module, "SECONDS_TO_LEAVE", 0.2)
    watched = dataclasses.replace(experiment, evaluation=Evaluation(tasks=("x",), every=5))

    def again(model: LoadedModel) -> dict[str, float]:
        train(prepare_run(experiment, mini), tmp_path)  # while the first one trains
        return {}

    with pytest.raises(NegjaxError, match=f"--workdir {tmp_path} is in use by another run"):
        train(prepare_run(watched, mini), tmp_path, again)
    assert "is in use by another run: waiting" in caplog.text
    train(prepare_run(experiment, mini), tmp_path)
    assert Checkpoints(tmp_path / "checkpoints").latest() == 6


def test_a_batch_that_does_not_fit_the_devices_is_named(experiment, mini, tmp_path):
    odd = dataclasses.replace(experiment, sources={"captions": Source("scenes_negcap", 12, contrastive=1.0)})
    with pytest.raises(NegjaxError, match=r"config\.sources\.captions\.batch_size is 12: .* multiple of 8 devices"):
        train(prepare_run(odd, mini), tmp_path)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "missing": lambda path: path.unlink(),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "a flipped bit": flip,
}


def largest_file(checkpoint: Path) -> Path:
    return max((path for path in checkpoint.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_told_and_written_anew(experiment, mini, unbroken, tmp_path, how, caplog):
    workdir = shutil.copytree(unbroken, tmp_path / "run")
    DAMAGES[how](largest_file(workdir / "checkpoints" / "6"))
    train(prepare_run(dataclasses.replace(experiment, keep=1), mini), workdir)
    assert f"{workdir}/checkpoints/6 is damaged (" in caplog.text
    assert f"the run resumes from step 4 of {workdir}/checkpoints" in caplog.text
    assert Checkpoints(workdir / "checkpoints").steps() == [6]
    assert_same_run(workdir, unbroken)


def test_when_all_checkpoints_are_damaged_the_run_stops_and_removes_none(experiment, mini, unbroken, tmp_path):
    workdir = shutil.copytree(unbroken, tmp_path / "run")
    for step in (2, 4, 6):
        flip(largest_file(workdir / "checkpoints" / str(step)))
    with pytest.raises(NegjaxError, match=r"checkpoints/6 is damaged \(the content of .* was altered\): copy it again"):
        train(prepare_run(experiment, mini), workdir)
    assert Checkpoints(workdir / "checkpoints").steps() == [2, 4, 6]


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_run_goes_on_once_there_is_space(experiment, mini, unbroken, tmp_path):
    """No file may grow beyond 100,000 bytes from step 3 on, where a checkpoint is due because of an evaluation."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(model: LoadedModel) -> dict[str, float]:
        while Checkpoints(tmp_path / "checkpoints").steps() != [2]:  # it is written in the background
            time.sleep(0.05)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        return {}

    watched = dataclasses.replace(experiment, evaluation=Evaluation(tasks=("task",), every=3))
    try:
        with pytest.raises(
            NegjaxError, match=f"^cannot write a checkpoint to {tmp_path}/checkpoints: .*File too large"
        ):
            train(prepare_run(watched, mini), tmp_path, fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert Checkpoints(tmp_path / "checkpoints").steps() == [2]
    train(prepare_run(experiment, mini), tmp_path)
    assert_same_run(tmp_path, unbroken)
