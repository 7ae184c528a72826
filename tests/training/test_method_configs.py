"""The configs of published methods: how their docstrings say they are run, the same cost for all, and their steps."""

import dataclasses
import shlex
import sys
from pathlib import Path

import jax
import pytest

from negjax.cli import parse_arguments
from negjax.config import Experiment, Optim
from negjax.config_file import load_config
from negjax.datasets.derive.build import derive_set
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.scenes.sets import SCENE_TASKS, SCENE_TRAINING_SETS
from negjax.input.broken import BrokenRows
from negjax.training.prepare import prepare_run
from negjax.training.stream import stream_batches

CONFIGS = Path(__file__).parents[2] / "configs" / "methods"
METHODS = sorted(path.stem for path in CONFIGS.glob("*.py") if path.stem != "on_scenes")


def load(name: str) -> Experiment:
    return load_config(Experiment, str(CONFIGS / f"{name}.py"))


@pytest.mark.parametrize("name", METHODS)
def test_docstrings_tell_how_sets_are_made_and_methods_are_run(name):
    text = (CONFIGS / f"{name}.py").read_text().split('"""')[1].replace("\\\\\n", " ")
    words = [shlex.split(line) for line in text.splitlines() if line.startswith("    negjax ")]
    parsed = [parse_arguments(each[1:]) for each in words]
    made = [args for args in parsed if hasattr(args, "kind")]
    trained = [args.config for args in parsed if hasattr(args, "config")]
    assert trained[0] == f"configs/methods/{name}.py"
    for config in trained:
        load_config(Experiment, str(CONFIGS / Path(config).name))
    needed = {source.dataset for source in load(name).sources.values()}
    assert needed <= {*SCENE_TRAINING_SETS, *(each.name for each in made)}
    assert [each.name for each in made] == [f"scenes_{each.kind}" for each in made]


@pytest.mark.parametrize("name", METHODS)
def test_no_method_has_more_steps_or_images_than_another(name):
    experiment, control = load(name), load("affirmative")
    assert sum(source.batch_size for source in experiment.sources.values()) == 128
    assert {(source.crop_scale, source.flip) for source in experiment.sources.values()} == {(0.7, True)}
    assert experiment.evaluation.tasks == SCENE_TASKS
    same = {key: getattr(control, key) for key in ("sources", *experiment.adapters)}
    its_own = {key: getattr(control.optim, key) for key in ("freeze", "teacher_ema")}
    if experiment.adapters:  # few parameters take larger steps
        its_own["learning_rate"] = control.optim.learning_rate
    optim: Optim = dataclasses.replace(experiment.optim, **its_own)
    assert dataclasses.replace(experiment, **same, optim=optim) == control


@pytest.fixture(scope="module")
def sets(scenes, tmp_path_factory) -> str:
    """The small scenes with the sets that are derived from them."""
    folder = tmp_path_factory.mktemp("sets")
    for name in SCENE_TRAINING_SETS:
        (folder / name).symlink_to(scenes / name)
    for kind in ("replaced", "denied", "distractors"):
        request = DeriveRequest(kind, medium="drawing")
        derive_set(request, "scenes_negcap", f"scenes_{kind}", folder, progress=False)
    return str(folder)


@pytest.mark.parametrize("name", METHODS)
def test_the_step_takes_the_batches_of_the_sets(name, sets, mini):
    """Real batches, and the program up to its compilation."""
    if name == "omni_negclip":  # freezes a block that the smallest model does not have
        mini = _deeper(mini)
    experiment = dataclasses.replace(load(name), data_dir=sets)
    run = prepare_run(experiment, mini)
    batch = next(stream_batches(run, {name: BrokenRows(1) for name in experiment.sources}, 0))
    start = run.program.start if run.program.needs_start else None
    _, metrics = jax.eval_shape(run.program.step, run.program.state, batch.arrays, start)
    losses = {f"{name}/{key}" for name, source in experiment.sources.items() for key in source.weights}
    assert losses <= set(metrics)


def _deeper(model):
    from negjax.models.init import init_params

    config = dataclasses.replace(model.config, text=dataclasses.replace(model.config.text, depth=2))
    return dataclasses.replace(model, config=config, params=init_params(config, 0))


@pytest.mark.slow
def test_the_comparison_trains_evaluates_and_makes_nothing_twice(tmp_path, scenes, sets, mini, monkeypatch, capsys):
    from negjax.weights.write import write_negjax

    monkeypatch.syspath_prepend(str(CONFIGS.parents[1] / "tools"))
    import compare_methods

    data = tmp_path / "data"
    data.mkdir()
    for name in (*SCENE_TRAINING_SETS, *SCENE_TASKS):
        (data / name).symlink_to(scenes / name)
    (data / "scenes.json").write_text('{"seed": 7}')
    write_negjax(mini, tmp_path / "pretrained")
    words = ["compare_methods.py", str(tmp_path), "--steps", "2", "--methods", "conclip,negfull:0.5"]
    words += ["--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.png")]
    monkeypatch.setattr(sys, "argv", words)
    compare_methods.main()
    first = capsys.readouterr().out
    rows = [line.split(" | ") for line in first.splitlines() if line.startswith(("| start", "| conclip", "| negfull"))]
    assert sorted(row[0] for row in rows) == sorted(2 * ["| start", "| conclip", "| negfull:0.5"])
    frozen = sum(leaf.size for leaf in jax.tree.leaves(mini.params["visual"]))
    everything = sum(leaf.size for leaf in jax.tree.leaves(mini.params))
    trained = {row[0][2:]: row[-1].strip(" |") for row in rows if row[-1].endswith("K |")}
    assert trained == {
        "conclip": f"{(everything - frozen) / 1000:,.0f} K",
        "negfull:0.5": f"{everything / 1000:,.0f} K",
    }
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")

    monkeypatch.setattr(compare_methods, "run_experiment", None)
    monkeypatch.setattr(compare_methods, "evaluate_methods", None)
    compare_methods.main()
    assert capsys.readouterr().out == first
    assert set(compare_methods.method_names()) == {*METHODS, "negfull:0.5"}
