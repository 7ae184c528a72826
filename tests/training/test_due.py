"""What has to be done after a step."""

from negjax.config import Evaluation, Experiment, ModelSpec, Source
from negjax.training.loop import Due, due_after

EXPERIMENT = Experiment(
    ModelSpec("tiny"),
    {"a": Source("x", 8, contrastive=1.0)},
    "data",
    steps=10,
    log_every=2,
    checkpoint_every=5,
    evaluation=Evaluation(tasks=("t",), every=3),
)


def due(step: int, *, evaluates: bool = True, stop: bool = False) -> Due:
    return due_after(step, EXPERIMENT, evaluates=evaluates, stop=stop)


def test_each_thing_has_its_own_interval():
    assert due(1) == Due(log=False, evaluate=False, save=False, stop=False)
    assert due(2) == Due(log=True, evaluate=False, save=False, stop=False)
    assert due(3) == Due(log=False, evaluate=True, save=True, stop=False)  # an evaluation is kept with its weights
    assert due(3, evaluates=False) == Due(log=False, evaluate=False, save=False, stop=False)
    assert due(5) == Due(log=False, evaluate=False, save=True, stop=False)


def test_after_the_last_step_everything_is_due_and_a_stop_is_no_longer():
    assert due(10, stop=True) == Due(log=True, evaluate=True, save=True, stop=False)


def test_a_stop_saves():
    assert due(1, stop=True) == Due(log=False, evaluate=False, save=True, stop=True)
