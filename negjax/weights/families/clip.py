"""CLIP: OpenAI's, open_clip's with transformer towers (also worldwide ones), and transformers' CLIPModel."""

from collections.abc import Mapping
from typing import Any, cast

from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig
from negjax.tokenizers.clip import VOCAB_SIZE
from negjax.weights.families import hf_towers, open_clip_towers
from negjax.weights.families.family import HfSupport, OpenClipSupport, WeightFamily, WeightFormat
from negjax.weights.families.rows import (
    hf_clip_vision_rows,
    hf_tower_rows,
    open_clip_text_rows,
    open_clip_vision_rows,
    row,
    scale_rows,
)
from negjax.weights.tensor_layouts import LINEAR, SAME, SCALAR

OPEN_CLIP_FORMAT = WeightFormat(
    name="open_clip",
    markers=("visual.conv1.weight",),
    rows=(
        *open_clip_vision_rows(),
        *open_clip_text_rows(""),
        row("text/projection/kernel", "text_projection", SAME),
        *scale_rows(),
    ),
    optional_prefix="text.",  # of a model with "custom_text"
    scale_keeps_shape=True,
)
HF_FORMAT = WeightFormat(
    name="hf_clip",
    markers=("visual_projection.weight",),
    rows=(
        *hf_tower_rows(),
        *hf_clip_vision_rows(),
        row("text/projection/kernel", "text_projection.weight", LINEAR),
        row("logit_scale", "logit_scale", SCALAR),
    ),
)
_HF_VISION_DEFAULTS: dict[str, Any] = {
    **hf_towers.BASE_SIZES,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
_HF_TEXT_DEFAULTS: dict[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "eos_token_id": 49407,
}


def read_hf_vision(data: Mapping[str, Any]) -> VisionConfig:
    """The image tower of a config.json of transformers' CLIPModel and its kin."""
    vision = hf_towers.read_tower_of_old(data, "vision_config", _HF_VISION_DEFAULTS)
    return VisionConfig(vision["image_size"], vision["patch_size"], *hf_towers.read_sizes(vision))


def read_hf_config(data: Mapping[str, Any]) -> CLIPConfig:
    """The architecture of a config.json of transformers' CLIPModel."""
    text = hf_towers.read_tower_of_old(data, "text_config", _HF_TEXT_DEFAULTS)
    # With 2, as old configs have it, transformers pools at the largest id, as OpenAI does.
    pools_at_largest = text["eos_token_id"] in (2, text["vocab_size"] - 1)
    return CLIPConfig(
        "custom",
        data.get("projection_dim", 512),
        read_hf_vision(data),
        TextConfig(
            text["max_position_embeddings"],
            text["vocab_size"],
            *hf_towers.read_sizes(text),
            pool="argmax" if pools_at_largest else "eos",
            end_token=0 if pools_at_largest else text["eos_token_id"],
        ),
        logit_scale_init=data.get("logit_scale_init_value", 2.6592),
    )


def fits_hf_vision(config: CLIPConfig) -> bool:
    """Whether transformers' CLIPModel and its kin compute this image tower, and the model has no logit bias."""
    vision = config.vision
    if not isinstance(vision, VisionConfig) or config.logit_bias_init is not None:
        return False
    return vision.pool == "token" and vision.norm_pre and not vision.patch_bias


def _fits_hf(config: CLIPConfig) -> bool:
    text = config.text
    # CLIPModel takes the end token 2 for a sign of old configs, and pools at the largest id.
    text_fits = isinstance(text, TextConfig) and text.causal and text.pool in ("argmax", "eos") and text.end_token != 2
    return text_fits and fits_hf_vision(config)


def write_hf_config(config: CLIPConfig) -> dict[str, Any]:
    """The inverse of `read_hf_config`."""
    text = cast(TextConfig, config.text)  # as _fits_hf demands
    # transformers pools at the first `eos_token_id`, but with 2 at the largest id; both are CLIP's end token.
    end = text.end_token if text.pool == "eos" else text.vocab_size - 1 if text.vocab_size == VOCAB_SIZE else 2
    projection = {"projection_dim": config.embed_dim}
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        **projection,
        "logit_scale_init_value": config.logit_scale_init,
        "torch_dtype": "float32",
        "text_config": {
            **hf_towers.write_text(text),
            "eos_token_id": end,
            "bos_token_id": max(0, end - 1),
            **projection,
        },
        "vision_config": {**hf_towers.write_vision(config.vision), **projection},
    }


CLIP_FAMILY = WeightFamily(
    name="clip",
    models="OpenAI's, open_clip's and transformers' CLIPs with vision transformers",
    open_clip=OpenClipSupport(
        format=OPEN_CLIP_FORMAT,
        matches=lambda model_cfg: not model_cfg["vision_cfg"].get("timm_model_name"),
        read_vision=open_clip_towers.read_vision,
        write_vision=open_clip_towers.write_vision,
    ),
    hf=HfSupport(
        format=HF_FORMAT,
        model_type="clip",
        read_config=read_hf_config,
        fits=_fits_hf,
        write_config=write_hf_config,
        image_processor="CLIPImageProcessor",
        crops=True,
    ),
)
