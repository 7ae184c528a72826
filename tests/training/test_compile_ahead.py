"""The step is compiled beside the start of a run, and the start's weights do not stay in memory."""

import dataclasses
import weakref

import jax
import numpy as np
import pytest

from negjax.config import Experiment, ModelSpec, Optim, Source
from negjax.training.loop import train
from negjax.training.prepare import prepare_run


@pytest.fixture(scope="module")
def experiment(scenes) -> Experiment:
    sources = {"pairs": Source("scenes_captions", 8, contrastive=1.0)}
    return Experiment(ModelSpec(arch="tiny"), sources, str(scenes), steps=2, optim=Optim(warmup_steps=0), log_every=1)


@pytest.fixture
def logs_compilations():
    """JAX logs what it compiles, in all threads."""
    jax.config.update("jax_log_compiles", True)
    yield
    jax.config.update("jax_log_compiles", False)


def test_the_step_is_compiled_once_and_not_in_the_main_thread(experiment, mini, tmp_path, caplog, logs_compilations):
    def threads() -> list[str]:
        return [record.threadName for record in caplog.records if "Compiling jit(step)" in record.getMessage()]

    caplog.set_level("INFO", "negjax")
    train(prepare_run(experiment, mini), tmp_path)
    assert threads() == ["compile ahead"]
    assert caplog.text.count("step 1 is compiled") == 1
    caplog.clear()
    train(prepare_run(experiment, mini), tmp_path)  # nothing is left to do
    assert threads() == []


def test_a_step_that_cannot_be_compiled_is_an_error_of_the_run(experiment, mini, tmp_path):
    run = prepare_run(experiment, mini)
    program = dataclasses.replace(run.program, step=jax.jit(lambda state, batches, start: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        train(dataclasses.replace(run, program=program), tmp_path)


def test_the_weights_of_the_start_are_freed_and_read_again_when_needed(experiment, mini, tmp_path):
    """Each second step is bad, and there is no checkpoint: the run goes back to its start."""
    reads = []

    def read() -> dict:
        reads.append(jax.tree.map(np.array, mini.params))
        return reads[-1]

    optim = Optim(learning_rate=1e30, warmup_steps=0, weight_decay=0.0, on_bad_step="roll_back")
    wild = dataclasses.replace(experiment, steps=3, optim=optim, checkpoint_every=100)
    run = prepare_run(wild, dataclasses.replace(mini, params=read()), reload=read)
    held = weakref.ref(run.model.params["text"]["tokens"])
    reads.clear()
    train(run, tmp_path)
    assert held() is None
    assert len(reads) == 1
