"""What a run tells of itself while it goes: timings that can be recomputed, figures elsewhere, a trace."""

import dataclasses
import gzip
import importlib.util
import json
import time

import jax
import pytest
from support import event_files
from support.metrics import logged_lines

from negjax.config import Evaluation, Experiment, Logging, ModelSpec, Optim, Source
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError
from negjax.experiment import run_experiment
from negjax.input.pipeline import batches
from negjax.models.flops import image_flops, text_flops
from negjax.runtime.chips import PEAK_FLOPS
from negjax.runtime.profiler import ProfileWindow
from negjax.runtime.step_timer import TIMING_KEYS
from negjax.training import loop
from negjax.training.loop import train
from negjax.training.prepare import prepare_run

WAIT = 0.15  # seconds for each batch of a slow source
RATES = ("steps_per_second", "examples_per_second", "step_seconds_p50", "step_seconds_p90", "data_wait_fraction")


@pytest.fixture(scope="module")
def experiment(scenes) -> Experiment:
    source = Source("scenes_negcap", 16, contrastive=1.0, negated_fraction=0.5)
    return Experiment(
        ModelSpec(arch="mini"), {"captions": source}, str(scenes), 6, optim=Optim(warmup_steps=1), log_every=1
    )


def test_each_line_has_the_timings_that_are_known(experiment, mini, tmp_path):
    train(prepare_run(experiment, mini), tmp_path)
    first, *others = logged_lines(tmp_path)
    known = {
        *RATES,
        "model_flops_per_second",
        "real_token_share",
        "host_memory_peak_bytes",
    }  # of CPUs neither peak nor memory is
    assert first.keys() & set(TIMING_KEYS) == {"host_memory_peak_bytes"}  # the first step is compiled
    for line in others:
        assert line.keys() & set(TIMING_KEYS) == known
        assert line["examples_per_second"] == pytest.approx(16 * line["steps_per_second"])
        assert 0 < line["step_seconds_p50"] == line["step_seconds_p90"]  # of one step
        assert 0 <= line["data_wait_fraction"] < 1
        assert 1e8 < line["host_memory_peak_bytes"] < 1e11


def test_operations_are_those_of_the_captions_without_padding(experiment, mini, tmp_path, monkeypatch):
    """Of two steps to a line, on devices that are said to do 1e9 operations a second each."""
    monkeypatch.setitem(PEAK_FLOPS, jax.devices()[0].device_kind, 1e9)
    train(prepare_run(dataclasses.replace(experiment, log_every=2), mini), tmp_path)
    stream = batches(
        open_set(experiment.data_dir, "scenes_negcap"),
        experiment.sources["captions"],
        preprocess=mini.preprocess,
        tokenizer=mini.tokenizer,
        context_length=32,
        with_lengths=True,
        seed=0,
        first_step=0,
        rows=range(16),
    )
    texts = [next(stream)["text"] for _ in range(6)]
    end = mini.tokenizer([""])[0, 1]
    lengths = [[list(ids).index(end) + 1 for ids in text] for text in texts]
    flops = [3 * sum(image_flops(mini.config) + text_flops(mini.config, n) for n in each) for each in lengths]
    _, *lines = logged_lines(tmp_path)  # steps 3 and 4, then 5 and 6
    for line, steps in zip(lines, ((2, 3), (4, 5))):
        expected = sum(flops[step] for step in steps)
        rows = [max(1 + (a + b > 32) for a, b in zip(lengths[step][::2], lengths[step][1::2])) for step in steps]
        share = sum(sum(lengths[step]) for step in steps) / (32 * 8 * sum(rows))  # two captions on a device
        assert line["real_token_share"] == pytest.approx(share)
        assert share < 1
        seconds = 2 / line["steps_per_second"]
        assert line["model_flops_per_second"] * seconds == pytest.approx(expected)
        assert line["mfu"] == pytest.approx(expected / seconds / (1e9 * jax.device_count()))


def test_waiting_for_slow_data_is_told(experiment, mini, tmp_path, monkeypatch):
    stream = loop.stream_batches

    def slow(*arguments):
        for batch in stream(*arguments):
            time.sleep(WAIT)
            yield batch

    monkeypatch.setattr(loop, "stream_batches", slow)
    train(prepare_run(dataclasses.replace(experiment, log_every=6), mini), tmp_path)
    (line,) = logged_lines(tmp_path)
    waited = line["data_wait_fraction"] / line["steps_per_second"]
    assert WAIT <= waited < 1.5 * WAIT
    assert WAIT < line["step_seconds_p50"] <= line["step_seconds_p90"]


def test_an_evaluation_is_not_the_training_s_time(experiment, mini, tmp_path):
    moments = []

    def evaluate(model) -> dict[str, float]:
        moments.append(time.perf_counter())
        time.sleep(3)
        moments.append(time.perf_counter())
        return {"task/accuracy": 0.5}

    watched = dataclasses.replace(experiment, evaluation=Evaluation(tasks=("task",), every=3), log_every=3)
    train(prepare_run(watched, mini), tmp_path, evaluate)
    first, second = (line for line in logged_lines(tmp_path) if "loss" in line)
    assert (first["step"], second["step"]) == (3, 6)
    assert 3 / second["steps_per_second"] < moments[2] - moments[1]  # from one evaluation to the next


def test_tensorboard_has_what_the_log_has(experiment, mini, tmp_path):
    watched = dataclasses.replace(experiment, evaluation=Evaluation(tasks=("task",), every=2), checkpoint_every=100)
    wanted = dataclasses.replace(watched, logging=Logging(tensorboard=True))
    train(prepare_run(wanted, mini), tmp_path, lambda model: {"task/accuracy": 0.5})
    shown = event_files.read(tmp_path / "tensorboard")
    told: dict[int, dict] = {}
    for line in logged_lines(tmp_path):
        step = line.pop("step")
        told[step] = told.get(step, {}) | line
    assert {step: pytest.approx(figures) for step, figures in told.items()} == shown
    assert shown[4]["eval/task/accuracy"] == 0.5
    train(prepare_run(watched, mini), tmp_path)  # where figures go is free to change


def test_a_missing_package_is_told_before_the_workdir_is_claimed(experiment, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboardX" else find(name))
    wanted = dataclasses.replace(experiment, model=ModelSpec("tiny"), logging=Logging(tensorboard=True))
    with pytest.raises(NegjaxError, match=r'tensorboardX: pip install "negjax\[tensorboard\]"'):
        run_experiment(wanted, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_trace_of_the_steps_that_were_asked_for(experiment, mini, tmp_path, caplog):
    caplog.set_level("INFO")
    train(prepare_run(experiment, mini), tmp_path, window=ProfileWindow(3, 4))
    (file,) = (tmp_path / "profile").rglob("*.trace.json.gz")
    events = json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]
    assert [event["args"]["step_num"] for event in events if event.get("name") == "train"] == ["3", "4"]
    assert any("dot" in event.get("name", "") for event in events)
    assert f"wrote a trace to {tmp_path}/profile" in caplog.text
