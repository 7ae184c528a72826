"""Settings of a run that reach through the loop: bad steps, averages, meshes, and how the losses are computed."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
from support.metrics import logged_lines

from negjax.config import Experiment, LossSpec, MeshSpec, ModelSpec, Optim, Source
from negjax.errors import NegjaxError
from negjax.runtime.checkpoint import Checkpoints
from negjax.training.loop import train
from negjax.training.prepare import prepare_run

BLOWN_UP = Optim(learning_rate=1e30, warmup_steps=0, weight_decay=0.0)  # the first update makes every loss not finite


@pytest.fixture(scope="module")
def experiment(scenes) -> Experiment:
    return Experiment(
        ModelSpec(arch="mini"),
        {
            "captions": Source("scenes_negcap", 16, contrastive=1.0, negated_fraction=0.5),
            "balanced": Source("scenes_balanced", 32, mcq=1.0),
        },
        str(scenes),
        steps=4,
        optim=Optim(learning_rate=1e-3),
        log_every=1,
        checkpoint_every=2,
    )


def losses(experiment: Experiment, model, workdir: Path) -> list[float]:
    train(prepare_run(experiment, model), workdir)
    return [line["loss"] for line in logged_lines(workdir)]


@pytest.fixture(scope="module")
def plain(experiment, mini, tmp_path_factory) -> list[float]:
    return losses(experiment, mini, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "settings",
    [
        {"mesh": MeshSpec(fsdp=4)},
        {"mesh": MeshSpec(fsdp=2, tensor=2)},
        {"loss": LossSpec(sharded=True)},
        {"loss": LossSpec(chunk=1, micro_batches=1)},
        {"mesh": MeshSpec(tensor=4), "loss": LossSpec(sharded=True, micro_batches=2)},
    ],
    ids=str,
)
def test_how_it_is_computed_changes_no_loss(experiment, mini, plain, tmp_path, settings):
    found = losses(dataclasses.replace(experiment, **settings), mini, tmp_path)
    np.testing.assert_allclose(found, plain, rtol=1e-5)


def test_a_run_goes_on_with_another_mesh(experiment, mini, plain, tmp_path):
    short = dataclasses.replace(experiment, mesh=MeshSpec(fsdp=2, tensor=2))
    with pytest.raises(ZeroDivisionError):  # as if it died at the first evaluation, after the checkpoint of step 2
        train(prepare_run(short, mini), tmp_path, lambda model: 1 / 0)
    assert Checkpoints(tmp_path / "checkpoints").steps() == [2]
    np.testing.assert_allclose(losses(experiment, mini, tmp_path), plain, rtol=1e-5)


def test_a_bad_step_stops_the_run(experiment, mini, tmp_path):
    wild = dataclasses.replace(experiment, optim=BLOWN_UP)
    with pytest.raises(NegjaxError, match=r"step 2: the loss or its gradient is not finite.*on_bad_step"):
        train(prepare_run(wild, mini), tmp_path)
    assert [line["step"] for line in logged_lines(tmp_path)] == [1]
    assert Checkpoints(tmp_path / "checkpoints").steps() == []


def test_bad_steps_are_skipped_and_counted(experiment, mini, tmp_path):
    wild = dataclasses.replace(experiment, optim=dataclasses.replace(BLOWN_UP, on_bad_step="skip"))
    train(prepare_run(wild, mini), tmp_path)
    assert [line["skipped"] for line in logged_lines(tmp_path)] == [0, 1, 2, 3]


def test_a_bad_step_rolls_the_run_back_and_goes_on_behind_it(experiment, mini, tmp_path, caplog):
    """Each second step is bad: after the first one the weights are gone, and there is no checkpoint but the start."""
    optim = dataclasses.replace(BLOWN_UP, on_bad_step="roll_back")
    wild = dataclasses.replace(experiment, steps=5, optim=optim, checkpoint_every=100)
    last = train(prepare_run(wild, mini), tmp_path)
    assert [line["step"] for line in logged_lines(tmp_path)] == [1, 3, 5]
    assert caplog.text.count("back to step 0") == 2
    assert [line["skipped"] for line in logged_lines(tmp_path)] == [0, 1, 2]
    assert np.abs(last.params["text"]["tokens"]).max() > 1e20


def test_an_average_is_kept_and_can_be_read(experiment, mini, tmp_path):
    averaged = dataclasses.replace(experiment, optim=dataclasses.replace(experiment.optim, ema=0.5))
    last = train(prepare_run(averaged, mini), tmp_path)
    shapes = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), mini.params)
    ema = Checkpoints(tmp_path / "checkpoints").restore_ema(4, shapes)
    moved = [
        (np.abs(np.asarray(a) - b).max(), np.abs(np.asarray(c) - b).max())
        for a, b, c in zip(jax.tree.leaves(ema), jax.tree.leaves(mini.params), jax.tree.leaves(last.params))
    ]
    assert 0 < sum(a for a, _ in moved) < sum(c for _, c in moved)
