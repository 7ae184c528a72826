"""Config files: every setting checked by name and type, overrides, and the shipped ones against the quickstart."""

import dataclasses
import json
import shlex
from pathlib import Path

import pytest

from negjax.cli import parse_arguments
from negjax.commands.build import KIND_HELP as BUILT
from negjax.config import Experiment, ModelSpec, Optim, Source, Suite
from negjax.config_file import build, load_config
from negjax.datasets.derive.kinds import DERIVED_KINDS as DERIVED
from negjax.datasets.scenes.sets import SCENE_TASKS, SCENE_TRAINING_SETS
from negjax.errors import NegjaxError

CONFIGS = Path(__file__).parent.parent / "configs"
SMALL = """
from ml_collections import ConfigDict

def get_config(arg="8"):
    config = ConfigDict()
    config.model = {"arch": "tiny"}
    config.sources = {"a": {"dataset": "cats", "batch_size": int(arg), "contrastive": 1}}
    config.data_dir = "data"
    config.steps = 10
    return config
"""


@pytest.fixture
def small(tmp_path) -> str:
    path = tmp_path / "small.py"
    path.write_text(SMALL)
    return str(path)


def values(**more) -> dict:
    source = {"dataset": "cats", "batch_size": 8, "contrastive": 1.0}
    return {"model": {"arch": "tiny"}, "sources": {"a": source}, "data_dir": "data", "steps": 10} | more


def test_a_config_file(small):
    expected = Experiment(ModelSpec(arch="tiny"), {"a": Source("cats", 8, contrastive=1.0)}, "data", 10)
    assert load_config(Experiment, small) == expected
    assert type(load_config(Experiment, small).sources["a"].contrastive) is float
    assert load_config(Experiment, f"{small}:32").sources["a"].batch_size == 32


