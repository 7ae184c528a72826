"""Models read back from checkpoints: the same weights and metadata, or a one-line error."""

import dataclasses
import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path

import jax
import numpy as np
import pytest
from support.images import noise_image, noise_png

import negjax
from negjax.errors import NegjaxError
from negjax.media.images import Preprocess, to_pixels
from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig, to_dict
from negjax.models.clip import fingerprint
from negjax.models.init import init_params
from negjax.models.presets import preset
from negjax.runtime.checkpoint import Checkpoints
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.weights.read import read_model
from negjax.weights.write import write_negjax

CONFIG = dataclasses.replace(
    preset("tiny-quickgelu"),
    name="mini",
    embed_dim=12,
    vision=VisionConfig(
        image_size=16,
        patch_size=8,
        width=24,
        depth=1,
        heads=3,
        mlp_width=40,
        activation="quick_gelu",
        layer_norm_eps=1e-6,
    ),
    text=TextConfig(
        context_length=24,
        vocab_size=VOCAB_SIZE,
        width=16,
        depth=1,
        heads=2,
        mlp_width=30,
        activation="quick_gelu",
        layer_norm_eps=1e-6,
    ),
)
PREPROCESS = Preprocess(
    size=16, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), interpolation="bilinear", resize_mode="squash"
)
META = {
    "arch": to_dict(CONFIG),
    "preprocess": asdict(PREPROCESS),
    "tokenizer": {"kind": "clip"},
    "origin": {},
    "stored": {},
    "config": {},
}


def save(workdir: Path, steps: dict[int, float], meta: dict = META, config: CLIPConfig = CONFIG) -> Path:
    """Checkpoints of weights drawn with the step as seed, each with a metric."""
    with Checkpoints(workdir / "checkpoints", best_metric="task/accuracy") as checkpoints:
        for step, figure in steps.items():
            params = jax.tree.map(jax.numpy.asarray, init_params(config, step))
            checkpoints.save(step, {"params": params, "step": jax.numpy.int32(step)}, meta, {"task/accuracy": figure})
    return workdir


@pytest.fixture(scope="module")
def workdir(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("run"), {3: 0.2, 5: 0.9, 11: 0.4})


def assert_weights_of(model, seed: int) -> None:
    wanted = init_params(CONFIG, seed)
    assert jax.tree.structure(model.params) == jax.tree.structure(wanted)
    for got, right in zip(jax.tree.leaves(model.params), jax.tree.leaves(wanted)):
        assert np.asarray(got).dtype == np.float32
        np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize(("step", "seed"), [("latest", 11), ("best", 5), (3, 3), ("5", 5)])
@pytest.mark.parametrize("below", ["", "checkpoints"])
def test_a_workdir_or_its_checkpoints(workdir, step, seed, below):
    model = read_model(workdir / below, step)
    assert_weights_of(model, seed)
    assert model.config == CONFIG
    assert model.preprocess == PREPROCESS
    assert model.tokenizer.context_length == 24
    assert model.info["arch"] == "mini"
    assert model.info["activation"] == "quick_gelu"
    assert model.info["step"] == seed
    assert model.info["source"] == str(workdir / below)
    json.dumps(model.info)


def test_a_single_checkpoint(workdir):
    assert_weights_of(read_model(workdir / "checkpoints" / "3"), 3)
    assert_weights_of(read_model(workdir / "checkpoints" / "3", 3), 3)
    with pytest.raises(NegjaxError, match="is the checkpoint of step 3, not best: give its workdir"):
        read_model(workdir / "checkpoints" / "3", "best")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("openai/clip-vit-base-patch32", "hf-hub:openai/clip-vit-base-patch32"),
        ("ViT-B-32", "open_clip:ViT-B-32/TAG"),
        ("ViT-B/32", "open_clip:ViT-B-32/openai"),
        ("ViT-L/14@336px", "open_clip:ViT-L-14-336/openai"),
        ("ViT-B-16-SigLIP/webli", "open_clip:ViT-B-16-SigLIP/webli"),
        ("no/such/file.pt", "give a workdir of `negjax train`"),
        ("tiny", "give a workdir of `negjax train`"),
    ],
)
def test_names_without_their_scheme(name, suggestion):
    with pytest.raises(NegjaxError, match=f"^{re.escape(name)} not found: .*{re.escape(suggestion)}"):
        negjax.load(name)


