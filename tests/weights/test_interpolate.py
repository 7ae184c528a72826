"""Interpolated weights (WiSE-FT) and running averages, through files and the command."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from support.trees import assert_same

from negjax.cli import main
from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models.architecture import TextConfig, VisionConfig, for_sigmoid_loss, with_activation
from negjax.models.clip import fingerprint
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel, to_meta
from negjax.models.presets import preset
from negjax.runtime.checkpoint import Checkpoints
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.tokenizers.hf import HFTokenizer
from negjax.weights.convert import convert
from negjax.weights.interpolate import interpolate
from negjax.weights.read import read_model
from negjax.weights.write import write_negjax

CONFIG = dataclasses.replace(
    preset("tiny"),
    name="mini",
    embed_dim=8,
    vision=VisionConfig(image_size=16, patch_size=8, width=8, depth=1, heads=2, mlp_width=12, activation="gelu"),
    text=TextConfig(
        context_length=16, vocab_size=VOCAB_SIZE, width=4, depth=1, heads=2, mlp_width=8, activation="gelu"
    ),
)


def drawn(seed: int) -> dict:
    """Weights with a learned scale and with zeros of both signs, which a sum would not keep."""
    params = init_params(CONFIG, seed) | {"logit_scale": np.float32(2.0 + seed)}
    params["text"]["positions"][0] = [-0.0, 0.0, -0.0, 1e-45]
    return params


def model(seed: int, **changes) -> LoadedModel:
    info = {"arch": "mini", "activation": "gelu", "source": f"run{seed}", "sha256": str(seed)}
    made = LoadedModel(CONFIG, drawn(seed), Preprocess(size=16), Tokenizer(16), info, origin={"activation": "gelu"})
    return dataclasses.replace(made, **changes)


def words_tokenizer(**changes) -> HFTokenizer:
    words = {"a": 0, "dog": 1, "cat": 2}
    return HFTokenizer(json.dumps({"model": {"type": "WordLevel", "vocab": words, "unk_token": "a"}}), 16, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """start/, converted weights of seed 0, and run/, a checkpoint of seed 1 with the weights of seed 2 as average."""
    place = tmp_path_factory.mktemp("mixed")
    write_negjax(model(0), place / "start")
    with Checkpoints(place / "run" / "checkpoints") as checkpoints:
        params, ema = (jax.tree.map(jax.numpy.asarray, drawn(seed)) for seed in (1, 2))
        checkpoints.save(5, {"params": params, "ema": ema, "step": jax.numpy.int32(5)}, to_meta(model(1)))
    return place


def test_halfway_and_the_ends():
    start, end = model(0), model(1)
    assert_same(interpolate(start, end, 0).params, start.params)
    assert_same(interpolate(start, end, 1.0).params, end.params)
    mixed = interpolate(start, end, 0.3)
    for got, a, b in zip(*(jax.tree.leaves(each.params) for each in (mixed, start, end))):
        np.testing.assert_allclose(got, 0.7 * np.float64(a) + 0.3 * np.float64(b), rtol=1e-6, atol=1e-9)
    assert mixed.params["logit_scale"] == np.float32(2.3)
    assert_same(interpolate(start, model(0), 0.3).params["visual"], start.params["visual"])


def test_info_and_origin_name_both_models():
    mixed = interpolate(model(0), model(1), 0.25)
    ends = {name: {"source": f"run{i}", "sha256": str(i)} for i, name in enumerate(("start", "end"))}
    assert mixed.origin == mixed.info["origin"] == {"interpolated": {"share": 0.25, **ends}}
    assert mixed.info["source"] == "0.75 x run0 + 0.25 x run1"
    assert mixed.info["sha256"] == fingerprint(mixed.params)
    assert (mixed.info["arch"], mixed.info["activation"]) == ("mini", "gelu")
    assert mixed.stored == {}
    json.dumps(mixed.info)


def test_an_activation_of_the_weights_is_remembered():
    other = {"config": with_activation(CONFIG, "quick_gelu")}
    mixed = interpolate(model(0, **other), model(1, **other), 0.5)
    assert mixed.info["activation"] == "quick_gelu"
    assert mixed.info["activation_of_weights"] == mixed.origin["activation"] == "gelu"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": with_activation(CONFIG, "quick_gelu")}, "vision activation is gelu in run0 and quick_gelu in run1"),
        ({"config": dataclasses.replace(CONFIG, embed_dim=12)}, "embed_dim is 8 in run0 and 12 in run1"),
        ({"config": for_sigmoid_loss(CONFIG)}, "having a logit bias is False in run0 and True in run1"),
        ({"origin": {"activation": "quick_gelu"}}, "the activation of the weights is gelu in run0 and quick_gelu"),
        (
            {"preprocess": Preprocess(size=16, resize_mode="squash")},
            "preprocessing resize_mode is shortest in run0 and squash in run1",
        ),
        (
            {"preprocess": Preprocess(size=16, rgb_first=True)},
            "preprocessing rgb_first is False in run0 and True in run1",
        ),
        (
            {"preprocess": Preprocess(size=16, crop_rounding="down")},
            "preprocessing crop_rounding is even in run0 and down in run1",
        ),
        (
            {"preprocess": Preprocess(size=16, mean=(0.5, 0.5, 0.5))},
            r"preprocessing mean is .* and \(0.5, 0.5, 0.5\) in",
        ),
        (
            {"preprocess": Preprocess(size=16, resize_size=18)},
            "preprocessing resize_size is None in run0 and 18 in run1",
        ),
        ({"tokenizer": Tokenizer(16, "whitespace")}, "tokenizer clean is lower in run0 and whitespace in run1"),
        ({"tokenizer": words_tokenizer()}, "tokenizer kind is clip in run0 and hf in run1"),
    ],
)
def test_models_that_cannot_be_mixed(change, message):
    with pytest.raises(NegjaxError, match=f"{message}.*: they cannot be mixed"):
        interpolate(model(0), model(1, **change), 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pad_id": 1}, "tokenizer pad_id is 0 in run0 and 1 in run1"),
        ({"truncation_side": "left"}, "tokenizer truncation_side is right in run0 and left in run1"),
        (
            {"tokenizer_json": '{"model":{"type":"WordLevel","vocab":{"a":0,"dog":2,"cat":1},"unk_token":"a"}}'},
            "sha256",
        ),
    ],
)
def test_tokenizers_that_differ(change, message):
    start, first = model(0), words_tokenizer()
    same = dataclasses.replace(first, tokenizer_json=json.dumps(json.loads(first.tokenizer_json), indent=2))
    start.tokenizer = first
    interpolate(start, model(1, tokenizer=same), 0.5)  # another layout of the same file
    with pytest.raises(NegjaxError, match=message):
        interpolate(start, model(1, tokenizer=dataclasses.replace(first, **change)), 0.5)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_shares_outside_of_0_and_1(share):
    with pytest.raises(NegjaxError, match=r"--share .* must be between 0 and 1"):
        interpolate(model(0), model(1), share)


def test_the_command(folder, tmp_path, capsys):
    """SRC is the `end` of the interpolation; flags that select from a workdir apply to it."""
    words = ["convert", folder / "run", tmp_path / "mixed", "--mix", folder / "start", "--share", "0.25"]
    assert main([str(word) for word in words]) == 0
    got = read_model(tmp_path / "mixed")
    assert_same(got.params, interpolate(model(0), model(1), 0.25).params)
    origin = got.info["origin"]["interpolated"]
    assert (origin["share"], origin["start"]["step"], origin["end"]["step"]) == (0.25, 0, 5)
    assert origin["end"]["source"] == str(folder / "run")
    assert main([str(word) for word in [*words[:2], tmp_path / "average", *words[3:-1], "1", "--ema"]]) == 0
    average = read_model(tmp_path / "average")
    assert_same(average.params, drawn(2))
    assert average.info["origin"]["interpolated"]["end"]["ema"] is True
    assert main([str(word) for word in words[:-2]]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([str(word) for word in [*words[:2], tmp_path / "none", *words[3:-2]]]) == 2
    assert "--mix and --share belong together" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_the_running_average_of_a_run(folder, tmp_path):
    model = read_model(folder / "run", ema=True)
    assert_same(model.params, drawn(2))
    assert model.info["ema"] is True
    assert model.info["sha256"] == fingerprint(drawn(2))
    assert_same(read_model(folder / "run").params, drawn(1))
    convert(folder / "run", tmp_path / "average", ema=True)
    assert read_model(tmp_path / "average").info["origin"]["ema"] is True
    with pytest.raises(NegjaxError, match=r"start/checkpoints/0 has no EMA of the weights: .* or omit --ema"):
        read_model(folder / "start", ema=True)
    convert(folder / "start", tmp_path / "written", "open_clip")
    with pytest.raises(NegjaxError, match=r"written is not a checkpoint of negjax, .* omit --ema"):
        read_model(tmp_path / "written", ema=True)
