"""What is checked of an experiment before a workdir is claimed."""

import dataclasses

import pytest
from support.images import noise_png

from negjax.config import Evaluation, Experiment, LossSpec, ModelSpec, Source
from negjax.datasets.stored.store import write_set
from negjax.errors import NegjaxError
from negjax.experiment import describe_run, run_experiment


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
    plan = describe_run(dataclasses.replace(experiment, sources=larger), tmp_path / "run")
    assert plan["sources"]["balanced"]["batch_per_device"] == 8


def test_a_misspelt_figure_is_named_before_training(scenes, tmp_path):
    """Else the run would keep no best checkpoint, and say so only when it is asked for."""
    sources = {"captions": Source("scenes_negcap", 16, contrastive=1.0)}
    for task, wrong, has in (
        ("scenes_mcq", "acuracy", "accuracy, positive_accuracy, "),
        ("scenes_retrieval", "recall@5", "image_retrieval_recall@1, "),
        ("scenes_truth_table", "group", "accuracy, .*group_accuracy"),
        ("scenes_zeroshot", "top1", "accuracy"),
    ):
        wanted = Evaluation(tasks=(task,), best=f"{task}/{wrong}")
        experiment = Experiment(ModelSpec(arch="tiny"), sources, str(scenes), steps=2, evaluation=wanted)
        with pytest.raises(NegjaxError, match=rf"config\.evaluation\.best is '{task}/{wrong}': {task} has {has}"):
            run_experiment(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_images_that_were_made_smaller_than_the_model_takes_them(tmp_path, caplog):
    rows = [{"media": noise_png(0, (60, 60)), "captions": [f"number {i}"]} for i in range(8)]
    small = {"task_kind": "train", "negated": False, "short_side": 24}
    write_set(tmp_path, "small", lambda: iter(rows), ["captions"], small)
    sources = {"captions": Source("small", 8, contrastive=1.0)}
    describe_run(Experiment(ModelSpec(arch="tiny"), sources, str(tmp_path), steps=2), tmp_path / "run")
    assert caplog.messages == [
        "config.sources.captions: small was built with --short-side 24, and is enlarged to the model's 40 pixels"
    ]
