"""The list of settings: every field of the config's dataclasses has a type and a meaning."""

import dataclasses
import typing

import pytest

from negjax import config
from negjax.cli import main
from negjax.config import Experiment, ModelSpec, Optim, Source
from negjax.settings import WIDTH, format_settings, meanings_of, settings_of, type_text

CLASSES = [getattr(config, name) for name in config.__all__ if dataclasses.is_dataclass(getattr(config, name))]
EXPERIMENT = Experiment(
    ModelSpec("tiny"),
    {"a": Source("cats", 8, contrastive=1.0), "b": Source("dogs", 4, mcq=0.5)},
    "data",
    10,
    Optim(freeze=("visual/.*",)),
)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_setting_has_a_meaning_and_a_type(cls):
    meanings = meanings_of(cls)
    assert list(meanings) == [field.name for field in dataclasses.fields(cls)]
    for name, hint in typing.get_type_hints(cls).items():
        assert len(meanings[name].split()) > 1, name
        assert dataclasses.is_dataclass(hint) or type_text(hint)


def test_settings_have_the_names_and_values_of_the_config():
    settings = {setting.name: setting for setting in settings_of(EXPERIMENT)}
    assert settings["config.steps"].value == 10
    assert settings["config.optim.schedule"].type_name == "cosine | linear | constant"
    assert settings["config.optim.b1"].type_name == "float or None"
    assert settings["config.optim.freeze"].value == ("visual/.*",)
    assert settings["config.sources.b.mcq"].meaning.startswith("weight of the loss on the image's multiple-choice")
    assert settings["config.sources.a.crop_ratio"].type_name == "list of 2 x float"
    assert settings["config.sources.a.batch_size"].value == 8


def test_the_text_fits_the_terminal():
    text = format_settings(EXPERIMENT)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "config.sources.a.contrastive = 1.0  (float)\n    weight of CLIP's softmax loss" in text


def test_the_command_shows_the_settings_with_overrides(capsys, tmp_path):
    path = tmp_path / "small.py"
    path.write_text(
        """
from ml_collections import ConfigDict

def get_config():
    sources = {"a": {"dataset": "cats", "batch_size": 8, "contrastive": 1.0}}
    return ConfigDict({"model": {"arch": "tiny"}, "sources": sources, "data_dir": "data", "steps": 10})
"""
    )
    assert main(["train", "--config", str(path), "--settings", "--config.optim.ema=0.5"]) == 0
    assert "config.optim.ema = 0.5  (float)" in capsys.readouterr().out
