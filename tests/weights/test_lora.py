"""Adapters of PEFT over a base: merged as their formula says, worked out in NumPy, or refused by name."""

import json
import math

import numpy as np
import pytest
from support.weight_files import load_arrays, save_arrays

from negjax.cli import main
from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import default_preprocess
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.weights.read import read_model
from negjax.weights.write import write_hf, write_open_clip

QUERY = "vision_model.encoder.layers.0.self_attn.q_proj"
UP = "text_model.encoder.layers.0.mlp.fc1"
TOKENS = "text_model.embeddings.token_embedding"


@pytest.fixture
def base(tmp_path):
    """A small CLIPModel folder."""
    text = TextConfig(9, VOCAB_SIZE, 16, 1, 2, 30, "gelu")
    config = CLIPConfig("custom", 12, VisionConfig(16, 8, 24, 1, 3, 40, "gelu"), text)
    write_hf(LoadedModel(config, init_params(config, 0), default_preprocess(config), Tokenizer(9)), tmp_path / "base")
    return tmp_path / "base"


def adapter(folder, tensors, **config):
    folder.mkdir()
    settings = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, "base_model_name_or_path": "base", **config}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    save_arrays(folder / "adapter_model.safetensors", {f"base_model.model.{name}": x for name, x in tensors.items()})
    return folder


def draw(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def factors(module, rows, columns, rank=2):
    return {f"{module}.lora_A.weight": draw(rank, columns), f"{module}.lora_B.weight": draw(rows, rank)}


def merged(base, adapter, name, **options):
    """A tensor of the merged model, written back as transformers has it, and that of the base."""
    out = adapter.parent / "out"
    write_hf(read_model(adapter, **options), out)
    return load_arrays(out / "model.safetensors")[name], load_arrays(base / "model.safetensors")[name]


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 3),
        ({"use_rslora": True}, 6 / math.sqrt(2)),
        ({"alpha_pattern": {"q_proj": 10}}, 5),
        ({"alpha_pattern": {"k_proj": 10, "layers.0.self_attn.q_proj": 1}}, 0.5),
    ],
)
def test_the_product_of_the_factors_is_added(base, tmp_path, config, scale):
    parts = factors(QUERY, 24, 24)
    after, before = merged(base, adapter(tmp_path / "lora", parts, **config), f"{QUERY}.weight")
    a, b = parts.values()
    np.testing.assert_allclose(after, before + scale * (b @ a), atol=1e-5)


def test_every_kind_of_factor(base, tmp_path):
    conv = {
        "vision_model.embeddings.patch_embedding.lora_A.weight": draw(2, 3, 8, 8),
        "vision_model.embeddings.patch_embedding.lora_B.weight": draw(24, 2, 1, 1),
    }
    tokens = {f"{TOKENS}.lora_embedding_A": draw(2, VOCAB_SIZE), f"{TOKENS}.lora_embedding_B": draw(16, 2)}
    whole = {"visual_projection.weight": draw(12, 24), f"{UP}.base_layer.bias": draw(30)}
    write = adapter(tmp_path / "lora", {**conv, **tokens, **whole, **factors(UP, 30, 16, rank=4)}, r=4)
    after, before = merged(base, write, "vision_model.embeddings.patch_embedding.weight")
    a, b = conv.values()
    np.testing.assert_allclose(after, before + 3 * np.einsum("fr,rihw->fihw", b[:, :, 0, 0], a), atol=1e-5)
    out = load_arrays(tmp_path / "out/model.safetensors")
    first = load_arrays(base / "model.safetensors")
    a, b = tokens.values()
    np.testing.assert_allclose(out[f"{TOKENS}.weight"], first[f"{TOKENS}.weight"] + 3 * (b @ a).T, atol=1e-5)
    a, b = factors(UP, 30, 16, rank=4).values()
    np.testing.assert_allclose(out[f"{UP}.weight"], first[f"{UP}.weight"] + 1.5 * (b @ a), atol=1e-5)
    np.testing.assert_array_equal(out["visual_projection.weight"], whole["visual_projection.weight"])
    np.testing.assert_array_equal(out[f"{UP}.bias"], whole[f"{UP}.base_layer.bias"])


def test_dora_scales_the_rows_to_the_learned_length(base, tmp_path):
    parts = factors(QUERY, 24, 24) | {f"{QUERY}.lora_magnitude_vector": np.abs(draw(24))}
    after, before = merged(base, adapter(tmp_path / "lora", parts, use_dora=True), f"{QUERY}.weight")
    a, b, length = parts.values()
    total = before + 3 * (b @ a)
    np.testing.assert_allclose(after, length[:, None] * total / np.sqrt((total**2).sum(1, keepdims=True)), atol=1e-5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3'; only LORA is supported"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights 'pissa_niter_4' changes the base"),
        ({"layer_replication": [[0, 1]]}, "layer_replication is not supported: merge the adapter"),
        ({"lora_alpha": "x"}, "lora_alpha and alpha_pattern must be finite numbers"),
        ({"alpha_pattern": {"(": 1}}, "alpha_pattern has no valid pattern"),
        ({"use_dora": True}, f"DoRA of {QUERY} is not supported"),
        ({"base_model_name_or_path": "org/elsewhere"}, "its base 'org/elsewhere' is not here: give .*--base WEIGHTS"),
        ({"base_model_name_or_path": None}, "its base '' is not here"),
    ],
)
def test_what_cannot_be_merged_is_named(base, tmp_path, config, message):
    with pytest.raises(NegjaxError, match=message):
        read_model(adapter(tmp_path / "lora", factors(QUERY, 24, 24), **config))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (factors(QUERY, 23, 24), r"\[2, 24\] and \[23, 2\] of .*q_proj do not fit its weight \[24, 24\]"),
        (factors("vision_model.x", 24, 24), "adapts vision_model.x, which the base does not have"),
        ({f"{QUERY}.lora_A.weight": draw(2, 24)}, "q_proj has no lora_A and lora_B"),
        ({"classifier.weight": draw(2, 2)}, "classifier.weight is neither a factor of LoRA nor a tensor of the base"),
    ],
)
def test_another_base_is_noticed(base, tmp_path, tensors, message):
    with pytest.raises(NegjaxError, match=message):
        read_model(adapter(tmp_path / "lora", tensors))


def test_an_attention_in_one_tensor_is_refused(tmp_path):
    """open_clip's, for which PEFT has a layer of its own."""
    vision, text = VisionConfig(16, 8, 64, 1, 1, 40, "gelu"), TextConfig(9, VOCAB_SIZE, 16, 1, 2, 30, "gelu")
    config = CLIPConfig("custom", 12, vision, text)
    model = LoadedModel(config, init_params(config, 0), default_preprocess(config), Tokenizer(9))
    write_open_clip(model, tmp_path / "base")
    module = "visual.transformer.resblocks.0.attn"
    with pytest.raises(NegjaxError, match=f"adapts {module}, whose projections are one tensor in the base: merge it"):
        read_model(adapter(tmp_path / "lora", factors(module, 192, 64)))


def test_the_base_can_be_given(base, tmp_path, capsys):
    lora = adapter(tmp_path / "lora", factors(QUERY, 24, 24), base_model_name_or_path="org/elsewhere")
    assert main(["convert", str(lora), str(tmp_path / "merged"), "--base", str(base)]) == 0
    assert "quick_gelu" not in capsys.readouterr().out
    assert main(["convert", str(base), str(tmp_path / "x"), "--base", str(base)]) == 2
    assert "is not an adapter, and only those have a base: omit --base" in capsys.readouterr().err
