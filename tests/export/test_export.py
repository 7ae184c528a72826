"""`negjax export`: what it writes is read as its users read it, and gives the model's unit vectors."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import onnxruntime
import pytest
import tokenizers
from support.command import environment_without, run_command
from support.images import encode, noise_image
from support.models import tiny_model

from negjax.errors import NegjaxError
from negjax.export import comparison
from negjax.export.check_inputs import drawn_pictures, written_captions
from negjax.export.export import ExportForm, export
from negjax.export.onnx_file import write_onnx
from negjax.export.tokenizer_files import write_tokenizer_files
from negjax.export.towers import text_tower
from negjax.media.images import Preprocess
from negjax.models.architecture import CLIPConfig, TextConfig, TextEncoderConfig, VisionConfig
from negjax.models.clip import abstract_params
from negjax.models.convnets import ConvNeXtConfig, ResNetConfig
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.tokenizers.clip import Tokenizer
from negjax.tokenizers.hf import HFTokenizer
from negjax.weights.write import write_negjax

CAPTIONS = [
    "a beach without people",
    "No dogs, no cats!",
    "it isn't \u201craining\u201d &amp; there's no caf\u00e9",
    "",
]
WORDS = ["[PAD]", "[UNK]", "[END]", "a", "beach", "cats", "dogs", "no", "people", "without"]
VISION = VisionConfig(32, 8, 16, 2, 2, 64, "quick_gelu")
TEXT = TextConfig(16, len(WORDS), 16, 2, 2, 64, "gelu", pool="eos", end_token=2)
ENCODER = TextEncoderConfig(16, len(WORDS), 16, 2, 2, 64)


def change(config, **fields):
    return dataclasses.replace(config, **fields)


SIGLIP_VISION = change(VISION, class_token=False, patch_bias=True, norm_pre=False, pool="attention", projection=False)
TOWERS = {
    "siglip": (SIGLIP_VISION, change(TEXT, causal=False, pool="last", projection_bias=True, activation="gelu_tanh")),
    "pe_core, bert": (
        change(SIGLIP_VISION, rotary="columns_first", rotary_grid=4, rotary_start=1, pool_mlp_width=64, pool_heads=2),
        ENCODER,
    ),
    "eva, xlm_roberta": (
        change(VISION, activation="silu", rotary="rows_first", rotary_grid=4, block="sub_norm", key_bias=False),
        change(ENCODER, positions="count", pad_id=0, pool="pooler", mask="tail", projection="linear"),
    ),
    "coca": (change(VISION, pool="cross_attention", pool_heads=2), change(TEXT, pool="class")),
    "mobileclip, metaclip2": (change(VISION, stem_width=4, class_position=False, activation="gelu"), TEXT),
    "resnet, nllb": (
        ResNetConfig(32, 4, (1, 1, 1, 1), 2),
        change(ENCODER, positions="waves", token_types=0, norm_first=True, pool="first", projection="none"),
    ),
    "convnext": (ConvNeXtConfig(32, (4, 8, 12, 16), (1, 1, 1, 1), projection="mlp"), change(TEXT, pool="argmax")),
}


def word_tokenizer(context: int, **settings: object) -> HFTokenizer:
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    backend.post_processor = tokenizers.processors.TemplateProcessing(single="$A [END]", special_tokens=[("[END]", 2)])
    return HFTokenizer(backend.to_str(), context, clean="canonicalize", **settings)


def family_model(name: str) -> LoadedModel:
    config = CLIPConfig("test", 16, *TOWERS[name])
    preprocess = Preprocess(32, mean=(0.5,) * 3, std=(0.5,) * 3, resize_mode="squash")
    rng = np.random.default_rng(0)

    def draw(leaf: jax.ShapeDtypeStruct) -> np.ndarray:  # scales, biases and variances; matrices and tables
        values = 0.2 * rng.normal(size=leaf.shape)
        return np.asarray(np.abs(values) if len(leaf.shape) < 2 else values, np.float32)

    return LoadedModel(config, jax.tree.map(draw, abstract_params(config)), preprocess, word_tokenizer(16))


def write(model: LoadedModel, dst: Path, *form: str) -> comparison.ExportComparison:
    pictures = [pixels for pixels, _ in zip(drawn_pictures(model.preprocess), range(3))]
    return export(model, dst, ExportForm(*form), pictures, len(pictures), written_captions()[-9:])


def run(file: Path, **inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert [(value.name, value.shape[0]) for value in session.get_inputs()] == [(*inputs, "batch")]
    (output,) = session.get_outputs()
    assert output.name == "embedding"
    assert output.type == "tensor(float)"
    return session.run(None, inputs)[0]


def unit(embedding_BE: jax.Array) -> np.ndarray:
    embedding_BE = np.asarray(embedding_BE, np.float64)
    return embedding_BE / np.linalg.norm(embedding_BE, axis=1, keepdims=True)


def pixels_of(model: LoadedModel, count: int) -> np.ndarray:
    size = model.config.vision.image_size
    return np.random.default_rng(3).integers(256, size=(count, size, size, 3), dtype=np.uint8)


def check_plain(model: LoadedModel, folder: Path, atol: float = 2e-6) -> None:
    """Reads a folder of the layout "plain" by what its README says."""
    pixels = pixels_of(model, 5)
    np.testing.assert_allclose(run(folder / "image.onnx", pixels=pixels), unit(model.encode_image(pixels)), atol=atol)
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = np.array([tokenizer.encode(caption).ids for caption in CAPTIONS], np.int32)
    np.testing.assert_array_equal(ids, model.tokenizer(CAPTIONS))
    np.testing.assert_allclose(run(folder / "text.onnx", tokens=ids), unit(model.encode_text(ids)), atol=atol)


def test_the_command_writes_onnx(tmp_path: Path, capsys):
    model = tiny_model()
    write_negjax(model, tmp_path / "model")
    pictures = tmp_path / "pictures" / "below"
    pictures.mkdir(parents=True)
    for seed in range(2):
        (pictures / f"{seed}.png").write_bytes(encode(noise_image(seed)))
    (tmp_path / "captions.txt").write_text("a dog\n\nno dog\n")
    checks = ["--check", pictures.parent, "--captions", tmp_path / "captions.txt"]
    code, out, err = run_command(capsys, "export", tmp_path / "model", tmp_path / "dst", "--to", "onnx", *checks)
    assert code == 0, err
    assert "over 2 pictures" in out
    assert "over 2 captions" in out
    check_plain(model, tmp_path / "dst")
    files = {"README.md", "image.onnx", "negjax.json", "text.onnx", "tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in (tmp_path / "dst").iterdir()} == files
    said = json.loads((tmp_path / "dst" / "negjax.json").read_text())
    assert said["image"] == {"file": "image.onnx", "input": "pixels", "type": "uint8", "shape": ["batch", 40, 40, 3]}
    assert 0 < said["compared"]["image_difference"] < 1e-6
    code, _, err = run_command(capsys, "export", tmp_path / "model", tmp_path / "dst", "--to", "onnx")
    assert (code, err.count("\n")) == (2, 1)
    assert "exists already" in err


def immich_model() -> LoadedModel:
    """Its vectors have a length that Immich knows."""
    tiny = tiny_model()
    config = dataclasses.replace(tiny.config, embed_dim=512)
    return dataclasses.replace(tiny, config=config, params=init_params(config, 0))


@pytest.mark.slow
def test_the_layout_of_immich(tmp_path: Path):
    """Read as Immich's OpenClipTextualEncoder and OpenClipVisualEncoder read it."""
    model, folder = immich_model(), tmp_path / "dst"
    write(model, folder, "onnx", "immich")
    context = json.loads((folder / "config.json").read_text())["text_cfg"].get("context_length", 77)
    pad_token = json.loads((folder / "textual" / "tokenizer_config.json").read_text())["pad_token"]
    tokenizer = tokenizers.Tokenizer.from_file((folder / "textual" / "tokenizer.json").as_posix())
    tokenizer.enable_padding(length=context, pad_token=pad_token, pad_id=tokenizer.token_to_id(pad_token))
    tokenizer.enable_truncation(max_length=context)
    for caption in [*CAPTIONS, "no cars " * 60]:
        ids = np.array([tokenizer.encode(" ".join(caption.split())).ids], np.int32)
        np.testing.assert_array_equal(ids, model.tokenizer([caption]))
        vector = run(folder / "textual" / "model.onnx", text=ids)
        np.testing.assert_allclose(vector, unit(model.encode_text(ids)), atol=2e-6)
    settings = json.loads((folder / "visual" / "preprocess_cfg.json").read_text())
    assert settings["size"][0] == model.config.vision.image_size
    assert (settings["interpolation"], settings["resize_mode"]) == ("bicubic", "shortest")
    pixels = pixels_of(model, 3)
    mean, std = np.array(settings["mean"], np.float32), np.array(settings["std"], np.float32)
    normed = (pixels.astype(np.float32) / 255.0) * (1.0 / std) - mean / std
    vectors = run(folder / "visual" / "model.onnx", image=normed.transpose(0, 3, 1, 2).astype(np.float32))
    np.testing.assert_allclose(vectors, unit(model.encode_image(pixels)), atol=2e-6)
    assert "clip/ViT-B-32__openai" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    "clean", ["lower", *(pytest.param(clean, marks=pytest.mark.slow) for clean in ("whitespace", "canonicalize"))]
)
def test_a_thousand_captions_get_the_same_ids(clean, test_data: Path, tmp_path: Path):
    model = dataclasses.replace(tiny_model(), tokenizer=Tokenizer(77, clean))
    lines = (test_data / "flickr8k" / "captions.csv").read_text().splitlines()[1:1001]
    captions = [line.partition(",")[2] for line in lines] + [
        "a_b <|endoftext|> 12,5 O'CLOCK \u03a3\u03a3",
        "\u65e5\u672c",
    ]
    assert len(captions) == 1002
    write_tokenizer_files(model, tmp_path)
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = np.array([encoding.ids for encoding in tokenizer.encode_batch(captions)])
    np.testing.assert_array_equal(ids, model.tokenizer(captions))