def test_overrides_reach_settings_in_the_file_and_beside_it(small):
    experiment = load_config(
        Experiment,
        small,
        [
            "--config.steps=7",
            "--config.log_every=3",
            "--config.data_dir=/a=b",
            "--config.model.dtype=bfloat16",
            "--config.model.scan=true",
            "--config.optim.learning_rate=1e-3",
            "--config.optim.weight_decay=0",
            "--config.optim.b1=0",
            "--config.optim.lr_factors=(('visual/.*',0.1),['text/tokens',2])",
            "--config.optim.freeze=visual/.*,(text|logit)_.*",
            "--config.evaluation.tasks=('x','y')",
            "--config.sources.a.batch_size=16",
            "--config.sources.a.color_jitter=0.4,0.4,0.4,.1",
            "--config.sources.a.crop_ratio=(0.75,2)",
            "--config.sources.a.crop_scale=0.5",
            "--config.sources.b.dataset=dogs",
            "--config.sources.b.batch_size=4",
            "--config.sources.b.mcq=0.5",
        ],
    )
    assert (experiment.steps, experiment.log_every, experiment.data_dir) == (7, 3, "/a=b")
    assert experiment.model == ModelSpec(arch="tiny", dtype="bfloat16", scan=True)
    assert experiment.optim == Optim(
        learning_rate=1e-3,
        weight_decay=0.0,
        b1=0.0,
        lr_factors=(("visual/.*", 0.1), ("text/tokens", 2.0)),
        freeze=("visual/.*", "(text|logit)_.*"),
    )
    assert experiment.evaluation.tasks == ("x", "y")
    cats = Source(
        "cats", 16, contrastive=1.0, color_jitter=(0.4, 0.4, 0.4, 0.1), crop_ratio=(0.75, 2.0), crop_scale=0.5
    )
    assert experiment.sources == {"a": cats, "b": Source("dogs", 4, mcq=0.5)}
    assert load_config(Experiment, small, ["--config.evaluation.tasks="]).evaluation.tasks == ()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("--config.stepz=7", r"unknown setting config\.stepz; did you mean steps"),
        ("--config.optim.lr=7", r"unknown setting config\.optim\.lr; choose one of learning_rate, .*freeze"),
        ("--config.stuff.a=7", r"unknown setting config\.stuff"),
        ("--config.steps=x", r"config\.steps is 'x': it must be of type int"),
        ("--config.steps=7.5", r"config\.steps is '7\.5': it must be of type int"),
        ("--config.optim.learning_rate=fast", r"config\.optim\.learning_rate is 'fast': it must be of type float"),
        ("--config.model.scan=1", r"config\.model\.scan is '1': it must be of type bool"),
        ("--config.evaluation.tasks=(1,2)", r"config\.evaluation\.tasks\[0\] is 1: it must be of type str"),
        ("--config.sources.a.crop_ratio=1,wide", r"crop_ratio\[1\] is 'wide': it must be of type float"),
        ("--config.sources.a.crop_ratio=1,1,1", r"crop_ratio is \[1\.0, 1\.0, 1\.0\]: it must have 2 entries"),
        ("--config.sources.a=7", r"config\.sources\.a is '7': it must be a group of settings"),
        ("--config.steps.a=7", r"--config\.steps\.a=7: steps is not a group of settings"),
        ("--config.steps", r"--config\.steps: a setting is changed by --config\.NAME=VALUE"),
        ("--steps=7", r"--steps=7: a setting is changed by --config\.NAME=VALUE"),
        ("steps", r"steps: a setting is changed by --config\.NAME=VALUE"),
    ],
)
def test_wrong_overrides(small, override, message):
    with pytest.raises(NegjaxError, match=message):
        load_config(Experiment, small, [override])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("def get_config(:\n", r"bad\.py: the config file cannot be run \(SyntaxError"),
        ("import no_such_module\n", r"bad\.py: the config file cannot be run \(ModuleNotFoundError"),
        ("def get_config():\n    return oops\n", r"bad\.py: the config file cannot be run \(NameError"),
        ("x = 1\n", r"bad\.py: the config file cannot be run \(KeyError: 'get_config'"),
        ("def get_config():\n    return 3\n", r"bad\.py: get_config\(\) must return an ml_collections"),
        (SMALL.replace('config.data_dir = "data"', ""), r"config\.data_dir is missing"),
        (SMALL.replace('"dataset": "cats",', ""), r"config\.sources\.a\.dataset is missing"),
    ],
)
def test_wrong_files(tmp_path, content, message):
    path = tmp_path / "bad.py"
    path.write_text(content)
    with pytest.raises(NegjaxError, match=message) as caught:
        load_config(Experiment, str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(NegjaxError, match=r"config file .*none\.py not found"):
        load_config(Experiment, str(tmp_path / "none.py"))


def test_a_config_imports_the_files_beside_it(tmp_path):
    """Each its own, also where they have the same name."""
    for folder, steps in (("a", 3), ("b", 4)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "shared_settings.py").write_text(f"STEPS = {steps}\n")
        text = SMALL.replace("steps = 10", "steps = STEPS").replace(
            "\nfrom", "\nfrom shared_settings import STEPS\nfrom"
        )
        (tmp_path / folder / "run.py").write_text(text)
        assert load_config(Experiment, str(tmp_path / folder / "run.py")).steps == steps


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("finetune_negcap.py:foo", "this config takes no argument: leave out :foo"),
        ("finetune_negfull.py:foo", "unknown 'foo'; choose keep"),
        ("scenes_negfull.py:bogus+negcap", "there is no bogus, only balanced, negmcq, negcap, joined by +"),
        ("scenes_negfull.py:a+b", "there is no a and no b, only balanced, negmcq, negcap, joined by +"),
    ],
)
def test_an_argument_that_a_config_does_not_take(file, message):
    with pytest.raises(NegjaxError) as caught:
        load_config(Experiment, f"{CONFIGS / file}")
    assert str(caught.value) == f"{CONFIGS / file}: {message}"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"sources": {}}, r"config\.sources is empty"),
        ({"sources": {"a": {"dataset": "x", "batch_size": 8}}}, r"config\.sources\.a has no objective"),
        ({"sources": {"a": {"dataset": "x", "batch_size": 0, "mcq": 1.0}}}, r"batch_size is 0: it must be positive"),
        (
            {"sources": {"a": {"dataset": "x", "batch_size": 8, "mcq": 1.0, "negated_fraction": 1.5}}},
            r"negated_fraction must be between 0 and 1",
        ),
        *(
            ({"sources": {"a": {"dataset": "x", "batch_size": 8, "contrastive": 1.0, **setting}}}, message)
            for setting, message in (
                ({"hard_negatives": -1}, r"config\.sources\.a\.hard_negatives is -1: it must not be negative"),
                (
                    {"contrastive": 0, "mcq": 1, "hard_negatives": 1},
                    r"hard_negatives is 1: .* contrastive needs a weight",
                ),
                ({"distill": 1}, r"config\.sources\.a\.distill needs weights to start from \(config\.model\.init_from"),
                ({"contrastive": -1}, r"config\.sources\.a\.contrastive is -1\.0: a weight must not be negative"),
                ({"mcq": float("nan")}, r"config\.sources\.a\.mcq is nan: a weight must not be negative, and finite"),
                ({"distill": float("inf")}, r"config\.sources\.a\.distill is inf: a weight must not be negative"),
                ({"contrastive": 0, "mcq": 1, "negated_fraction": 0.5}, r"negated_fraction is given, but no objective"),
                ({"color_jitter_prob": 0.5}, r"color_jitter_prob is given, but color_jitter is 0"),
                ({"gray_scale_prob": 1.5}, r"gray_scale_prob must be between 0 and 1"),
                ({"color_jitter_prob": -0.5}, r"color_jitter_prob must be between 0 and 1"),
                ({"color_jitter": [0.4, 0.4, 0.4]}, r"color_jitter is .*: it must have 4 entries"),
                ({"color_jitter": [0.4, 0.4, 0.4, 0.6]}, r"color_jitter must not be negative, .* not above 0\.5"),
                ({"crop_scale": 0.5, "crop_ratio": [2, 1]}, r"crop_ratio must be two positive numbers"),
                ({"crop_ratio": [0.5, 1]}, r"crop_ratio is given, but crop_scale is 1"),
            )
        ),
        ({"evaluation": {"every": -1}}, r"config\.evaluation: every must not be negative"),
        ({"evaluation": {"batch_size": 0}}, r"config\.evaluation: .* batch_size at least 1"),
        ({"most_broken": -1}, r"config\.most_broken is -1: it must not be negative"),
        ({"model": {"arch": "tiny", "remat": True}}, r"config\.model\.remat is True: it must be none or dots or full"),
        ({"lora": {"rank": 4}}, r"config\.lora is given, but no weights to adapt \(config\.model\.init_from\)"),
        ({"lora": {"rank": -1}}, r"config\.lora\.rank is -1: it must not be negative"),
        ({"lora": {"alpha": 0.0}}, r"config\.lora\.alpha is 0\.0: it must be positive and finite"),
        ({"lora": {"matrices": []}}, r"config\.lora\.matrices is empty"),
        ({"lora": {"matrices": ["("]}}, r"config\.lora\.matrices: '\(' is not a valid regular expression"),
        (
            {"model": {"init_from": "x"}, "lora": {"rank": 4}, "optim": {"layer_decay": 0.9}},
            r"layer_decay is given, but an adapter \(config\.lora\) has no layers",
        ),
        (
            {"model": {"init_from": "x"}, "lora": {"rank": 4}, "nero": {"rank": 8}},
            r"config\.lora and config\.nero are both given: train one adapter at a time",
        ),
        ({"nero": {"rank": 8}}, r"config\.nero is given, but no weights to adapt"),
        ({"nero": {"rank": -1}}, r"config\.nero\.rank is -1: it must not be negative, and 0 is no adapter"),
        (
            {
                "model": {"init_from": "x"},
                "nero": {"rank": 8},
                "sources": {"a": {"dataset": "x", "batch_size": 8, "contrastive": 1.0}},
            },
            r"config\.nero changes only captions that deny something, and no source has any: give one negated_fraction",
        ),
        (
            {
                "model": {"init_from": "x"},
                "nero": {"rank": 8},
                "sources": {"a": {"dataset": "x", "batch_size": 8, "mcq": 1.0, "distill": 1.0}},
            },
            r"config\.nero changes only captions that deny something, and distill holds these to the model",
        ),
        ({"optim": {"teacher_ema": 0.9}}, r"config\.optim\.teacher_ema is given, but no objective has a teacher"),
        ({"optim": {"teacher_ema": 1.0}}, r"config\.optim\.teacher_ema is 1\.0: it must be at least 0 and below 1"),
        ({"sources": ["a"]}, r"config\.sources is \['a'\]: it must be a group of named entries"),
        ({"steps": 0}, r"config\.steps is 0: it must be positive"),
        ({"steps": True}, r"config\.steps is True: it must be of type int"),
        ({"log_every": 0}, r"config\.log_every is 0"),
        ({"checkpoint_every": -1}, r"config\.checkpoint_every is -1"),
        ({"keep": 0}, r"config\.keep is 0"),
        ({"seed": -1}, r"config\.seed is -1: it must not be negative"),
        ({"model": {"arch": "tiny", "dtype": "float16"}}, r"dtype is 'float16': it must be float32 or bfloat16"),
        ({"model": {}}, r"config\.model needs an arch, or weights to start from"),
        ({"model": "tiny"}, r"config\.model is 'tiny': it must be a group of settings"),
        ({"optim": {"freeze": "visual/.*"}}, r"config\.optim\.freeze is 'visual/\.\*': it must be a list"),
        ({"optim": {"learning_rate": "1e-3"}}, r"config\.optim\.learning_rate is '1e-3': it must be of type float"),
        ({"optim": {"learning_rate": True}}, r"config\.optim\.learning_rate is True: it must be of type float"),
    ],
)
def test_wrong_settings(more, message):
    with pytest.raises(NegjaxError, match=message):
        build(Experiment, values(**more))


