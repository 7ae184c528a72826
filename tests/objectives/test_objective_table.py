"""The tables of objectives and inputs agree with each other and with the pipeline."""

import pytest

from negjax.config import Experiment, ModelSpec, Source
from negjax.input.loader import ARRAYS
from negjax.objectives.inputs import INPUTS
from negjax.objectives.table import OBJECTIVES, objective, objectives_with


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_takes_inputs_of_the_table(name):
    taken = {*objective(name).inputs, *objective(name).optional_inputs}
    assert taken <= INPUTS.keys()
    assert set(objective(name).teacher_inputs) <= taken
    assert objective(name).meaning


def test_the_pipeline_makes_every_input_that_a_batch_may_hold():
    assert list(ARRAYS) == [name for name, spec in INPUTS.items() if spec.axes]
    assert all(spec.tower in ("visual", "text", "") for spec in INPUTS.values())
    assert all(INPUTS[spec.teacher_of].tower for spec in INPUTS.values() if spec.teacher_of)


def test_what_a_source_needs_follows_from_its_weights():
    everything = Source("x", 8, contrastive=1.0, distill=2.0, mcq=0.5, hard_negatives=2, gray_scale_prob=0.1)
    assert everything.weights == {"contrastive": 1.0, "distill": 2.0, "mcq": 0.5}
    assert everything.inputs == ("image", "augment", "text", "negative_text", "options", "answer")
    assert everything.teacher_inputs == ("image", "text")
    assert Source("x", 8, mcq=1.0).inputs == ("image", "options", "answer")
    assert Source("x", 8, mcq=1.0).teacher_inputs == ()
    assert Source("x", 8, text_contrast=1.0).teacher_inputs == ("options",)
    assert Source("x", 8, absence=1.0).inputs == ("image", "text", "negated_text")
    assert Source("x", 8, tng=1.0).inputs == ("image", "text", "hybrid_text", "denial_text")
    assert objectives_with("text") == ["contrastive", "sigmoid", "distill", "absence", "tng"]


def test_what_an_experiment_needs_follows_from_its_sources():
    sources = {"a": Source("x", 8, sigmoid=1.0), "b": Source("y", 8, distill=1.0, mcq=1.0)}
    experiment = Experiment(ModelSpec(init_from="runs/start"), sources, "data", 2)
    assert experiment.objectives == ("sigmoid", "distill", "mcq")
    assert experiment.teacher_objectives == ("distill",)
    assert experiment.needs_logit_bias
