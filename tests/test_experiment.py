"""What is checked of an experiment before a workdir is claimed."""

import dataclasses

import pytest

from negjax.config import Experiment, LossSpec, ModelSpec, Source
from negjax.errors import NegjaxError
from negjax.experiment import describe, run_experiment


def test_micro_batches_that_do_not_divide_the_rows_of_a_device(scenes, tmp_path):
    """On eight devices, four rows that share their options staying together."""
    sources = {"balanced": Source("scenes_balanced", 32, mcq=1.0)}
    experiment = Experiment(ModelSpec(arch="tiny"), sources, str(scenes), steps=2, loss=LossSpec(micro_batches=2))
    with pytest.raises(
        NegjaxError,
        match=r"balanced\.batch_size is 32: it must be a multiple of 8 devices x 2 micro-batches x 4 rows that stay",
    ):
        run_experiment(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    larger = {"balanced": dataclasses.replace(sources["balanced"], batch_size=64)}
    plan = describe(dataclasses.replace(experiment, sources=larger), tmp_path / "run")
    assert plan["sources"]["balanced"]["batch_per_device"] == 8