def test_an_experiment_survives_json():
    experiment = build(
        Experiment,
        values(
            optim={"freeze": ["a", "b"], "name": "lion", "lr_factors": [["a", 2]]}, evaluation={"tasks": ["t"]}, seed=3
        ),
    )
    assert (experiment.optim.b2, experiment.optim.eps) == (0.99, None)
    assert build(Experiment, json.loads(json.dumps(experiment.to_dict()))) == experiment
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.steps = 3


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("eval_*.py")), ids=lambda path: path.stem)
def test_shipped_suites_load_and_say_how_they_are_made_and_run(path):
    suite = load_config(Suite, str(path))
    text = path.read_text()
    assert f"negjax data suite --config configs/{path.name} --" in text
    assert f"negjax eval --config configs/{path.name} --model MODEL" in text
    for each in suite.tasks.values():
        assert each.kind in (BUILT if each.file else DERIVED)
        assert not each.source or suite.tasks[each.source].file


def test_wrong_suites():
    with pytest.raises(NegjaxError, match=r"config\.tasks is empty"):
        build(Suite, {"tasks": {}})
    for each in ({"kind": "captions"}, {"kind": "queries", "file": "a.csv", "source": "b"}):
        with pytest.raises(NegjaxError, match="needs a file or a source to derive from, one of them"):
            build(Suite, {"tasks": {"a": each}})
    with pytest.raises(NegjaxError, match=r"config\.video_preprocess is 'x': it must be negbench or clip"):
        build(Suite, {"tasks": {"a": {"kind": "captions", "file": "a.csv"}}, "video_preprocess": "x"})


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("scenes_*.py")), ids=lambda path: path.stem)
def test_shipped_configs_load_and_say_how_they_are_run(path):
    experiment = load_config(Experiment, str(path))
    text = path.read_text()
    assert f"negjax train --config configs/{path.name} --workdir" in text
    assert {source.dataset for source in experiment.sources.values()} <= set(SCENE_TRAINING_SETS)
    assert experiment.evaluation.tasks == SCENE_TASKS


