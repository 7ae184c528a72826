"""Chinese-CLIP as transformers has it: CLIP's image tower and a BERT, pooled at its first token."""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from negjax.models.architecture import CLIPConfig, TextEncoderConfig
from negjax.weights.families import clip, hf_towers
from negjax.weights.families.bert import BERT_DEFAULTS, bert_rows, read_bert, write_bert
from negjax.weights.families.family import HfSupport, WeightFamily, WeightFormat
from negjax.weights.families.rows import hf_clip_vision_rows, hf_vision_rows, row
from negjax.weights.tensor_layouts import LINEAR, SCALAR

_FORMAT = WeightFormat(
    name="hf_chinese_clip",
    markers=("visual_projection.weight", "text_model.embeddings.word_embeddings.weight"),
    rows=(
        *hf_vision_rows(),
        *hf_clip_vision_rows(),
        *bert_rows("text_model."),
        row("text/projection/kernel", "text_projection.weight", LINEAR),
        row("logit_scale", "logit_scale", SCALAR),
    ),
)
_TEXT_TYPE = {"model_type": "chinese_clip_text_model"}


def _read_hf_config(data: Mapping[str, Any]) -> CLIPConfig:
    text = read_bert(hf_towers.read_tower_of_old(data, "text_config", BERT_DEFAULTS) | _TEXT_TYPE)
    return CLIPConfig(
        "custom",
        data.get("projection_dim", 512),
        clip.read_hf_vision(data),
        dataclasses.replace(text, mask="tail", pool="first", projection="linear"),
        logit_scale_init=data.get("logit_scale_init_value", 2.6592),
        family="chinese_clip",
    )


def _fits_hf(config: CLIPConfig) -> bool:
    text = config.text
    if not isinstance(text, TextEncoderConfig) or text.positions != "index":
        return False
    return (text.mask, text.pool, text.projection) == ("tail", "first", "linear") and clip.fits_hf_vision(config)


def _write_hf_config(config: CLIPConfig) -> dict[str, Any]:
    projection = {"projection_dim": config.embed_dim}
    return {
        "architectures": ["ChineseCLIPModel"],
        "model_type": "chinese_clip",
        **projection,
        "logit_scale_init_value": config.logit_scale_init,
        "torch_dtype": "float32",
        "text_config": write_bert(cast(TextEncoderConfig, config.text)) | _TEXT_TYPE,
        "vision_config": {**hf_towers.write_vision(config.vision), **projection},
    }


CHINESE_CLIP_FAMILY = WeightFamily(
    name="chinese_clip",
    models="transformers' Chinese-CLIP",
    hf=HfSupport(
        format=_FORMAT,
        model_type="chinese_clip",
        read_config=_read_hf_config,
        fits=_fits_hf,
        write_config=_write_hf_config,
        image_processor="ChineseCLIPImageProcessor",
        crops=True,
    ),
)