@pytest.mark.slow
@pytest.mark.parametrize("name", TOWERS)
def test_families(name, tmp_path: Path):
    model = family_model(name)
    result = write(model, tmp_path / "dst", "onnx")
    assert max(result.image_difference, result.text_difference) < 2e-6
    check_plain(model, tmp_path / "dst")


def test_a_separator_that_no_tokenizer_file_can_strip(tmp_path: Path):
    """CLIPA's [SEP] is 0 to the model; the text tower of the file makes it so."""
    model = dataclasses.replace(family_model("siglip"), tokenizer=word_tokenizer(16, strip_id=2))
    write_tokenizer_files(model, tmp_path)
    write_onnx(tmp_path / "text.onnx", text_tower(model, "tokens"))
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = np.array([tokenizer.encode("no dogs").ids], np.int32)
    assert 2 in ids
    expected = unit(model.encode_text(model.tokenizer(["no dogs"])))
    np.testing.assert_allclose(run(tmp_path / "text.onnx", tokens=ids), expected, atol=2e-6)


@pytest.mark.slow
def test_float16(tmp_path: Path):
    model = tiny_model()
    result = write(model, tmp_path / "half", "onnx", "plain", "float16")
    assert 1e-6 < result.image_difference < 5e-3
    assert 1e-6 < result.text_difference < 5e-3
    check_plain(model, tmp_path / "half", atol=5e-3)
    in_float32 = sum(leaf.nbytes for leaf in jax.tree.leaves(model.params["text"]))
    assert (tmp_path / "half" / "text.onnx").stat().st_size < 0.55 * in_float32