def test_configs_hold_the_quickstarts_settings():
    from negjax.quickstart import experiments

    stages = experiments("data", "runs/pretrain", seed=0)
    assert list(stages) == ["pretrained", "affirmative", "negfull"]
    for stage, file in zip(stages, ("scenes_pretrain", "scenes_affirmative", "scenes_negfull")):
        experiment = load_config(Experiment, str(CONFIGS / f"{file}.py"))
        assert dataclasses.replace(experiment, evaluation=stages[stage].evaluation) == stages[stage], file


@pytest.mark.parametrize("name", ["scenes_negcap", "scenes_negmcq"])
def test_ablations_differ_from_negfull_in_their_sources_alone(name):
    ablation, negfull = (load_config(Experiment, str(CONFIGS / f"{file}.py")) for file in (name, "scenes_negfull"))
    assert ablation.sources != negfull.sources
    assert dataclasses.replace(ablation, sources=negfull.sources) == negfull


FINE_TUNING = ["finetune_cc12m", "finetune_negcap", "finetune_negfull", "finetune_negmcq"]


@pytest.mark.parametrize("name", [*FINE_TUNING, "negclip", "conclip", "negationclip"])
def test_fine_tuning_configs_tell_how_their_sets_and_weights_are_made(name):
    """Every command of the docstring can be parsed, and they make what the config names."""
    text = (CONFIGS / f"{name}.py").read_text().split('"""')[1].replace("\\\\\n", " ")
    commands = [shlex.split(line) for line in text.splitlines() if line.startswith("    negjax ")]
    parsed = [parse_arguments(words[1:]) for words in commands]
    converted, *built = [args for args in parsed if hasattr(args, "dst") or hasattr(args, "kind")]
    trained = [args for args in parsed if getattr(args, "config", None)]
    for args in trained:
        assert args.config.partition(":")[0] == f"configs/{name}.py"
        experiment = load_config(Experiment, str(CONFIGS / Path(args.config).name))
        assert experiment.model.init_from == converted.dst
        assert {source.dataset for source in experiment.sources.values()} - {"affirmative"} == {built[0].name}
        assert {each.data_dir for each in built} == {experiment.data_dir}
