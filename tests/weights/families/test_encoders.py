"""Text encoders in open_clip's configs: what a name, a config.json and a pooler say, and what is refused."""

import dataclasses
import json

import pytest
from etils import epath

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig
from negjax.models.presets import preset
from negjax.weights.families import encoders
from negjax.weights.open_clip_config import read_model_cfg

BIOMED = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
TIMM = {
    "timm_model_name": "vit_base_patch16_224",
    "timm_model_pretrained": False,
    "timm_pool": "",
    "timm_proj": "linear",
    "image_size": 224,
}


def read(folder, text_cfg, vision_cfg=None) -> CLIPConfig:
    return read_model_cfg({"embed_dim": 512, "vision_cfg": vision_cfg or {}, "text_cfg": text_cfg}, epath.Path(folder))


def test_the_published_configs_are_the_presets(tmp_path):
    text_cfg = {
        "hf_model_name": BIOMED,
        "hf_tokenizer_name": BIOMED,
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 256,
    }
    assert dataclasses.replace(read(tmp_path, text_cfg, TIMM), name="BiomedCLIP") == preset("BiomedCLIP")
    vision_cfg = {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}
    text_cfg = {"hf_model_name": "xlm-roberta-base", "hf_pooler_type": "mean_pooler"}
    assert read(tmp_path, text_cfg, vision_cfg) == preset("xlm-roberta-base-ViT-B-32")


def test_without_a_pooler_it_is_that_of_the_encoder(tmp_path):
    """HFTextEncoder makes a BERT without the pooling layer then, and takes the first token."""
    assert read(tmp_path, {"hf_model_name": "bert-base-uncased", "hf_pooler_type": None}).text.pool == "first"
    assert read(tmp_path, {"hf_model_name": "roberta-base", "hf_pooler_type": None}).text.pool == "mean"


def test_a_config_beside_the_weights_counts_before_the_name(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))  # of the whole model: not the encoder's
    assert read(tmp_path, {"hf_model_name": "roberta-base"}).text.depth == 12
    settings = {"model_type": "roberta", "num_hidden_layers": 5, "max_position_embeddings": 90, "layer_norm_eps": 1e-3}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    text = read(tmp_path, {"hf_model_name": "someone/their-roberta"}).text
    assert (text.depth, text.max_positions, text.layer_norm_eps, text.context_length) == (5, 90, 1e-3, 77)
    assert encoders.read_encoder(encoders.write_encoder(text)).max_positions == 90


@pytest.mark.parametrize(
    ("text_cfg", "message"),
    [
        (
            {"hf_model_name": "someone/their-bert"},
            "hf_model_name is 'someone/their-bert', whose sizes are unknown",
        ),
        ({"hf_model_name": BIOMED, "hf_pooler_type": "max_pooler"}, "hf_pooler_type is 'max_pooler': not supported"),
        ({"hf_model_name": BIOMED, "hf_proj_type": "attention"}, "unknown text projection 'attention'; choose one of"),
        ({"hf_model_name": BIOMED, "context_length": 600}, "a context of 600 tokens: the positions suffice for 512"),
    ],
)
def test_what_is_refused(tmp_path, text_cfg, message):
    with pytest.raises(NegjaxError, match=message):
        read(tmp_path, text_cfg)


def test_nllb_is_told_by_its_name_or_its_config(tmp_path):
    """M2M100Encoder has no pooling layer: "cls_pooler" takes its first token."""
    vision_cfg = {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}
    name = "facebook/nllb-200-distilled-600M"
    cfg = {"hf_model_name": name, "hf_proj_type": "linear", "hf_pooler_type": "cls_pooler"}
    assert read(tmp_path, cfg, vision_cfg) == preset("nllb-clip-base")
    settings = {"model_type": "m2m_100", "d_model": 64, "encoder_layers": 3, "encoder_attention_heads": 4}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    config = read(tmp_path, cfg | {"hf_model_name": "someone/else"}, vision_cfg)
    assert (config.family, config.text.depth, config.text.width, config.text.pool) == ("nllb", 3, 64, "first")
    written = encoders.read_encoder(encoders.write_encoder(config.text))
    assert dataclasses.replace(written, pool="first", projection="linear") == config.text


@pytest.mark.parametrize("setting", [{"position_embedding_type": "relative_key"}, {"is_decoder": True}])
def test_settings_that_the_encoder_does_not_have_are_refused(setting):
    with pytest.raises(NegjaxError, match=f"{next(iter(setting))} is .* is supported"):
        encoders.read_encoder({"model_type": "bert", **setting})
    with pytest.raises(
        NegjaxError, match=r"unsupported model_type 't5' of a text encoder; supported are bert, .*, m2m_100"
    ):
        encoders.read_encoder({"model_type": "t5"})
