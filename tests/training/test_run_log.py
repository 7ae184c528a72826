"""What a run writes of itself, here and in a store that can neither append nor rename."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import fsspec
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath
from support import event_files
from support.fake_store import Store

from negjax.config import Experiment, Logging, ModelSpec, Source
from negjax.errors import NegjaxError
from negjax.runtime.files import open_atomic, write_atomic
from negjax.runtime.metrics_log import METRICS_FILE
from negjax.runtime.profiler import PROFILE_FOLDER, ProfileWindow, StepProfiler
from negjax.runtime.step_timer import StepWork
from negjax.runtime.tensorboard_log import TENSORBOARD_FOLDER
from negjax.training import run_log
from negjax.training.pending import PendingMetrics
from negjax.training.run_log import RunLog

EXPERIMENT = Experiment(ModelSpec("tiny"), {"a": Source("x", 4, contrastive=1.0)}, "data", 9)


@pytest.fixture
def store() -> Iterator[epath.Path]:
    fsspec.register_implementation("gcs", Store, clobber=True)
    Store.store.clear()
    yield epath.Path("gs://bucket/run")
    fsspec.register_implementation("gcs", "gcsfs.GCSFileSystem", clobber=True)


def lines(path: epath.Path) -> list[tuple]:
    return [(line["step"], line.get("loss")) for line in map(json.loads, path.read_text().splitlines())]


def write_pending(run: RunLog, pending: PendingMetrics) -> None:
    if held := pending.take():
        run.write_metrics(*held)


def write(workdir: epath.Path, first: int, last: int, flush_at: int | None = None, tensorboard: bool = False) -> RunLog:
    """Logs the steps after `first` up to `last`."""
    pending = PendingMetrics()
    with RunLog(workdir, replace(EXPERIMENT, logging=Logging(tensorboard)), first, lambda count: 0.1 * count) as run:
        for step in range(first + 1, last + 1):
            metrics = {"loss": jnp.float32(step / 2), "halted": jnp.bool_(False)}
            write_pending(run, pending)
            pending.hold(step, metrics)
            run.advance(step, metrics, StepWork(1e6))
            if step == flush_at:
                write_pending(run, pending)
                run.flush()
                assert (step, step / 2) in lines(workdir / METRICS_FILE)
    return run


def test_a_step_is_logged_when_its_metrics_are_read(tmp_path):
    write(epath.Path(tmp_path), 0, 3, flush_at=2)
    assert lines(tmp_path / METRICS_FILE) == [(1, 0.5), (2, 1.0)]  # the third was never read
    write(epath.Path(tmp_path), 1, 4, flush_at=4)
    assert lines(tmp_path / METRICS_FILE) == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0)]


def test_in_a_store_the_log_is_there_after_each_flush_and_is_taken_up_again(store, monkeypatch):
    monkeypatch.setattr(run_log, "SECONDS_BETWEEN_COPIES", 1e9)
    write(store, 0, 4, flush_at=2)
    assert lines(store / METRICS_FILE) == [(1, 0.5), (2, 1.0), (3, 1.5)]  # copied at the end too
    write(store, 2, 5, flush_at=5)
    assert lines(store / METRICS_FILE) == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0), (5, 2.5)]
    assert [path.name for path in store.iterdir()] == [METRICS_FILE]


def test_in_a_store_tensorboard_s_files_are_there_after_each_flush(store, tmp_path):
    for first, flush_at in ((0, 3), (2, 5)):
        write(store, first, flush_at, flush_at, tensorboard=True)
        for path in (store / TENSORBOARD_FOLDER).iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        shown = {step: figures["loss"] for step, figures in event_files.read(tmp_path).items()}
        assert shown == {step: step / 2 for step in range(1, flush_at + 1)}


def test_in_a_store_a_trace_is_copied_whole(store):
    with StepProfiler(store, ProfileWindow(2, 3)) as profile:
        for step in range(1, 5):
            with profile.step(step):
                x = jnp.ones(3) + step
            profile.end_step(x)
    names = [path.name.partition(".")[2] for path in (store / PROFILE_FOLDER / "plugins" / "profile").glob("*/*")]
    assert sorted(names) == ["trace.json.gz", "xplane.pb"]


def test_passes_of_the_loop_take_as_long_as_the_steps_of_the_device(tmp_path):
    """A step that takes a tenth of a second, asked for at once."""

    def rest(x: np.ndarray) -> np.ndarray:
        time.sleep(0.1)
        return x

    step_fn = jax.jit(lambda x: jax.pure_callback(rest, jax.ShapeDtypeStruct((), jnp.float32), x))
    x = jnp.float32(1)
    with RunLog(epath.Path(tmp_path), EXPERIMENT, 0, lambda count: 0.0) as run:
        for step in range(1, 7):
            x = step_fn(x)
            metrics = {"loss": x, "halted": jnp.bool_(False)}
            run.advance(step, metrics, StepWork(1e6))
        run.write_metrics(6, {"loss": float(x)})
        run.flush()
    (line,) = map(json.loads, (tmp_path / METRICS_FILE).open())
    assert 0.09 < line["step_seconds_p50"] < 0.2
    assert line["model_flops_per_second"] == pytest.approx(1e6 * line["steps_per_second"])


def test_in_a_store_the_log_is_copied_now_and_then(store, monkeypatch):
    monkeypatch.setattr(run_log, "SECONDS_BETWEEN_COPIES", 0.0)
    with RunLog(store, EXPERIMENT, 0, lambda count: 0.0) as run:
        for step in (1, 2):
            run.write_evaluation(step, {"task/accuracy": 0.5})
            assert [step for step, _ in lines(store / METRICS_FILE)] == list(range(1, step + 1))


def test_a_file_in_a_store_is_written_whole_or_not_at_all(store):
    path = store / "a" / "config.json"
    write_atomic(path, "old")

    def fail() -> None:
        with open_atomic(path) as file:
            file.write(b"ne")
            raise OSError("disk")

    with pytest.raises(NegjaxError, match=f"cannot write {path}: disk"):
        fail()
    assert path.read_text() == "old"