@pytest.mark.slow
def test_errors_leave_nothing(tmp_path: Path, monkeypatch):
    model = tiny_model()
    with pytest.raises(NegjaxError, match=r"Immich has no embeddings of 64 numbers .* use --layout plain"):
        write(model, tmp_path / "dst", "onnx", "immich")
    with pytest.raises(NegjaxError, match="--layout immich is of ONNX"):
        write(model, tmp_path / "dst", "stablehlo", "immich")
    left = dataclasses.replace(immich_model(), tokenizer=word_tokenizer(16, pad_side="left"))
    with pytest.raises(NegjaxError, match="Immich has no texts padded or truncated on the left"):
        write(left, tmp_path / "dst", "onnx", "immich")
    large = jax.tree.map(lambda leaf: leaf * 1e8, model.params["visual"]["patch"])
    params = model.params | {"visual": model.params["visual"] | {"patch": large}}
    with pytest.raises(NegjaxError, match=r"visual/patch/kernel has numbers beyond float16's 65,504"):
        write(dataclasses.replace(model, params=params), tmp_path / "dst", "onnx", "plain", "float16")
    monkeypatch.setitem(comparison.BOUNDS, "float32", 1e-12)
    with pytest.raises(NegjaxError, match=r"nothing is written: the unit vectors of images differ .* 1e-12 of float32"):
        write(model, tmp_path / "dst", "onnx")
    assert not list(tmp_path.iterdir())


def test_not_a_number_is_beyond_any_bound():
    for differences in ((np.nan, 0.0), (0.0, np.nan)):
        with pytest.raises(NegjaxError, match="differ"):
            comparison.check(comparison.ExportComparison(1, 1, *differences, 0, ()), "float32")


def test_the_extra_is_missing(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, _, err = run_command(capsys, "export", tmp_path / "model", tmp_path / "dst", "--to", "onnx")
    assert code == 2
    assert err == 'negjax: error: --to onnx needs onnx: pip install "negjax[onnx]"\n'


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--check", "missing"], "--check missing: there is no such folder"),
        (["--check", "."], "--check .: there is no image below this folder"),
        (["--captions", "missing"], "cannot read missing: No such file or directory"),
        ([], "missing"),
    ],
)
def test_wrong_inputs(words, message, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, err = run_command(capsys, "export", "missing", "dst", "--to", "onnx", *words)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_stablehlo_runs_by_jax_alone(tmp_path: Path):
    """In a process that cannot import negjax, with the code of the folder's README."""
    model, folder = tiny_model(), tmp_path / "dst"
    write(model, folder, "stablehlo")
    pixels = pixels_of(model, 3)
    np.save(tmp_path / "pixels.npy", pixels)
    code = (folder / "README.md").read_text().split("```")[1].removeprefix("python\n")
    program = f"""
import sys
sys.modules["negjax"] = None
import numpy as np
pixels = np.load("../pixels.npy")
{code}
assert score.shape == (3, 1)
assert all(set(program.platforms) == {{"cpu", "cuda", "tpu"}} for program in programs)
np.savez("../results.npz", image=image, text=text)
"""
    environment = environment_without("XLA_FLAGS", "PYTHONPATH")
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    results = np.load(tmp_path / "results.npz")
    np.testing.assert_allclose(results["image"], unit(model.encode_image(pixels)), atol=2e-6)
    tokens = model.tokenizer(["a beach without people"])
    np.testing.assert_allclose(results["text"], unit(model.encode_text(tokens)), atol=2e-6)