def test_the_fingerprint_is_of_the_weights(workdir):
    model = read_model(workdir, 3)
    total = hashlib.sha256()
    flat = {"/".join(key.key for key in path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(model.params)}
    for name in sorted(flat):
        total.update(np.asarray(flat[name]).tobytes())
    assert model.info["sha256"] == total.hexdigest() == fingerprint(init_params(CONFIG, 3))
    assert model.info["sha256"] != read_model(workdir, 5).info["sha256"]
    changed = init_params(CONFIG, 3)
    changed["logit_scale"] = np.nextafter(changed["logit_scale"], np.float32(9))
    assert fingerprint(changed) != total.hexdigest()


def test_the_activation_is_the_checkpoints(workdir, tmp_path):
    model = read_model(workdir, activation="quick_gelu")
    assert model.config.activation == "quick_gelu"
    assert "activation_of_weights" not in model.info
    other = read_model(workdir, activation="gelu")
    assert other.config.activation == other.info["activation"] == "gelu"
    assert other.info["activation_of_weights"] == "quick_gelu"
    write_negjax(other, tmp_path / "overridden")
    assert read_model(tmp_path / "overridden").info["activation_of_weights"] == "quick_gelu"
    with pytest.raises(NegjaxError, match=r"checkpoints/11 holds mini with activation quick_gelu, not ViT-B-32"):
        read_model(workdir, arch="ViT-B-32")
    with pytest.raises(NegjaxError, match="unknown vision activation 'swish'"):
        read_model(workdir, activation="swish")


def test_what_is_no_model(workdir, tmp_path):
    with pytest.raises(NegjaxError, match=r".*nowhere not found: give a workdir"):
        read_model(tmp_path / "nowhere")
    with pytest.raises(NegjaxError, match="holds neither checkpoints of negjax nor weights"):
        read_model(tmp_path)
    (tmp_path / "weights.pt").write_bytes(b"x")
    with pytest.raises(NegjaxError, match=r"weights\.pt"):
        read_model(tmp_path / "weights.pt")
    for step in (4, "4"):
        with pytest.raises(NegjaxError, match="4"):
            read_model(workdir, step)
    with pytest.raises(NegjaxError, match="unknown step 'newest'; choose latest, best or a number"):
        read_model(workdir, "newest")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer": {"kind": "words"}}, "unknown kind of tokenizer 'words'"),
        ({"preprocess": {"size": 16}}, "was not written by this version of negjax"),
        ({"arch": {**to_dict(CONFIG), "pooling": "mean"}}, "not an architecture of this version of negjax: .*pooling"),
        ({"arch": {**to_dict(CONFIG), "embed_dim": 13}}, "is of another model or optimizer: .*projection"),
    ],
)
def test_what_another_version_wrote(tmp_path, change, message):
    save(tmp_path, {1: 0.0}, META | change)
    with pytest.raises(NegjaxError, match=message):
        read_model(tmp_path)


def test_a_checkpoint_from_before_families(tmp_path):
    arch = {key: value for key, value in to_dict(CONFIG).items() if key != "family"}
    save(tmp_path, {3: 0.0}, META | {"arch": arch})
    model = read_model(tmp_path)
    assert model.config == CONFIG
    assert_weights_of(model, 3)


def test_a_damaged_checkpoint(tmp_path):
    save(tmp_path, {1: 0.0})
    largest = max((p for p in (tmp_path / "checkpoints").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with pytest.raises(NegjaxError, match="damaged"):
        read_model(tmp_path)


def test_negjax_load(workdir, tmp_path):
    """The three functions that it returns agree with the parts of the model."""
    model, preprocess, tokenize = negjax.load(workdir, step="best")
    assert_weights_of(model, 5)
    image, png = noise_image(0, (20, 30)), noise_png(0, (20, 30))
    (tmp_path / "photo.png").write_bytes(png)
    pixels = to_pixels(image, PREPROCESS)
    for source in (image, png, tmp_path / "photo.png", str(tmp_path / "photo.png")):
        np.testing.assert_array_equal(preprocess(source), pixels)
    np.testing.assert_array_equal(tokenize("no cat"), Tokenizer(24)(["no cat"]))
    np.testing.assert_array_equal(tokenize(["no cat", "a dog"]), Tokenizer(24)(["no cat", "a dog"]))
    np.testing.assert_array_equal(preprocess([image, png]), [pixels, pixels])
    np.testing.assert_array_equal(preprocess(np.stack([np.asarray(image)] * 2)), [pixels, pixels])
    assert preprocess([]).shape == (0, 16, 16, 3)
    np.testing.assert_array_equal(tokenize(np.array(["no cat", "a dog"])), tokenize(("no cat", "a dog")))
    for wrong in ([b"no cat"], ["no cat", 1], b"no cat"):
        with pytest.raises(TypeError, match="texts are strings, not"):
            tokenize(wrong)
    assert model.encode_image(preprocess([image])).shape == (1, 12)
    assert model.encode_text(tokenize(["no cat", "a dog"])).shape == (2, 12)
    with pytest.raises(NegjaxError, match=r"cannot read .*none\.png: No such file"):
        preprocess(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("x")
    with pytest.raises(NegjaxError, match=r"text\.png: the image cannot be decoded"):
        preprocess(tmp_path / "text.png")
